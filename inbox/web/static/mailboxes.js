// The mailboxes of an inbox that has several: the switch above the list. The address keeps the choice.

import { writeQuery } from "./address.js";
import { get } from "./api.js";
import { byId, el } from "./dom.js";
import { load } from "./list.js";
import { close } from "./message.js";
import { loadRefusals } from "./refused.js";
import { chooseNone } from "./select.js";
import { state } from "./state.js";

const SETTLING = 500; // milliseconds without a change before the host is asked for its mailboxes

/** @typedef {{ name: string, messages: number }} Mailbox */

/** @type {number | undefined} */
let settling;

/** Ask the host for its mailboxes, after a moment. An inbox with one mailbox is not asked. */
export function countMailboxesSoon() {
  if (state.info.mailbox_by === "none") return;
  clearTimeout(settling);
  settling = setTimeout(countMailboxes, SETTLING);
}

/** Offer the mailboxes of the host. */
export async function countMailboxes() {
  const answer = await get("mailboxes").catch(() => null); // the old ones stay
  /** @type {Mailbox[]} */
  const found = answer ? answer.mailboxes : [];
  const chosen = found.some(({ name }) => name === state.mailbox) || !state.mailbox ? [] : [{ name: state.mailbox, messages: 0 }];
  byId("boxes").hidden = state.info.mailbox_by === "none" && found.length < 2 && !chosen.length;
  const select = byId("mailbox");
  if (!answer || select === document.activeElement) return; // an open list keeps its lines
  const all = state.info.mailbox ? [] : [option("", "All mailboxes")];
  const named = [...found].sort((one, other) => one.name.localeCompare(other.name));
  select.replaceChildren(...all, ...[...named, ...chosen].map(({ name, messages }) => option(name, `${name} (${messages.toLocaleString()})`)));
  select.value = state.info.mailbox || state.mailbox;
  select.disabled = select.options.length < 2;
}

/**
 * @param {string} value
 * @param {string} text
 */
const option = (value, text) => el("option", { value }, text);

/** Show the mailbox that the switch has. */
export function switchMailbox() {
  state.mailbox = byId("mailbox").value;
  writeQuery();
  chooseNone();
  close();
  load();
  loadRefusals();
}

/**
 * Take the mailbox from the address. Return whether it is another one.
 * @returns {boolean}
 */
export function readMailbox() {
  const before = state.mailbox;
  state.mailbox = (new URLSearchParams(location.search).get("mailbox") || "").trim();
  byId("mailbox").value = state.mailbox;
  return state.mailbox !== before;
}
