// The release of the open message: a real address gets it, through the host's relay.

import { ask, get, pathOf } from "./api.js";
import { byId, el } from "./dom.js";
import { when } from "./format.js";
import { alarmOf, say } from "./notices.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").Release} Release */

/** Show the button where the host has a relay. */
export function offerRelease() {
  byId("release").hidden = !state.info.relay;
}

/** Ask for the addresses. */
export function askRelease() {
  const { relay } = state.info;
  if (!relay || !state.selected) return;
  byId("releasing").dataset.id = state.selected;
  byId("release-relay").textContent = relay.address;
  byId("release-allow").textContent = relay.allow.join(", ") || "no address";
  answer("", false);
  byId("releasing").showModal();
  byId("release-to").focus();
}

/**
 * Send the message. The dialog stays, and shows what the relay answers.
 * @param {Event} event
 */
export async function release(event) {
  event.preventDefault();
  const send = byId("release-send");
  if (send.disabled) return;
  const to = String(byId("release-to").value).split(/[\s,;]+/).filter(Boolean);
  if (!to.length) return answer("Name an address.", true);
  send.disabled = true;
  answer("Sending", false);
  try {
    const body = JSON.stringify({ to });
    const headers = { "Content-Type": "application/json" };
    const path = `${pathOf(byId("releasing").dataset.id || "")}/release`;
    /** @type {Release} */
    const done = await (await ask(path, { method: "POST", body, headers })).json();
    answer(`The relay has taken it: ${done.code} ${done.reply}`, false);
  } catch (error) {
    const problem = /** @type {Error} */ (error);
    answer(problem instanceof TypeError ? "The host does not answer." : problem.message, true);
  } finally {
    send.disabled = false;
  }
}

/**
 * @param {string} text
 * @param {boolean} bad
 */
function answer(text, bad) {
  byId("release-answer").textContent = text;
  byId("release-answer").classList.toggle("bad", bad);
}

/**
 * Show the newest release of a message, and a button for the others.
 * @param {Release[]} [releases] oldest first
 */
export function showReleases(releases = []) {
  const [newest, ...others] = releases.map(line).reverse();
  byId("releases").hidden = !newest;
  byId("releases").replaceChildren(...(newest ? [newest] : []));
  if (!others.length) return;
  const more = el("button", { type: "button", className: "others" }, `+${others.length} more`);
  more.addEventListener("click", () => {
    more.remove();
    byId("releases").append(...others);
    byId("releases").focus();
  });
  newest.append(" ", more);
}

/** @param {Release} each */
function line(each) {
  const result = each.accepted ? `${each.code} ${each.reply}` : each.reason;
  const words = `${each.accepted ? "Released" : "Not released"} to ${each.to.join(", ")}, ${when(each.at, true)}: ${result}`;
  return el("li", { className: each.accepted ? "" : "bad" }, words);
}

/**
 * Called when a message was released, or the relay has refused it.
 * @param {{ id: string }} data
 */
export async function onReleased({ id }) {
  if (id !== state.selected) return;
  try {
    const detail = await get(pathOf(id));
    if (id !== state.selected) return;
    showReleases(detail.releases);
    say("The message has a new release");
  } catch (error) {
    alarmOf(error);
  }
}
