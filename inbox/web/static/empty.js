// An empty list: how to send the first mail, or the note that a search found nothing.

import { commands, settings } from "./clients.js";
import { copyButton } from "./copy.js";
import { el, icon } from "./dom.js";

/** @typedef {import("./clients.js").Server} Server */

/** The client whose lines are shown: the list is drawn anew often. */
let chosen = "rrpy";

/**
 * @param {string} search
 * @returns {Element[]}
 */
export function nothingFound(search) {
  return [
    icon("search", "icon large"),
    el("h2", {}, "Nothing found"),
    el("p", {}, `No message has “${search}” in its subject, addresses, text or file names.`),
  ];
}

/**
 * @param {string | undefined} smtpAddress as the API gives it
 * @returns {Element[]}
 */
export function noMail(smtpAddress) {
  const server = reachable(smtpAddress || "");
  return [
    icon("mail", "icon large"),
    el("h2", {}, "No mail yet"),
    el("p", {}, `Send the first one to ${server.url}. It appears here at once.`),
    choices(server),
  ];
}

/**
 * Return a button for each client, and the lines of the one that is chosen.
 * @param {Server} server
 * @returns {Element}
 */
function choices(server) {
  const terminal = commands(server);
  const application = settings(server);
  const place = el("div");
  const buttons = [...terminal, ...application].map(([title, text]) => {
    const choice = el("button", { type: "button", className: "button small" }, title);
    choice.addEventListener("click", () => show(title, text));
    return choice;
  });
  /** @param {string} title @param {string} text */
  const show = (title, text) => {
    chosen = title;
    for (const each of buttons) each.setAttribute("aria-pressed", String(each.textContent === title));
    place.replaceChildren(snippet(title, text.trimEnd()));
  };
  show(.../** @type {[string, string]} */ ([...terminal, ...application].find(([title]) => title === chosen)));
  const group = (/** @type {string} */ label, /** @type {Element[]} */ members) =>
    el("div", { className: "choices", role: "group", "aria-label": label }, el("span", {}, label), ...members);
  return el(
    "div",
    {},
    group("In a terminal", buttons.slice(0, terminal.length)),
    group("In your application", buttons.slice(terminal.length)),
    place,
  );
}

/**
 * Return the address for mail, as this browser reaches it.
 * @param {string} smtpAddress
 * @returns {Server}
 */
function reachable(smtpAddress) {
  const found = /^tcp:\/\/(\[[^\]]*\]|[^:]*):(\d+)$/.exec(smtpAddress);
  if (!found) return { host: "127.0.0.1", port: "1025", url: "127.0.0.1:1025" };
  const any = found[1] === "0.0.0.0" || found[1] === "[::]";
  const url = any ? location.hostname : found[1];
  return { host: url.replace(/^\[|\]$/g, ""), port: found[2], url: `${url}:${found[2]}` };
}

/**
 * @param {string} title
 * @param {string} command
 * @returns {Element}
 */
function snippet(title, command) {
  const copy = copyButton(command, `Copy the lines for ${title}`);
  return el("section", { className: "snippet" }, el("header", {}, title, copy), el("pre", {}, command));
}
