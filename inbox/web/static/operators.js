// The operators of a search, each with its meaning, as the field suggests them.

export const DEFECTS = "has:defect"; // what the filter "defects" searches for

/** @type {[string, string][]} */
export const OPERATORS = [
  ["from:", "the sender has it"],
  ["to:", "a recipient has it"],
  ["subject:", "the subject has it"],
  ["body:", "the text has it"],
  ["header:", "a header has it: header:x-tag:welcome"],
  ["has:attachment", "with a file"],
  ["has:html", "with HTML"],
  ["has:defect", "with a malformed part"],
  ["is:unread", "not read yet"],
  ["is:read", "read"],
  ["is:refused", "refused by the reply"],
  ["is:accepted", "accepted by the reply"],
  ["before:", "arrived before it: before:2026-11-30"],
  ["after:", "arrived since then: after:2h"],
  ["larger:", "more bytes than this: larger:1MB"],
  ["smaller:", "fewer bytes than this: smaller:10kB"],
  ["mailbox:", "in this mailbox, its whole name"],
];

/**
 * Return the operators that begin as the last word of a search does. All of them for an empty search.
 * @param {string} search
 * @returns {[string, string][]}
 */
export function suggested(search) {
  const begun = lastWord(search).toLowerCase();
  if (!begun && search.trim()) return [];
  return OPERATORS.filter(([name]) => name.startsWith(begun) && name !== begun);
}

/**
 * Return a search with an operator in place of its last word.
 * @param {string} search
 * @param {string} operator
 * @returns {string}
 */
export function completed(search, operator) {
  const rest = search.slice(0, search.length - lastWord(search).length);
  return rest + operator + (operator.endsWith(":") ? "" : " ");
}

/**
 * Return whether a search has an operator as a word of its own.
 * @param {string} search
 * @param {string} operator
 * @returns {boolean}
 */
export function has(search, operator) {
  return words(search).some((word) => word.toLowerCase() === operator);
}

/**
 * Return a search with an operator, or without it where it has it.
 * @param {string} search
 * @param {string} operator
 * @returns {string}
 */
export function toggled(search, operator) {
  const rest = words(search).filter((word) => word.toLowerCase() !== operator);
  return [...rest, ...(has(search, operator) ? [] : [operator])].join(" ");
}

/**
 * Return the words of a search; a text in quotes is a part of one.
 * @param {string} search
 * @returns {string[]}
 */
const words = (search) => search.match(/(?:"[^"]*"?|[^\s"])+/g) || [];

/** @param {string} search */
function lastWord(search) {
  return /(?:^|\s)-?([^\s"]*)$/.exec(search)?.[1] || "";
}
