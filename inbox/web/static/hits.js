// The hits of a search, marked in the list and in the open message. The marks change no element. The host marks those in
// the frame of a mail's HTML: this page reads nothing there.

import { byId, list } from "./dom.js";
import { remark } from "./frame.js";
import { state } from "./state.js";

const MAX_HITS = 2000; // marks of the page
const MAX_TEXT = 256 * 1024; // characters of a part that are looked at

/** @type {number | undefined} */
let waiting;

/** Mark the hits anew, once the page has been drawn. */
export function markHits() {
  if (waiting === undefined) waiting = requestAnimationFrame(mark);
}

/** Mark the hits whenever a part of the open message changes. */
export function watchHits() {
  const observer = new MutationObserver(markHits);
  for (const id of ["panel", "subject", "people"]) observer.observe(byId(id), { childList: true, subtree: true });
}

function mark() {
  waiting = undefined;
  remark();
  if (!("highlights" in CSS)) return; // an older browser marks nothing
  /** @type {Range[]} */
  const ranges = [];
  if (state.hits.length) {
    for (const root of [list, byId("subject"), byId("people"), byId("panel")]) collect(root, ranges);
  }
  CSS.highlights.set("hits", new Highlight(...ranges));
}

/**
 * Add the ranges of the hits in an element.
 * @param {Node} root
 * @param {Range[]} ranges
 */
function collect(root, ranges) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let left = MAX_TEXT;
  while (left > 0 && ranges.length < MAX_HITS && walker.nextNode()) {
    const text = String(walker.currentNode.nodeValue).slice(0, left);
    left -= text.length;
    for (const [start, end] of spans(text, state.hits)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, start);
      range.setEnd(walker.currentNode, end);
      if (ranges.push(range) >= MAX_HITS) return;
    }
  }
}

/**
 * Return where a text has one of the hits, as starts and ends. Takes time linear to the text for each hit.
 * @param {string} text
 * @param {string[]} hits as the host gives them: without case and accents, with one blank between words
 * @returns {[number, number][]}
 */
export function spans(text, hits) {
  const { folded, places } = fold(text);
  /** @type {[number, number][]} */
  const found = [];
  for (const hit of hits) {
    for (let at = folded.indexOf(hit); hit && at >= 0; at = folded.indexOf(hit, at + hit.length)) {
      let after = at + hit.length;
      while (places[after] === places[after - 1]) after += 1; // `ß` is two letters
      found.push([places[at], places[after]]);
    }
  }
  return found;
}

/**
 * Return a text without case, accents and the length of white space, and the place of each of its characters.
 * @param {string} text
 */
function fold(text) {
  let folded = "";
  /** @type {number[]} */
  const places = [];
  let at = 0;
  for (const letter of text) {
    const plain = /\s/.test(letter) ? (folded.endsWith(" ") ? "" : " ") : without(letter);
    folded += plain;
    for (let count = plain.length; count > 0; count -= 1) places.push(at);
    at += letter.length;
  }
  places.push(at);
  return { folded, places };
}

/** @param {string} letter */
function without(letter) {
  if (letter < "\x80") return letter.toLowerCase();
  const plain = letter.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replaceAll("ß", "ss").replaceAll("ς", "σ");
}
