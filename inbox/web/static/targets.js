// The links of a mail, as a list, as the host finds them.

import { asked } from "./asked.js";
import { codes } from "./codes.js";
import { copyButton } from "./copy.js";
import { el } from "./dom.js";
import { pieces } from "./links.js";

/** @typedef {import("./api.js").Detail} Detail */
/** @typedef {{ href: string, text: string, kind: "link" | "unsubscribe" | "pixel", source: string }} Link */

const READ = 1024 * 1024; // characters of the text
const SHOWN = 500;

/** @type {(id: string) => Promise<{ links: Link[] } | null>} */
const ask = asked("links");

/**
 * Return whether a message can have links, without reading its HTML.
 * @param {Detail} detail
 * @returns {boolean}
 */
export function mayHaveLinks({ html, text, headers }) {
  const unsubscribes = Object.keys(headers).some((name) => name.toLowerCase() === "list-unsubscribe");
  return unsubscribes || /href/i.test(html) || pieces(text.slice(0, READ)).length > 1;
}

/**
 * @param {Detail} detail
 * @returns {(string | Node)[]}
 */
export function links(detail) {
  const place = el("div", {}, "Loading");
  show(detail.summary.id, place);
  return [codes(detail), place];
}

/**
 * @param {string} id
 * @param {Element} place
 */
async function show(id, place) {
  const answer = await ask(id);
  if (!answer) return place.replaceChildren("The links could not be loaded.");
  const found = answer.links;
  if (!found.length) return place.replaceChildren("This message has no links.");
  const rest = found.length - SHOWN;
  place.replaceChildren(
    el("ul", { className: "targets" }, ...found.slice(0, SHOWN).map(target)),
    rest > 0 ? el("p", { className: "hint" }, `${rest.toLocaleString()} more links are in the source.`) : "",
  );
}

/** @type {Record<string, string>} */
const KINDS = { unsubscribe: "unsubscribe", pixel: "tracking pixel" };

/**
 * @param {Link} link
 * @returns {Element}
 */
function target({ href, text, kind, source }) {
  const shown = kind === "pixel" ? el("code", {}, href) : el("a", { href, target: "_blank", rel: "noopener noreferrer" }, href);
  const words = source === "html" && text !== href ? text : ""; // in a text the words before it are not its own
  const label = words ? el("b", { dir: "auto" }, words) : "";
  const mark = KINDS[kind] ? el("span", { className: "tag" }, KINDS[kind]) : "";
  return el("li", {}, el("div", {}, label, shown), mark, copyButton(href, `Copy the link ${words || href}`));
}
