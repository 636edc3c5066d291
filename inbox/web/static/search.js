// The search field. The address keeps the search.

import { writeQuery } from "./address.js";
import { byId } from "./dom.js";
import { load } from "./list.js";
import { DEFECTS, toggled } from "./operators.js";
import { state } from "./state.js";
import { endSuggestions, suggest } from "./suggestions.js";

const TYPING = 120; // milliseconds without a key before the search begins

/** @type {number | undefined} */
let typing;

/** Search for the words in the field, after a moment. */
export function search() {
  suggest();
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.search = byId("search").value.trim();
    writeQuery();
    load();
  }, TYPING);
}

/** Show only messages with defects, or all again. */
export function toggleDefects() {
  byId("search").value = toggled(byId("search").value.trim(), DEFECTS);
  search();
}

/** Empty the field. */
export function endSearch() {
  byId("search").value = "";
  search();
  endSuggestions();
}

/**
 * Take the search from the address. Return whether it is another one.
 * @returns {boolean}
 */
export function readSearch() {
  const before = state.search;
  state.search = (new URLSearchParams(location.search).get("search") || "").trim();
  byId("search").value = state.search;
  return state.search !== before;
}
