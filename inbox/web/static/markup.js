// The source of a message's HTML, coloured.

import { copyButton } from "./copy.js";
import { el } from "./dom.js";
import { tokens } from "./tokens.js";

const SHOWN = 1024 * 1024; // characters

/**
 * @param {import("./api.js").Detail} detail
 * @returns {Element[]}
 */
export function markup({ html }) {
  const shown = html.slice(0, SHOWN);
  const rest = html.length - shown.length;
  const code = el("pre", { className: "code" });
  code.append(...tokens(shown).map(([kind, text]) => (kind ? el("span", { className: `m-${kind}` }, text) : text)));
  const hint = rest ? `${rest.toLocaleString()} more characters are in the copy and in the source.` : "";
  const tools = el("div", { className: "tools" }, el("span", { className: "hint" }, hint), copyButton(html, "Copy the HTML"));
  return [el("div", { className: "strip" }, tools), el("div", { className: "scrolled", tabIndex: 0 }, code)];
}
