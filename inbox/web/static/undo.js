// Deletions that can be taken back. The host deletes some seconds later, so a page that closes before loses nothing.

import { ask } from "./api.js";
import { byId } from "./dom.js";
import { load, show } from "./list.js";
import { trying } from "./notices.js";
import { hide, queryOf, state } from "./state.js";

const UNDO = 10_000; // milliseconds
const AT_ONCE = 100; // ids of one request: they are in its URL

/** @typedef {{ hidden: import("./state.js").Hidden, queries: URLSearchParams[] }} Deletion */

/** @type {Deletion | null} */
let pending = null;
/** @type {number | undefined} */
let waiting;

/**
 * Delete messages of the list, unless it is taken back.
 * @param {string[]} ids
 */
export function deleteSoon(ids) {
  const gone = new Set(ids);
  const queries = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    queries.push(new URLSearchParams(ids.slice(at, at + AT_ONCE).map((id) => ["id", id])));
  }
  const known = state.messages.filter((message) => gone.has(message.id));
  const unread = known.filter((message) => !message.read).length;
  begin(ids.length === 1 ? "Message deleted" : `${ids.length.toLocaleString()} messages deleted`, {
    hidden: { fits: (message) => gone.has(message.id), count: ids.length, unread, mailbox: state.mailbox },
    queries,
  });
}

/** Delete every message that is here now, or every one that the search finds, unless it is taken back. */
export function deleteFoundSoon() {
  const { search, messages, total, unread, mailbox } = state;
  if (!messages.length) return;
  const before = messages[0].number + 1; // later mail stays
  const listed = new Set(messages.map((message) => message.id));
  const query = queryOf({ before: String(before) });
  if (search) query.set("search", search);
  begin(search ? `Deleted what “${search}” finds` : "All messages deleted", {
    hidden: {
      fits: (message) =>
        listed.has(message.id) ||
        (message.number < before && (!search || state.search === search) && (!mailbox || message.mailbox === mailbox)),
      mailbox,
      count: search ? messages.length : total,
      unread: search ? messages.filter((message) => !message.read).length : unread,
    },
    queries: [query],
  });
}

/**
 * @param {string} text
 * @param {Deletion} deletion
 */
function begin(text, deletion) {
  finish();
  pending = deletion;
  hide(deletion.hidden);
  byId("undo-text").textContent = text;
  byId("undo").hidden = false;
  waiting = setTimeout(finish, UNDO);
  show();
}

/** Take the last deletion back. */
export function undo() {
  if (!pending) return;
  state.hidden.delete(pending.hidden);
  end();
  load();
}

/** Have the host delete now. */
export async function finish() {
  if (!pending) return;
  const { hidden, queries } = pending;
  end();
  for (const query of queries) {
    await trying(() => ask(`messages?${query}`, { method: "DELETE" }));
  }
  state.hidden.delete(hidden);
  load(); // after a failure they are there still
}

function end() {
  pending = null;
  clearTimeout(waiting);
  byId("undo").hidden = true;
}
