// The links in a text.

const MAX_LINKS = 1000; // the text after the last of them stays text
const PUNCTUATION = ".,;:!?)]}"; // at the end it belongs to the sentence
const LINK = /(?:https?:\/\/|(?<![\w.+-])mailto:|(?<![\w./@-])www\.)[^\s<>"'`]+/gi;
const BARE = /^(?:https?:\/*|mailto|www)$/i; // a beginning without a target, after its punctuation

/**
 * Return a text in pieces: a text, a link, a text, and so on. Takes linear time.
 * A link begins with `http:`, `https:`, `mailto:` or `www.`.
 * @param {string} text
 * @returns {string[]}
 */
export function pieces(text) {
  const found = [];
  let done = 0;
  for (const { 0: link, index } of text.matchAll(LINK)) {
    let end = link.length;
    while (PUNCTUATION.includes(link[end - 1])) end -= 1;
    if (BARE.test(link.slice(0, end))) continue;
    found.push(text.slice(done, index), link.slice(0, end));
    done = index + end;
    if (found.length >= 2 * MAX_LINKS) break;
  }
  return [...found, text.slice(done)];
}

/**
 * Return the target of a link that `pieces` has found.
 * @param {string} link
 * @returns {string}
 */
export function hrefOf(link) {
  return /^www\./i.test(link) ? `https://${link}` : link;
}
