// The messages that this browser has shown. The browser alone remembers them.

const KEY = "rrpy-inbox-read";
const REMEMBERED = 2000; // ids

/** @type {Set<string>} */
const read = new Set(remembered());

/** @returns {string[]} */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY) || "null") || [];
  } catch {
    return [];
  }
}

/** @param {string} id */
export function isRead(id) {
  return read.has(id);
}

/** @param {string} id */
export function markRead(id) {
  read.add(id);
  try {
    localStorage.setItem(KEY, JSON.stringify([...read].slice(-REMEMBERED)));
  } catch {
    // The browser stores nothing: the set lasts as long as the page.
  }
}
