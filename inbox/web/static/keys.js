// The keyboard: single keys for the whole page, and keys of the list. The dialog "helping" names them.

import { remove } from "./changes.js";
import { toggleCompact } from "./compact.js";
import { byId, list } from "./dom.js";
import { focusList, load, loadOldest } from "./list.js";
import { back, open } from "./message.js";
import { mark } from "./read.js";
import { toggleRefused } from "./refused.js";
import { endSearch } from "./search.js";
import { chooseAll, chooseNone, chosenOrOpen, extend, toggle } from "./select.js";
import { state } from "./state.js";
import { onSuggestionKey } from "./suggestions.js";
import { chooseNumber } from "./tabs.js";
import { undo } from "./undo.js";

const AHEAD = 3; // messages from the end of the list at which older ones are loaded

/** @type {Record<string, () => void>} */
const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => byId("search").focus(),
  "#": removeSelected,
  Delete: removeSelected,
  "?": showHelp,
  r: toggleRefused,
  Escape: leave,
  x: () => toggle(state.selected),
  u: toggleRead,
  z: undo,
  c: toggleCompact,
};
/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };
/** Keys that act on the list of refusals too. */
const EVERYWHERE = ["/", "?", "r"];
/** @type {Record<string, () => void>} */
const LIST_KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Home: () => move(-Infinity),
  End: moveToOldest,
  " ": () => toggle(state.selected),
  Enter: () => (state.selected ? open(state.selected, { focus: true }) : move(1)),
};

/**
 * Open the message some steps down the list; the first one where none is open.
 * @param {number} step negative for up, Infinity for the last one
 */
function move(step) {
  const { messages } = state;
  if (!messages.length) return;
  const index = messages.findIndex((message) => message.id === state.selected);
  const next = index < 0 && step !== Infinity ? 0 : Math.min(messages.length - 1, Math.max(0, index + step));
  if (index === next) return;
  open(messages[next].id);
  if (next >= messages.length - AHEAD && state.next !== null) load({ more: true });
}

async function moveToOldest() {
  await loadOldest();
  move(Infinity);
}

export function removeSelected() {
  remove(chosenOrOpen());
}

/** Mark the selected messages, or the open one, as unread; as read where all of them are unread. */
function toggleRead() {
  const ids = new Set(chosenOrOpen());
  const read = state.messages.every((message) => !ids.has(message.id) || !message.read);
  mark([...ids], read);
}

function leave() {
  if (state.chosen.size) chooseNone();
  else back();
}

export function showHelp() {
  byId("helping").showModal();
}

/**
 * Take the keys that select several messages. Return whether it was one of them.
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
function selects(event) {
  const inList = event.target === list || event.target === document.body;
  if (event.shiftKey && inList && event.key in STEPS) extend(STEPS[event.key]);
  else if ((event.ctrlKey || event.metaKey) && event.target === list && event.key === "a") chooseAll();
  else return false;
  return true;
}

/** @param {KeyboardEvent} event */
export function onKey(event) {
  if (!document.querySelector("dialog[open]") && !state.refused && selects(event)) return event.preventDefault();
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = /** @type {Element} */ (event.target);
  if (target.matches("select")) return; // letters choose its lines
  if (target.matches("input")) return onSearchKey(event);
  if (state.refused) return onRefusedKey(event);
  const inList = target === list || target === document.body || (event.key in STEPS && holdsFrame(target));
  const action = KEYS[event.key] || (inList && LIST_KEYS[event.key]);
  if (/^[1-9]$/.test(event.key) && chooseNumber(Number(event.key))) return event.preventDefault();
  if (!action) return;
  action();
  event.preventDefault();
}

/**
 * Return whether an element is the panel around a mail's frame: arrows scroll nothing there, so they move in the list.
 * @param {Element} target
 */
const holdsFrame = (target) => target === byId("panel") && target.querySelector("iframe") !== null;

/**
 * Keys of the list of refusals: they open and delete no message.
 * @param {KeyboardEvent} event
 */
function onRefusedKey(event) {
  if (event.key === "Escape") toggleRefused();
  else if (EVERYWHERE.includes(event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
}

/** @param {KeyboardEvent} event */
function onSearchKey(event) {
  if (onSuggestionKey(event.key)) return event.preventDefault();
  if (event.key === "Escape") {
    endSearch();
    focusList();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    focusList();
    if (!state.selected && !state.refused) move(1);
  }
}
