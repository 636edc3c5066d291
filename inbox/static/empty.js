// An empty list: commands that send the first mail, or the note that a search found nothing.

import { button, el, icon } from "./dom.js";

/** @typedef {{ host: string, port: string, url: string }} Server */

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
    ...commands(server).map(([title, command]) => snippet(title, command)),
  ];
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
 * Return commands that send a mail, each with its program.
 * @param {Server} server
 * @returns {[string, string][]}
 */
function commands({ host, port, url }) {
  const mail = "From: you@example.com\\nSubject: Hello\\n\\nHi there";
  return [
    [
      "Python",
      `python3 -c "import smtplib; smtplib.SMTP('${host}', ${port}).sendmail(` +
        `'you@example.com', ['me@example.com'], 'Subject: Hello\\n\\nHi there')"`,
    ],
    ["swaks", `swaks --server ${url} --from you@example.com --to me@example.com --h-Subject Hello`],
    ["curl", `printf '${mail}' | curl smtp://${url} --mail-from you@example.com --mail-rcpt me@example.com -T -`],
  ];
}

/**
 * @param {string} title
 * @param {string} command
 * @returns {Element}
 */
function snippet(title, command) {
  const pre = el("pre", {}, command);
  const copy = button("Copy", `Copy the ${title} command`, async () => {
    try {
      await navigator.clipboard.writeText(command);
      copy.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(pre);
    }
  });
  return el("section", { className: "snippet" }, el("header", {}, title, copy), pre);
}
