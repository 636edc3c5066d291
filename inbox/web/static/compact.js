// The compact list: one line less for each message. The browser remembers it.

import { byId, list } from "./dom.js";

const KEY = "rrpy-inbox-compact";

/** Show the list as it was the last time. */
export function restoreCompact() {
  try {
    show(localStorage.getItem(KEY) === "1");
  } catch {
    // The browser stores nothing.
  }
}

/** Make the list compact, or not. */
export function toggleCompact() {
  const compact = !list.classList.contains("compact");
  show(compact);
  try {
    localStorage.setItem(KEY, compact ? "1" : "0");
  } catch {
    // It lasts as long as the page.
  }
}

/** @param {boolean} compact */
function show(compact) {
  list.classList.toggle("compact", compact);
  byId("compact").setAttribute("aria-pressed", String(compact));
}
