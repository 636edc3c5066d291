// The links of a mail, as a list.

import { codes, copyButton } from "./copy.js";
import { el } from "./dom.js";
import { hrefOf, pieces } from "./links.js";
import { anchors } from "./tokens.js";

/** @typedef {import("./api.js").Detail} Detail */

const READ = 1024 * 1024; // characters of the HTML, and of the text
const SHOWN = 500;
const WORDS = 300; // characters of the text in a link

const DEAD = /^(?:javascript|data|vbscript|about|blob|file|filesystem|view-source):/i; // as the frame has it
const TARGET = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/**
 * Return whether a message can have links, without reading its HTML.
 * @param {Detail} detail
 * @returns {boolean}
 */
export function mayHaveLinks({ html, text }) {
  return /href/i.test(html) || pieces(text.slice(0, READ)).length > 1;
}

/**
 * @param {Detail} detail
 * @returns {(string | Node)[]}
 */
export function links(detail) {
  const found = [...targets(detail)];
  if (!found.length) return [el("p", {}, "This message has no links.")];
  const rest = found.length - SHOWN;
  return [
    codes(detail) || "",
    el("ul", { className: "targets" }, ...found.slice(0, SHOWN).map(([href, label]) => target(href, label))),
    rest > 0 ? el("p", { className: "hint" }, `${rest.toLocaleString()} more links are in the source.`) : "",
  ];
}

/**
 * Return the targets of a message's links, each once, with the words of its first link.
 * @param {Detail} detail
 * @returns {Map<string, string>}
 */
function targets({ html, text }) {
  const found = new Map();
  for (const [written, words] of anchors(html.slice(0, READ))) {
    const href = linked(unescape(written));
    if (href && !found.get(href)) found.set(href, unescape(words.slice(0, WORDS)).trim().replace(/\s+/g, " "));
  }
  for (const [index, piece] of pieces(text.slice(0, READ)).entries()) {
    if (index % 2 && !found.has(hrefOf(piece))) found.set(hrefOf(piece), "");
  }
  return found;
}

/**
 * Return the target that a link opens, "" for none: as in the frame.
 * @param {string} href
 * @returns {string}
 */
function linked(href) {
  const target = href.replace(/[\x00-\x20]+/g, " ").trim();
  if (!TARGET.test(target) || DEAD.test(target)) return "";
  return target.startsWith("//") ? `https:${target}` : target;
}

const area = document.createElement("textarea");

/**
 * Return a text with its character references resolved. The content of a `<textarea>` has no tags.
 * @param {string} text
 * @returns {string}
 */
function unescape(text) {
  if (!text.includes("&")) return text;
  area.innerHTML = text.replaceAll("<", "&lt;");
  return area.value;
}

/**
 * @param {string} href
 * @param {string} label
 * @returns {Element}
 */
function target(href, label) {
  const link = el("a", { href, target: "_blank", rel: "noopener noreferrer" }, href);
  const copy = copyButton(href, `Copy the link ${label || href}`);
  return el("li", {}, el("div", {}, label && label !== href ? el("b", { dir: "auto" }, label) : "", link), copy);
}
