// The pieces of an HTML text, for its colours.

/** @typedef {[kind: "" | "tag" | "name" | "value" | "comment", text: string]} Token */

const COLOURED = 20_000; // pieces; the text after the last of them is one piece

/**
 * Return the pieces of an HTML text; together they are the text. Takes linear time.
 * @param {string} html
 * @param {number} [most] pieces
 * @returns {Token[]}
 */
export function tokens(html, most = COLOURED) {
  /** @type {Token[]} */
  const found = [];
  let at = 0;
  while (found.length < most) {
    const open = html.indexOf("<", at);
    if (open < 0) break;
    if (open > at) found.push(["", html.slice(at, open)]);
    if (html.startsWith("<!--", open)) {
      at = after(html, "-->", open + 4);
      found.push(["comment", html.slice(open, at)]);
    } else {
      at = tag(html, open, found, most);
    }
  }
  if (at < html.length) found.push(["", html.slice(at)]);
  return found;
}

/**
 * Add the pieces of the tag at `at`. Return the position after it.
 * @param {string} html
 * @param {number} at
 * @param {Token[]} found
 * @param {number} most
 * @returns {number}
 */
function tag(html, at, found, most) {
  const name = matched(/<[a-z/!?][^\s<>/"'=]*/iy, html, at);
  if (!name) return found.push(["", "<"]), at + 1;
  found.push(["tag", name]);
  at += name.length;
  let assigned = false; // the next word is a value
  while (at < html.length && found.length < most) {
    const letter = html[at];
    if (letter === ">") return found.push(["tag", ">"]), at + 1;
    /** @type {Token} */
    let token;
    if (letter === '"' || letter === "'") token = ["value", html.slice(at, after(html, letter, at + 1))];
    else if (/[\s=/]/.test(letter)) token = ["", matched(/[\s=/]+/y, html, at)];
    else if (assigned) token = ["value", matched(/[^\s>"']+/y, html, at)];
    else token = ["name", matched(/[^\s=/>"']+/y, html, at)];
    found.push(token);
    at += token[1].length;
    assigned = !token[0] && token[1].includes("=");
  }
  return at;
}

/**
 * Return the text that a sticky expression matches at a position, "" for none.
 * @param {RegExp} expression
 * @param {string} text
 * @param {number} at
 * @returns {string}
 */
function matched(expression, text, at) {
  expression.lastIndex = at;
  return expression.exec(text)?.[0] || "";
}

/**
 * Return the position after the next `end`, of the text's end without one.
 * @param {string} text
 * @param {string} end
 * @param {number} from
 * @returns {number}
 */
function after(text, end, from) {
  const at = text.indexOf(end, from);
  return at < 0 ? text.length : at + end.length;
}
