// The list of refusals: commands, messages and sessions that the mail server refused. It takes the messages' place.

import { byId, el, icon } from "./dom.js";
import { counted, when } from "./format.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").Refusal} Refusal */

export const KEPT = 200; // the host keeps no more

/** Show the list, or hide it where the page shows messages. Rows that it has already stay. */
export function showRefusals() {
  const list = byId("refusals");
  byId("refused").setAttribute("aria-pressed", String(state.refused));
  byId("refused").hidden = !state.refused && !state.refusals.length;
  byId("refused-count").textContent = state.refusals.length.toLocaleString();
  list.hidden = !state.refused;
  if (list.hidden) return;
  const rows = /** @type {import("./dom.js").AnyElement[]} */ ([...list.children]);
  const known = new Map(rows.map((row) => [row.dataset.number, row]));
  list.replaceChildren(...foundRefusals().map((refusal) => known.get(String(refusal.number)) || newRow(refusal)));
}

/**
 * Return the refusals that have every word of the search.
 * @returns {Refusal[]}
 */
export function foundRefusals() {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return state.refusals;
  return state.refusals.filter((refusal) => {
    const text = Object.values(refusal).join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** @returns {Element[]} the placeholder of an empty list */
export function nothingRefused() {
  const words = state.search ? `No refusal has “${state.search}”.` : "Refused mail, and why, appears here at once.";
  return [
    icon("shield", "icon large"),
    el("h2", {}, state.search ? "Nothing found" : "Nothing was refused"),
    el("p", {}, words),
  ];
}

/**
 * @param {Refusal} refusal
 * @returns {import("./dom.js").AnyElement}
 */
function newRow(refusal) {
  const time = el("time", { dateTime: refusal.at, title: when(refusal.at, true) }, when(refusal.at));
  const row = el(
    "li",
    { className: "refusal", "data-number": refusal.number },
    el("bdi", { className: "client" }, [refusal.remote_addr, refusal.helo].filter(Boolean).join(" · ")),
    time,
    el("strong", { dir: "auto" }, el("span", { className: "tag bad" }, label(refusal)), ` ${said(refusal)}`),
  );
  if (refusal.command) row.append(el("code", { dir: "auto" }, refusal.command));
  row.append(el("span", { className: "about", dir: "auto" }, about(refusal).join(" · ")));
  if (refusal.message) row.append(el("a", { href: `#${encodeURIComponent(refusal.message)}` }, "Open the message"));
  return row;
}

/** @param {Refusal} refusal */
const label = (refusal) => (refusal.code ? String(refusal.code) : "no reply");
/** @param {Refusal} refusal */
export const said = (refusal) => [refusal.reply, refusal.reason && `(${refusal.reason})`].filter(Boolean).join(" ");

/**
 * Return the facts about a refusal: the setting that decided, the transaction, and what became of the session.
 * @param {Refusal} refusal
 * @returns {string[]}
 */
function about(refusal) {
  const others = refusal.recipients - refusal.to.length;
  const to = refusal.to.join(", ") + (others > 0 ? ` and ${others.toLocaleString()} more` : "");
  return [
    refusal.setting,
    refusal.from && `from ${refusal.from}`,
    to && `to ${to}`,
    refusal.ended ? "the session ended" : "",
    refusal.left_out ? `${counted(refusal.left_out, "refusal")} before it not shown` : "",
  ].filter(Boolean);
}
