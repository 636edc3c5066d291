// The part "check" of a message: what is wrong with it, as the host finds it. The rules are docs/reference/check.md.

import { asked } from "./asked.js";
import { byId, el, icon } from "./dom.js";
import { counted } from "./format.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").Detail} Detail */
/** @typedef {import("./api.js").Finding} Finding */
/** @typedef {import("./api.js").Checked} Checked */

const RFC = /RFC (\d+)(?: section ([\d.]*\d))?/;
const SEVERITIES = /** @type {const} */ (["error", "warning", "hint"]);

const STAYING = 300; // milliseconds that a message is open before the page asks for its check

/** @type {(id: string) => Promise<Checked | null>} */
const ask = asked("check");

/**
 * Show in the tab how many errors and warnings a message has, once the reader stays with it.
 * @param {Detail} detail
 */
export function countFaults(detail) {
  const { id } = detail.summary;
  byId("faults").textContent = "";
  setTimeout(async () => {
    const checked = state.selected === id ? await ask(id) : null;
    if (checked && state.selected === id) byId("faults").textContent = String(checked.errors + checked.warnings || "");
  }, STAYING);
}

/**
 * @param {Detail} detail
 * @returns {Element[]}
 */
export function checks(detail) {
  const place = el("div", { className: "checks" }, "Loading");
  load(detail.summary.id, place);
  return [place];
}

/**
 * @param {string} id
 * @param {Element} place
 */
async function load(id, place) {
  const checked = await ask(id);
  if (!checked) return place.replaceChildren("The message could not be checked.");
  const rows = checked.findings.map(row);
  place.replaceChildren(total(checked), rows.length ? el("ul", { className: "findings" }, ...rows) : "");
}

/**
 * @param {Checked} checked
 * @returns {Element}
 */
function total(checked) {
  const counts = SEVERITIES.map((name) => [name, checked[`${name}s`]]).filter(([, count]) => count);
  const words = counts.map(([name, count]) => counted(Number(count), String(name))).join(", ");
  const none = checked.errors + checked.warnings === 0;
  return el("p", { className: none ? "verdict" : "verdict bad" }, icon(none ? "read" : "shield"), words || "Nothing is wrong");
}

/**
 * @param {Finding} finding
 * @returns {Element}
 */
function row(finding) {
  const rest = finding.count - finding.places.length;
  const places = finding.places.map((each) => el("li", {}, el("code", { dir: "auto" }, each)));
  if (places.length && rest > 0) places.push(el("li", {}, `and ${rest.toLocaleString()} more`));
  return el(
    "li",
    { "data-severity": finding.severity },
    el("span", { className: "tag" }, finding.severity),
    el(
      "div",
      {},
      el("b", {}, finding.text),
      places.length ? el("ul", { className: "places" }, ...places) : "",
      el("p", {}, finding.remedy),
      el("small", {}, el("code", {}, finding.rule), " · ", ...linked(finding.source)),
    ),
  );
}

/**
 * Return a source with its RFCs as links.
 * @param {string} source
 * @returns {(string | Node)[]}
 */
function linked(source) {
  const found = RFC.exec(source);
  if (!found) return [source];
  const [text, number, section] = found;
  const href = `https://www.rfc-editor.org/rfc/rfc${number}${section ? `#section-${section}` : ""}`;
  const link = el("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  return [source.slice(0, found.index), link, ...linked(source.slice(found.index + text.length))];
}
