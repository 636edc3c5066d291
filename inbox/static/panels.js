// The panels: one function for each part of a message.

import { API, ask, get, pathOf } from "./api.js";
import { button, el, icon, table } from "./dom.js";
import { counted, size } from "./format.js";
import { pieces } from "./links.js";
import { trying } from "./notices.js";
import { session } from "./session.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").AttachmentInfo} AttachmentInfo */
/** @typedef {import("./api.js").Blocked} Blocked */
/** @typedef {import("./api.js").Detail} Detail */
/** @typedef {import("./dom.js").AnyElement} AnyElement */
/** @typedef {import("./dom.js").Child} Child */

const MAX_SHOWN = 1024 * 1024; // characters of the text, and bytes of the source

/** @type {Record<string, (detail: Detail) => (string | Node)[]>} */
export const panels = { text, html, headers, source, attachments, session };

/** @param {Detail} detail */
function text(detail) {
  const shown = detail.text.slice(0, MAX_SHOWN);
  const rest = detail.text.length - shown.length;
  return [
    el("div", { className: "text", dir: "auto" }, ...(shown ? linked(shown) : ["This message has no text."])),
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
    index % 2 ? el("a", { href: piece, target: "_blank", rel: "noopener noreferrer" }, piece) : piece,
  );
}

/** @param {Detail} detail */
function html(detail) {
  const note = el("div", { className: "note" }, icon("shield"), "Scripts, forms and remote content are blocked");
  const frame = el("iframe", {
    title: "The message's HTML",
    sandbox: "allow-popups allow-popups-to-escape-sandbox",
    src: `${API}/${pathOf(detail.summary.id)}/html`,
  });
  showBlocked(detail.summary.id, note, frame);
  return [note, frame];
}

/** @type {[keyof Blocked, string, string?][]} */
const BLOCKED = [
  ["images", "remote image"],
  ["styles", "remote style sheet"],
  ["scripts", "script"],
  ["forms", "form"],
  ["frames", "frame"],
  ["media", "video or sound", "videos or sounds"],
];

/**
 * Write into the note what the frame leaves out, with a button that loads the images.
 * @param {string} id
 * @param {Element} note
 * @param {AnyElement} frame
 */
async function showBlocked(id, note, frame) {
  /** @type {Blocked | null} */
  const blocked = await trying(() => get(`${pathOf(id)}/blocked`));
  if (!blocked) return;
  const found = BLOCKED.filter(([kind]) => blocked[kind]).map(([kind, one, many]) => counted(blocked[kind], one, many));
  if (found.length) note.replaceChildren(icon("shield"), `Blocked: ${found.join(", ")}`);
  if (!blocked.images || !state.info.remote_images) return;
  const load = button("Load images", "Load the remote images of this message", () => {
    frame.src = `${API}/${pathOf(id)}/html?remote_images=1`;
    note.replaceChildren(icon("shield"), "Remote images are loaded; their senders see that");
  });
  note.append(load);
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

/** @param {Detail} detail */
function attachments(detail) {
  return [el("ul", { className: "files" }, ...detail.attachments.map((each) => file(detail.summary.id, each)))];
}

/**
 * @param {string} id the message's
 * @param {AttachmentInfo} attachment
 * @returns {Element}
 */
function file(id, attachment) {
  const name = attachment.filename || `attachment ${attachment.number}`;
  const kind = /\.(\w{1,5})$/.exec(name)?.[1] || attachment.content_type.split("/")[1]?.slice(0, 5) || "file";
  const href = `${API}/${pathOf(id)}/attachments/${attachment.number}`;
  const link = el("a", { className: "button", href, download: attachment.filename });
  link.append(icon("download"), "Download", el("span", { className: "unseen" }, ` ${name}`));
  const about = [attachment.content_type, size(attachment.size), attachment.inline ? "inline" : ""].filter(Boolean);
  return el(
    "li",
    {},
    el("span", { className: "kind", "aria-hidden": "true" }, kind),
    el("div", {}, el("b", { dir: "auto" }, name), el("small", {}, about.join(" · "))),
    link,
  );
}
