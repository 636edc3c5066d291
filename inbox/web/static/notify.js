// Desktop notifications of new mail, once the reader has allowed them.

import { byId } from "./dom.js";
import { counted, sender, subject } from "./format.js";
import { open } from "./message.js";

/** @typedef {import("./api.js").Summary} Summary */

/**
 * Notify of new messages while the page is hidden. Several tabs show one notification.
 * @param {Summary[]} fresh newest first
 */
export function notify(fresh) {
  if (!document.hidden || globalThis.Notification?.permission !== "granted") return;
  const [first] = fresh;
  const title = fresh.length === 1 ? sender(first) : counted(fresh.length, "new message");
  const notification = new Notification(title, { body: subject(first), tag: "rrpy-inbox", icon: "icon.svg" });
  notification.onclick = () => {
    focus();
    open(first.id);
    notification.close();
  };
}

/** Offer notifications in the help, where the browser has not been asked yet. */
export function offerNotifications() {
  byId("notify").hidden = globalThis.Notification?.permission !== "default";
}

/** Ask the reader for notifications. */
export async function askForNotifications() {
  await Notification.requestPermission();
  offerNotifications();
}
