// The panel of the SMTP session: the envelope and the reply, the captured credentials, the transcript.

import { button, el, table } from "./dom.js";

/** @typedef {import("./api.js").Detail} Detail */

/** @param {Detail} detail */
export function session(detail) {
  const { authentication, transcript } = detail.session;
  return [
    el("h3", {}, "Session"),
    table(facts(detail)),
    el("h3", {}, "Captured credentials"),
    credentials(authentication),
    el("h3", {}, "Transcript"),
    lines(transcript),
  ];
}

/**
 * @param {Detail} detail
 * @returns {[string, string][]}
 */
function facts({ summary, session, defects }) {
  /** @type {[string, string][]} */
  const rows = [
    ["Client", session.remote_addr],
    ["HELO", session.helo || "none"],
    ["TLS", tls(session)],
    ["Envelope from", summary.from || "<>"],
    ["Envelope to", summary.to.join(", ")],
    ["Reply", `${summary.code} ${session.reply}`],
  ];
  if (session.reason) rows.push(["Reason", session.reason]);
  if (defects.length) rows.push(["Defects", defects.join(", ")]);
  rows.push(["Connection", session.uuid]);
  return rows;
}

/**
 * @param {import("./api.js").SessionInfo} session
 * @returns {string}
 */
function tls({ tls: found }) {
  return found ? [found.version, found.cipher, found.subject].filter(Boolean).join(", ") : "none";
}

/**
 * Return the captured credentials. A button shows the password.
 * @param {import("./api.js").CredentialsInfo | null} found
 * @returns {Element}
 */
function credentials(found) {
  if (!found) return el("p", { className: "hint" }, "The client did not log in.");
  const password = el("span", { tabIndex: -1 }, "••••••••");
  const show = button("Show", "Show the password", () => {
    password.textContent = found.password;
    show.remove();
    password.focus();
  });
  return table([
    ["Mechanism", found.mechanism],
    ["User name", found.username],
    ["Password", el("span", { className: "secret" }, password, show)],
  ]);
}

/**
 * @param {string[]} transcript
 * @returns {Element}
 */
function lines(transcript) {
  const spans = transcript.map((line) => el("span", { className: line.startsWith("S:") ? "server" : "client" }, line));
  return el("div", { className: "code transcript", role: "group", "aria-label": "Transcript" }, ...spans);
}
