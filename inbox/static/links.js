// The links in a text.

const MAX_LINKS = 1000; // the text after the last of them stays text
const PUNCTUATION = ".,;:!?)]}"; // at the end it belongs to the sentence

/**
 * Return a text in pieces: a text, a link, a text, and so on. Only http and https count. Takes linear time.
 * @param {string} text
 * @returns {string[]}
 */
export function pieces(text) {
  const found = [];
  let done = 0;
  for (const { 0: link, index } of text.matchAll(/https?:\/\/[^\s<>"'`]+/g)) {
    let end = link.length;
    while (PUNCTUATION.includes(link[end - 1])) end -= 1;
    if (link.slice(0, end).endsWith("://")) continue;
    found.push(text.slice(done, index), link.slice(0, end));
    done = index + end;
    if (found.length >= 2 * MAX_LINKS) break;
  }
  return [...found, text.slice(done)];
}
