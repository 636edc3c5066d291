// Values as a person reads them.

import { nameOf } from "./people.js";

/** @typedef {import("./api.js").Summary} Summary */

// A format takes longer to make than to use a hundred times.
const WHOLE = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium" });
const TIME = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });

/**
 * Return a size in bytes as `1.2 kB`.
 * @param {number} bytes
 * @returns {string}
 */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[0]}`;
}

/**
 * Return a time of today as hour and minute, of another day as its date; `whole`: as both.
 * @param {string} text ISO 8601
 * @param {boolean} [whole]
 * @returns {string}
 */
export function when(text, whole = false) {
  const date = new Date(text);
  if (whole) return WHOLE.format(date);
  return (date.toDateString() === new Date().toDateString() ? TIME : DATE).format(date);
}

/**
 * Return the day of a time.
 * @param {string} text ISO 8601
 * @returns {string}
 */
export function day(text) {
  return DAY.format(new Date(text));
}

/**
 * Return a number with its noun: `1 message`, `2 messages`.
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

/** @param {Summary} message */
export const sender = (message) => message.from_name || nameOf(message.header_from) || message.from || "(no sender)";
/** @param {Summary} message */
export const subject = (message) => message.subject.trim() || "(no subject)";
/** @param {Summary} message */
export const refused = (message) => message.code >= 400;
