// The messages of the list that are selected, for a deletion or a mark of several.

import { byId } from "./dom.js";
import { reveal, show } from "./list.js";
import { say } from "./notices.js";
import { state } from "./state.js";

/** @type {string | null} */
let anchor = null; // where a range begins
/** @type {string | null} */
let end = null; // where it ends

/**
 * Select a message, or no longer.
 * @param {string | null} id
 */
export function toggle(id) {
  if (!id) return;
  if (!state.chosen.delete(id)) state.chosen.add(id);
  anchor = end = id;
  tell();
}

/**
 * Select the messages from the one that was selected last, else from the open one, to this one.
 * @param {string} id
 */
export function extendTo(id) {
  const ids = state.messages.map((message) => message.id);
  const from = Math.max(0, ids.indexOf(anchor || state.selected || ids[0]));
  const to = ids.indexOf(id);
  if (to < 0) return;
  anchor = ids[from];
  end = id;
  state.chosen = new Set(ids.slice(Math.min(from, to), Math.max(from, to) + 1));
  reveal(id);
  tell();
}

/**
 * Select one message more, or one less, down the list or up.
 * @param {number} step
 */
export function extend(step) {
  const { messages, chosen } = state;
  const last = messages.findIndex((message) => message.id === ((chosen.size && end) || state.selected));
  const next = messages[Math.min(messages.length - 1, Math.max(0, last + (chosen.size || last >= 0 ? step : 1)))];
  if (next) extendTo(next.id);
}

/** Select every message of the list. */
export function chooseAll() {
  state.chosen = new Set(state.messages.map((message) => message.id));
  tell();
}

/** Select none. */
export function chooseNone() {
  state.chosen = new Set();
  anchor = end = null;
  tell();
}

/**
 * Return the selected messages, or else the open one.
 * @returns {string[]}
 */
export function chosenOrOpen() {
  if (state.chosen.size) return [...state.chosen];
  return state.selected ? [state.selected] : [];
}

function tell() {
  show();
  say(byId("chosen-count").textContent || "None selected");
}
