// What the host finds in a message: asked for once while the page shows the message.

import { get, pathOf } from "./api.js";

/**
 * Return a function that gives a part of a message by its id; null where the host does not answer.
 * @template T
 * @param {string} part the end of its path
 * @returns {(id: string) => Promise<T | null>}
 */
export function asked(part) {
  /** @type {{ id: string, answer: Promise<T | null> }} */
  let last = { id: "", answer: Promise.resolve(null) };
  return (id) => {
    if (last.id === id) return last.answer;
    const mine = { id, answer: get(`${pathOf(id)}/${part}`).catch(() => ((mine.id = ""), null)) }; // the next one asks again
    last = mine;
    return mine.answer;
  };
}
