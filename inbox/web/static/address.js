// The page's address, which names the open message: `#` and its id.

import { main } from "./dom.js";
import { queryOf, state } from "./state.js";

/** @returns {boolean} whether list and message share one place */
export function isSmall() {
  return matchMedia("(max-width: 760px)").matches;
}

/** Write the search and the mailbox into the address. */
export function writeQuery() {
  const query = queryOf(state.search ? { search: state.search } : {});
  history.replaceState(history.state, "", location.pathname + (query.size ? `?${query}` : "") + location.hash);
}

/**
 * Return the id in the address, "" for none.
 * @returns {string}
 */
export function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

/**
 * Put a message into the address. Where list and message share one place, one step back is always the list.
 * @param {string} id
 * @param {boolean} instead it takes the place of the message before it in the history
 */
export function write(id, instead) {
  if (addressed() === id) return;
  const within = instead || (isSmall() && state.selected !== null && main.classList.contains("reading"));
  if (within) history.replaceState(history.state, "", `#${id}`);
  else history.pushState({ list: isSmall() || state.selected === null }, "", `#${id}`);
}

/** Take the message out of the address. */
export function erase() {
  history.replaceState(null, "", location.pathname + location.search);
}

/** @returns {boolean} whether one step back in the history is the list */
export function isListBefore() {
  return isSmall() && Boolean(history.state?.list);
}
