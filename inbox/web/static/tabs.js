// The parts of the open message: a tab for each, and the panel of the chosen one.

import { countFaults } from "./checks.js";
import { byId } from "./dom.js";
import { filesOf } from "./files.js";
import { panels } from "./panels.js";
import { mayHaveLinks } from "./targets.js";

/** @typedef {import("./api.js").Detail} Detail */

/** @type {Detail | null} */
let shown = null;
let preferred = "html"; // the part that was chosen last

/** @returns {import("./dom.js").AnyElement[]} */
export function tabs() {
  return [...document.querySelectorAll('[role="tab"]')].map((tab) => /** @type {HTMLElement} */ (tab));
}

/**
 * Show the parts of a message, the preferred one first.
 * @param {Detail} detail
 */
export function showParts(detail) {
  shown = detail;
  byId("tab-text").hidden = !detail.text && Boolean(detail.html);
  byId("tab-html").hidden = byId("tab-markup").hidden = !detail.html;
  byId("tab-links").hidden = !mayHaveLinks(detail);
  byId("tab-attachments").hidden = !detail.attachments.length;
  countFaults(detail);
  byId("attached").textContent = String(filesOf(detail).length || "");
  const part = [preferred, "html", "text"].find((name) => !byId(`tab-${name}`).hidden);
  display(part || "text");
}

/** Show no part of any message. */
export function hideParts() {
  shown = null;
  byId("panel").replaceChildren();
}

/**
 * Show a part of the open message, and prefer it from now on.
 * @param {string} name
 */
export function choose(name) {
  preferred = name;
  display(name);
}

/**
 * Choose a part by its number, from 1. Return false where no such part is shown.
 * @param {number} number
 * @returns {boolean}
 */
export function chooseNumber(number) {
  const tab = tabs()[number - 1];
  if (!shown || !tab || tab.hidden) return false;
  choose(tab.dataset.tab || "");
  return true;
}

/** @param {string} name */
function display(name) {
  for (const tab of tabs()) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  const panel = byId("panel");
  panel.setAttribute("aria-labelledby", `tab-${name}`);
  panel.classList.toggle("flush", name === "html" || name === "markup");
  panel.scrollTop = 0;
  if (!shown) return;
  const focused = panel.contains(document.activeElement);
  panel.replaceChildren(...panels[name](shown));
  if (focused) panel.focus({ preventScroll: true }); // what had the keyboard is gone
}

/**
 * Move along the tabs (the pattern "Tabs" of the ARIA Authoring Practices).
 * @param {KeyboardEvent} event
 */
export function onTabKey(event) {
  const visible = tabs().filter((tab) => !tab.hidden);
  const index = visible.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  /** @type {Record<string, number>} */
  const moves = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: visible.length - 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const tab = /** @type {HTMLElement} */ (visible.at(moves[event.key] % visible.length));
  choose(String(tab.dataset.tab));
  tab.focus();
}
