// Changes of the list: messages arrive, messages are deleted, events were missed.

import { refreshSoon } from "./counts.js";
import { sender, subject } from "./format.js";
import { focusList, show, summarise } from "./list.js";
import { countMailboxesSoon } from "./mailboxes.js";
import { close, open } from "./message.js";
import { countNewer } from "./newer.js";
import { say } from "./notices.js";
import { notify } from "./notify.js";
import { add, clear, drop, isHere, state, unknown } from "./state.js";
import { deleteFoundSoon, deleteSoon } from "./undo.js";

/** @typedef {import("./api.js").Summary} Summary */

const GATHERING = 50; // milliseconds in which messages gather before they are shown together

/** @type {Summary[]} */
let arrived = []; // not yet in the list, oldest first

/**
 * Called for a new message. Messages that arrive together are shown together.
 * @param {Summary} message
 */
export function onMessage(message) {
  if (!arrived.length) setTimeout(showArrived, GATHERING);
  arrived.push(message);
}

function showArrived() {
  countMailboxesSoon();
  const fresh = unknown(arrived).filter(isHere).reverse();
  arrived = [];
  if (!fresh.length) return;
  state.total += fresh.length;
  state.unread += fresh.length;
  notify(fresh);
  if (state.search) {
    summarise();
    return refreshSoon(); // the host knows which of them the search finds
  }
  add(fresh);
  countNewer(fresh.length);
  show(new Set(fresh.map((message) => message.id)));
  const [first] = fresh;
  say(fresh.length === 1 ? `New message from ${sender(first)}: ${subject(first)}` : `${fresh.length} new messages`);
}

/**
 * Called when messages were deleted.
 * @param {string[]} ids
 */
export function onDeleted(ids) {
  forget(ids);
  countMailboxesSoon();
  refreshSoon(); // the host counts those that the list does not have
}

/** Called when every message was deleted. */
export function onCleared() {
  arrived = [];
  countMailboxesSoon();
  clear();
  close();
}

/** Called when events were missed. The list may be outdated: drop it, unless the answer to a search replaces it. */
export function onReset() {
  arrived = [];
  if (!state.search) state.messages = [];
}

/**
 * Delete messages, and open the one after them. It can be taken back.
 * @param {string[]} ids
 */
export function remove(ids) {
  if (!ids.length) return;
  const gone = new Set(ids);
  const index = state.messages.findLastIndex((message) => gone.has(message.id));
  const rest = state.messages.filter((message) => !gone.has(message.id));
  const next = state.messages.slice(index + 1).find((message) => !gone.has(message.id)) || rest.at(-1);
  const isOpen = state.selected !== null && gone.has(state.selected);
  deleteSoon(ids);
  if (isOpen && next && !state.search && ids.length === 1) open(next.id, { instead: true });
  else if (isOpen) close();
  focusList();
}

/** Delete every message, or those that the search finds. It can be taken back. */
export function removeAll() {
  deleteFoundSoon();
  if (state.selected !== null && !state.messages.some((message) => message.id === state.selected)) close();
}

/** @param {string[]} ids */
function forget(ids) {
  const removed = new Set(ids);
  arrived = arrived.filter((message) => !removed.has(message.id));
  drop(removed);
  if (state.selected !== null && removed.has(state.selected)) close();
  else show();
}
