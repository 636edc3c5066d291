// The codes of a message, such as those of a sign-in, as the host finds them.

import { asked } from "./asked.js";
import { copyButton } from "./copy.js";
import { el } from "./dom.js";

/** @typedef {{ value: string, points: number, reason: string }} Candidate */

const ENOUGH = 6; // points of a text that may be the code
const SHOWN = 3; // where several may be

/** @type {(id: string) => Promise<{ code: string, candidates: Candidate[] } | null>} */
const ask = asked("code?optional=1");

/**
 * Return the codes of a message with buttons that copy them. They come a moment later.
 * @param {import("./api.js").Detail} detail
 * @returns {Element}
 */
export function codes(detail) {
  const group = el("div", { className: "codes", role: "group", "aria-label": "Codes", hidden: true });
  show(detail.summary.id, group);
  return group;
}

/**
 * @param {string} id
 * @param {import("./dom.js").AnyElement} group
 */
async function show(id, group) {
  const found = await ask(id);
  if (!found) return;
  const { code, candidates } = found;
  const shown = candidates.filter(({ value, points }) => (code ? value === code : points >= ENOUGH)).slice(0, SHOWN);
  group.hidden = !shown.length;
  group.replaceChildren(
    ...shown.map(({ value, reason }) => el("span", { title: reason }, el("b", {}, value), copyButton(value, `Copy the code ${value}`))),
  );
}
