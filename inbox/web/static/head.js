// The head of a message: its subject, its people, and the facts about it.

import { API, pathOf } from "./api.js";
import { byId, el } from "./dom.js";
import { counted, refused, sender, size, subject, when } from "./format.js";
import { showReleases } from "./release.js";
import { addressesIn, split, written } from "./people.js";

/** @typedef {import("./api.js").Detail} Detail */

const SHOWN = 3; // addresses that are shown at once, of many

/** @param {Detail} detail */
export function showHead(detail) {
  const { summary } = detail;
  byId("subject").textContent = subject(summary);
  byId("subject").title = subject(summary);
  byId("avatar").textContent = [...sender(summary)][0].toUpperCase();
  byId("download").href = `${API}/${pathOf(summary.id)}/raw`;
  byId("people").replaceChildren(
    ...people(detail).map(([name, value]) => el("div", {}, el("dt", {}, name), shortened(value))),
  );
  const time = el("time", { dateTime: summary.received_at }, when(summary.received_at, true));
  showReleases(detail.releases);
  byId("facts").replaceChildren(el("span", {}, time), facts(detail));
}

/**
 * Return the addresses with their names; as "Bcc (envelope only)" those that the headers do not say.
 * @param {Detail} detail
 * @returns {[string, string[]][]}
 */
function people(detail) {
  const { summary } = detail;
  const from = listed(detail.from, header(detail, "from"));
  const to = listed(detail.to, header(detail, "to"));
  const cc = listed(detail.cc, header(detail, "cc"));
  const said = addressesIn([...to, ...cc].join("\n"));
  const hidden = to.length ? summary.to.filter((address) => !said.has(address.toLowerCase())) : [];
  /** @type {[string, string[]][]} */
  const all = [
    ["From", from.length ? from : [summary.from || "(no sender)"]],
    ["To", to.length ? to : summary.to],
    ["Cc", cc],
    ["Bcc (envelope only)", hidden],
  ];
  return all.filter(([, value]) => value.length);
}

/**
 * Return the addresses that the host has read, or those in the header of a message from an older host.
 * @param {import("./api.js").Address[] | undefined} addresses
 * @param {string} text
 * @returns {string[]}
 */
function listed(addresses, text) {
  if (addresses?.length) return addresses.map(written);
  return text ? split(text) : [];
}

/**
 * Return the values of a header, whatever its case; "" for none.
 * @param {Detail} detail
 * @param {string} name
 * @returns {string}
 */
function header(detail, name) {
  const found = Object.entries(detail.headers).find(([written]) => written.toLowerCase() === name);
  return found ? found[1].join(", ") : "";
}

/**
 * Return the first of many addresses, and a button for the others.
 * @param {string[]} all
 * @returns {Element}
 */
function shortened(all) {
  if (all.length <= SHOWN + 1) return el("dd", { dir: "auto" }, all.join(", "));
  const entry = el("dd", { dir: "auto", tabIndex: -1 }, `${all.slice(0, SHOWN).join(", ")} `);
  const more = el("button", { type: "button", className: "others" }, `+${all.length - SHOWN} more`);
  more.addEventListener("click", () => {
    entry.replaceChildren(all.join(", "));
    entry.focus();
  });
  entry.append(more);
  return entry;
}

/**
 * Return the defects, the reply's code and the size.
 * @param {Detail} detail
 * @returns {Element}
 */
function facts({ summary, session, defects }) {
  const code = el("span", { className: refused(summary) ? "tag bad" : "tag good" }, String(summary.code));
  code.title = session.reply;
  const line = el("span", {}, code, size(summary.size));
  if (defects.length) {
    line.prepend(el("span", { className: "tag", title: defects.join(", ") }, counted(defects.length, "defect")));
  }
  return line;
}
