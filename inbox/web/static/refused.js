// The filter "refused", and the changes of its list.

import { ask, get } from "./api.js";
import { main } from "./dom.js";
import { show } from "./list.js";
import { say, trying } from "./notices.js";
import { KEPT, said } from "./refusals.js";
import { queryOf, state } from "./state.js";

/** @typedef {import("./api.js").Refusal} Refusal */

const GATHERING = 50; // milliseconds in which refusals gather before they are shown together

/** @type {number | undefined} */
let gathering;

/** Load the list. */
export async function loadRefusals() {
  const answer = await trying(() => get(`refusals?${queryOf({})}`));
  if (!answer) return;
  state.refusals = answer.refusals;
  show();
}

/** Show refusals in place of messages, or messages again. */
export function toggleRefused() {
  state.refused = !state.refused;
  main.classList.remove("reading");
  show();
}

/**
 * Called for a new refusal.
 * @param {Refusal} refusal
 */
export function onRefusal(refusal) {
  if (state.mailbox) return loadSoon(); // the host knows in which mailboxes it stands
  if (state.refusals.some((each) => each.number === refusal.number)) return;
  state.refusals = [refusal, ...state.refusals].slice(0, KEPT);
  clearTimeout(gathering);
  gathering = setTimeout(() => {
    show();
    say(`Refused: ${refusal.code || ""} ${said(refusal)}`);
  }, GATHERING);
}

function loadSoon() {
  clearTimeout(gathering);
  gathering = setTimeout(loadRefusals, GATHERING);
}

/** Called when refusals were deleted: all, or those of a mailbox. */
export function onRefusalsCleared() {
  loadSoon();
}

/** Delete every refusal. This page learns of it from the stream, as every page does. */
export function removeRefusals() {
  trying(() => ask(`refusals?${queryOf({})}`, { method: "DELETE" }));
}
