// The panels: one function for each part of a message.

import { ask, pathOf } from "./api.js";
import { choices, choose } from "./choices.js";
import { checks } from "./checks.js";
import { codes } from "./codes.js";
import { el, icon, table, toggle } from "./dom.js";
import { attachments } from "./files.js";
import { size } from "./format.js";
import { html } from "./frame.js";
import { hrefOf, pieces } from "./links.js";
import { markup } from "./markup.js";
import { trying } from "./notices.js";
import { session } from "./session.js";
import { links } from "./targets.js";

/** @typedef {import("./api.js").Detail} Detail */
/** @typedef {import("./dom.js").Child} Child */

const MAX_SHOWN = 1024 * 1024; // characters of the text, and bytes of the source

/** @type {Record<string, (detail: Detail) => (string | Node)[]>} */
export const panels = { text, html, markup, links, headers, source, attachments, checks, session };

/** @param {Detail} detail */
function text(detail) {
  const shown = detail.text.slice(0, MAX_SHOWN);
  const rest = detail.text.length - shown.length;
  const words = el("div", { className: "text", dir: "auto" }, ...(shown ? linked(shown) : ["This message has no text."]));
  const show = () => {
    words.classList.toggle("mono", choices.mono);
    mono.setAttribute("aria-pressed", String(choices.mono));
  };
  const mono = toggle(icon("mono"), "Letters of one width", choices.mono, () => {
    choose({ mono: !choices.mono });
    show();
  });
  show();
  return [
    el("div", { className: "words" }, el("div", {}, codes(detail), words), mono),
    rest ? el("p", { className: "hint" }, `${rest.toLocaleString()} more characters are in the source.`) : "",
  ];
}

/**
 * Return a text with its links as links.
 * @param {string} words
 * @returns {Child[]}
 */
function linked(words) {
  return pieces(words).map((piece, index) =>
    index % 2 ? el("a", { href: hrefOf(piece), target: "_blank", rel: "noopener noreferrer" }, piece) : piece,
  );
}

/** @param {Detail} detail */
function headers(detail) {
  /** @type {[string, string][]} */
  const rows = [];
  for (const [name, values] of Object.entries(detail.headers)) {
    for (const value of values) rows.push([name, value]);
  }
  return [table(rows)];
}

/** @param {Detail} detail */
function source(detail) {
  const code = el("pre", { className: "code" }, "Loading");
  loadSource(detail.summary.id, code);
  return [code];
}

/**
 * @param {string} id
 * @param {Element} code
 */
async function loadSource(id, code) {
  const raw = await trying(async () => (await ask(`${pathOf(id)}/raw`)).arrayBuffer());
  if (!raw) return code.replaceChildren("The source could not be loaded.");
  code.textContent = new TextDecoder().decode(raw.slice(0, MAX_SHOWN));
  if (raw.byteLength > MAX_SHOWN) {
    const shown = `These are the first ${size(MAX_SHOWN)} of ${size(raw.byteLength)}.`;
    code.append(el("p", { className: "hint" }, `${shown} Download the message to see all of it.`));
  }
}
