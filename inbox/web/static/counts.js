// The counts of the mailbox, asked for anew after changes that the page cannot count itself.

import { get } from "./api.js";
import { load, summarise } from "./list.js";
import { trying } from "./notices.js";
import { queryOf, state } from "./state.js";

const SETTLING = 200; // milliseconds without a change before the host is asked

/** @type {number | undefined} */
let settling;

/** Ask the host for the counts, after a moment; in a search for the list, because the host knows what it finds. */
export function refreshSoon() {
  clearTimeout(settling);
  settling = setTimeout(refresh, SETTLING);
}

async function refresh() {
  if (state.search) return load();
  const { mailbox } = state;
  const page = await trying(() => get(`messages?${queryOf({ limit: "1" })}`));
  if (!page || state.mailbox !== mailbox) return;
  state.total = page.total;
  state.unread = page.unread;
  summarise();
}
