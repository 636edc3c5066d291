// The state that the modules share, and its changes. Nothing here touches an element or the network.

/** @typedef {import("./api.js").Summary} Summary */
/**
 * @typedef {object} Hidden messages that the page shows no longer, and the host has still
 * @property {(message: Summary) => boolean} fits
 * @property {number} count
 * @property {number} unread
 * @property {string} mailbox where they are, empty for all
 */

const MAX_LISTED = 600; // messages in the list; beyond that the oldest leave it, and "Show older messages" loads them

export const state = {
  /** @type {Summary[]} */
  messages: [], // newest first
  total: 0, // messages in the mailbox
  unread: 0, // of the mailbox
  /** @type {string[]} */
  hits: [], // texts that the search looks for, as the host compares them
  /** @type {number | null} */
  next: null, // where the messages after the last one of the list begin, null after the last of all
  search: "",
  mailbox: "", // the one that the page shows, empty for all
  /** @type {string | null} */
  selected: null, // the id of the open message
  /** @type {Set<string>} */
  chosen: new Set(), // ids of the selected messages
  /** @type {Set<Hidden>} */
  hidden: new Set(),
  lost: false, // the address names a message that is not in the inbox
  refused: false, // the page shows refusals in place of messages
  /** @type {import("./api.js").Refusal[]} */
  refusals: [], // newest first
  /** @type {Partial<import("./api.js").Info>} */
  info: {},
};

/**
 * Return a query of the API, about the mailbox that the page shows.
 * @param {Record<string, string>} values
 * @returns {URLSearchParams}
 */
export function queryOf(values) {
  return new URLSearchParams({ ...values, ...(state.mailbox && { mailbox: state.mailbox }) });
}

/**
 * Return whether a message is in the mailbox that the page shows.
 * @param {Summary} message
 */
export const isHere = (message) => !state.mailbox || message.mailbox === state.mailbox;

let request = 0; // the number of the newest request for the list: an answer to an older one is dropped
/** @type {Set<string>} */
const deleted = new Set(); // ids of messages that were deleted during the newest request

/**
 * Return a number for a request for the list that begins now.
 * @returns {number}
 */
export function beginRequest() {
  deleted.clear();
  return ++request;
}

/**
 * Return whether no newer request for the list has begun.
 * @param {number} number
 * @returns {boolean}
 */
export function isNewest(number) {
  return number === request;
}

/**
 * Take the answer to a request. Return false for an outdated one.
 *
 * The stream may be faster than the answer. So newer messages stay in the list, and deleted ones stay out of it.
 * @param {import("./api.js").MessageList} answer
 * @param {number} number
 * @param {boolean} more the answer goes after the list, else it replaces it
 * @returns {boolean}
 */
export function takeAnswer(answer, number, more) {
  if (!isNewest(number)) return false;
  state.hits = answer.hits;
  const gone = answer.messages.filter((message) => deleted.has(message.id)); // since the host has read them
  state.total = answer.total - gone.length;
  state.unread = answer.unread - gone.filter((message) => !message.read).length;
  const there = answer.messages.filter((message) => !deleted.has(message.id) && !isHidden(message));
  if (more) {
    const known = ids();
    state.messages = [...state.messages, ...there.filter((message) => !known.has(message.id))];
  } else {
    const newest = answer.messages.length ? answer.messages[0].number : 0;
    const since = state.search ? [] : state.messages.filter((message) => message.number > newest && isHere(message));
    state.messages = [...since, ...there];
    state.total += since.length;
    state.unread += since.filter((message) => !message.read).length;
  }
  state.next = answer.next;
  return true;
}

/**
 * Hide messages.
 * @param {Hidden} hidden
 */
export function hide(hidden) {
  state.hidden.add(hidden);
  state.messages = state.messages.filter((message) => !isHidden(message));
}

/** @param {Summary} message */
function isHidden(message) {
  return [...state.hidden].some((each) => each.fits(message));
}

/**
 * Return how many messages the mailbox has without the hidden ones.
 * @returns {{ total: number, unread: number }}
 */
export function shown() {
  let { total, unread } = state;
  for (const each of state.hidden) {
    if (each.mailbox !== state.mailbox) continue; // their number here is unknown
    total -= each.count;
    unread -= each.unread;
  }
  return { total: Math.max(0, total), unread: Math.max(0, unread) };
}

/**
 * Return those messages that the list does not have.
 * @param {Summary[]} messages
 * @returns {Summary[]}
 */
export function unknown(messages) {
  const known = ids();
  return messages.filter((message) => !known.has(message.id));
}

/**
 * Put new messages at the top of the list.
 * @param {Summary[]} fresh newest first
 */
export function add(fresh) {
  state.messages = [...fresh, ...state.messages];
  if (state.messages.length > MAX_LISTED) {
    state.messages.length = MAX_LISTED;
    state.next = state.messages[MAX_LISTED - 1].number;
  }
}

/**
 * Remove messages.
 * @param {Set<string>} removed their ids
 */
export function drop(removed) {
  for (const id of removed) deleted.add(id);
  const gone = state.messages.filter((message) => removed.has(message.id));
  state.messages = state.messages.filter((message) => !removed.has(message.id));
  state.total = Math.max(0, state.total - gone.length);
  state.unread = Math.max(0, state.unread - gone.filter((message) => !message.read).length);
}

/** Remove every message. */
export function clear() {
  request += 1; // the answer to an earlier request still has them
  state.messages = [];
  state.total = state.unread = 0;
  state.next = null;
}

function ids() {
  return new Set(state.messages.map((message) => message.id));
}
