// Notices: an alarm on the page, a sentence for screen readers alone.

import { byId } from "./dom.js";

const SHOWN_FOR = 6000; // milliseconds

/** @type {number | undefined} */
let hiding;

/**
 * Show a sentence for a while.
 * @param {string} text
 */
export function alarm(text) {
  byId("alarm").textContent = text;
  byId("alarm").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (byId("alarm").hidden = true), SHOWN_FOR);
}

/**
 * Say a sentence to a screen reader.
 * @param {string} text
 */
export function say(text) {
  byId("said").textContent = text;
}

/**
 * Show why a request failed.
 * @param {any} error as `ask` throws it
 */
export function alarmOf(error) {
  alarm(error instanceof TypeError ? "The host does not answer." : error.message);
}

/**
 * Return the result of `work`. If it fails, show why and return undefined.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
export async function trying(work) {
  try {
    return await work();
  } catch (error) {
    alarmOf(error);
    return undefined;
  }
}
