// The read marks, which the host keeps.

import { ask } from "./api.js";
import { refreshSoon } from "./counts.js";
import { show, summarise } from "./list.js";
import { trying } from "./notices.js";
import { queryOf, state } from "./state.js";

const AT_ONCE = 100; // ids of one request: they are in its URL

/**
 * Mark messages of the list. The stream tells every page.
 * @param {string[]} ids
 * @param {boolean} read
 */
export async function mark(ids, read) {
  const changed = new Set(ids.filter((id) => state.messages.some((each) => each.id === id && Boolean(each.read) !== read)));
  if (!changed.size) return;
  setRead(changed, read);
  state.unread += read ? -changed.size : changed.size;
  show();
  const all = [...changed];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const query = new URLSearchParams(all.slice(at, at + AT_ONCE).map((id) => ["id", id]));
    query.set("read", read ? "1" : "0");
    await trying(() => ask(`messages?${query}`, { method: "PATCH" }));
  }
}

/**
 * Mark every message, or every one that the search finds.
 * @param {boolean} read
 */
export function markAll(read) {
  const query = queryOf({ read: read ? "1" : "0" });
  if (state.search) query.set("search", state.search);
  return trying(() => ask(`messages?${query}`, { method: "PATCH" }));
}

/**
 * Called when messages were marked. `ids`: null for every message.
 * @param {{ ids: string[] | null, read: boolean, unread: number }} data
 */
export function onRead({ ids, read, unread }) {
  if (state.mailbox) refreshSoon(); // the number is that of all
  else state.unread = unread;
  setRead(ids && new Set(ids), read);
  show();
  summarise();
}

/**
 * @param {Set<string> | null} ids
 * @param {boolean} read
 */
function setRead(ids, read) {
  state.messages = state.messages.map((each) => (!ids || ids.has(each.id) ? { ...each, read } : each));
}
