// The open message: opening, showing and closing it.

import { addressed, erase, isListBefore, isSmall, write } from "./address.js";
import { get, pathOf } from "./api.js";
import { byId, main } from "./dom.js";
import { showHead } from "./head.js";
import { focusList, LOST, reveal, show } from "./list.js";
import { alarmOf, say } from "./notices.js";
import { mark } from "./read.js";
import { state } from "./state.js";
import { hideParts, showParts } from "./tabs.js";

/**
 * Open a message.
 * @param {string} id
 * @param {{ focus?: boolean, instead?: boolean }} [options] `focus`: move the keyboard into it; `instead`: see `write`
 */
export async function open(id, { focus = false, instead = false } = {}) {
  write(id, instead);
  state.selected = id;
  state.lost = false;
  state.refused = false;
  mark([id], true);
  show();
  reveal(id);
  main.classList.add("reading");
  let detail;
  try {
    detail = await get(pathOf(id));
  } catch (error) {
    if (state.selected === id) fail(/** @type {any} */ (error));
    return;
  }
  if (state.selected !== id) return; // another one was opened meanwhile
  byId("message").hidden = false;
  byId("message").classList.remove("shrunk");
  showHead(detail);
  showParts(detail);
  if (focus) byId("subject").focus();
}

/** @param {any} error */
function fail(error) {
  if (error.status === 404) return lose();
  alarmOf(error);
  close();
}

/** Close the open message, and take it out of the address. */
export function close() {
  erase();
  leave(false);
}

/** Say that the message no longer exists. The address stays: after a restart the host may have the message again. */
function lose() {
  leave(true);
  say(LOST);
}

/** @param {boolean} lost */
function leave(lost) {
  state.selected = null;
  state.lost = lost;
  main.classList.toggle("reading", lost);
  byId("message").hidden = true;
  hideParts();
  show();
}

/** Show the message in the address: after Back, Forward, or a typed address. */
export function goToAddress() {
  const wanted = addressed();
  if (!wanted) leave(false);
  else if (wanted !== state.selected || state.refused) open(wanted);
  else main.classList.add("reading");
}

/** Go from the message to the list. */
export function back() {
  if (isListBefore()) return history.back();
  if (isSmall()) close();
  focusList();
}
