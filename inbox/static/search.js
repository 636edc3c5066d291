// The search field.

import { byId } from "./dom.js";
import { load } from "./list.js";
import { state } from "./state.js";

const TYPING = 120; // milliseconds without a key before the search begins

/** @type {number | undefined} */
let typing;

/** Search for the words in the field, after a moment. */
export function search() {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.search = byId("search").value.trim();
    load();
  }, TYPING);
}

/** Empty the field. */
export function endSearch() {
  byId("search").value = "";
  search();
}
