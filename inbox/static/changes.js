// What changes in the inbox: messages that come, go, or are deleted here.

import { ask, get, pathOf } from "./api.js";
import { sender, subject } from "./format.js";
import { focusList, load, show, summarise } from "./list.js";
import { close, open } from "./message.js";
import { say, trying } from "./notices.js";
import { add, clear, drop, state, unknown } from "./state.js";

/** @typedef {import("./api.js").Summary} Summary */

const GATHERING = 50; // milliseconds in which messages gather before they are shown together
const SETTLING = 200; // milliseconds without a change before the host is asked for its count

/** @type {Summary[]} */
let arrived = []; // not yet in the list, oldest first
/** @type {number | undefined} */
let settling;

/**
 * Take a new message. Many may come at once: they are shown together.
 * @param {Summary} message
 */
export function onMessage(message) {
  if (!arrived.length) setTimeout(showArrived, GATHERING);
  arrived.push(message);
}

function showArrived() {
  const fresh = unknown(arrived).reverse();
  arrived = [];
  if (!fresh.length) return;
  state.total += fresh.length;
  if (state.search) {
    summarise();
    return refreshSoon(); // the host knows which of them the search finds
  }
  add(fresh);
  show(new Set(fresh.map((message) => message.id)));
  const [first] = fresh;
  say(fresh.length === 1 ? `New message from ${sender(first)}: ${subject(first)}` : `${fresh.length} new messages`);
}

/**
 * Take it that messages went.
 * @param {string[]} ids
 */
export function onDeleted(ids) {
  forget(ids);
  refreshSoon(); // the host counts those that the list does not have
}

/** Take it that every message went. */
export function onCleared() {
  arrived = [];
  clear();
  close();
}

/** Drop what may be outdated: events were missed. */
export function onReset() {
  arrived = [];
  if (!state.search) state.messages = [];
}

/**
 * Delete a message, and open the one after it.
 * @param {string} id
 */
export async function remove(id) {
  const index = state.messages.findIndex((message) => message.id === id);
  const next = state.messages[index + 1] || state.messages[index - 1];
  const deleted = await trying(() => ask(pathOf(id), { method: "DELETE" }));
  if (!deleted) return;
  forget([id]);
  say("Message deleted");
  if (next && !state.search) open(next.id, { instead: true });
  focusList();
}

/** Delete every message. The stream tells this page, too. */
export function removeAll() {
  trying(() => ask("messages", { method: "DELETE" }));
}

/** @param {string[]} ids */
function forget(ids) {
  const removed = new Set(ids);
  arrived = arrived.filter((message) => !removed.has(message.id));
  drop(removed);
  if (state.selected !== null && removed.has(state.selected)) close();
  else show();
}

function refreshSoon() {
  clearTimeout(settling);
  settling = setTimeout(refresh, SETTLING);
}

async function refresh() {
  if (state.search) return load();
  const page = await trying(() => get("messages?limit=1"));
  if (!page) return;
  state.total = page.total;
  summarise();
}
