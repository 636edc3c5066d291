// The attachments of a message, with a look at each, and the pictures that its HTML shows.

import { API, ask, pathOf } from "./api.js";
import { button, byId, el, icon } from "./dom.js";
import { size } from "./format.js";
import { trying } from "./notices.js";

/** @typedef {import("./api.js").AttachmentInfo} AttachmentInfo */
/** @typedef {import("./api.js").Detail} Detail */

const MAX_TEXT = 1024 * 1024; // bytes of a text that its preview has
const MAX_THUMBNAIL = 8_000_000; // bytes of a picture that is shown small
const MAX_THUMBNAILS = 60;

const PICTURE = /^image\/(?!svg)/;
const PICTURE_NAME = /\.(?:png|jpe?g|gif|webp|avif|bmp|ico)$/i;
const CLOSED = /^(?:audio|video|font)\/|zip|compressed|x-tar|msword|officedocument|opendocument|ms-excel|ms-powerpoint/;

/**
 * Return those attachments that the HTML does not show.
 * @param {Detail} detail
 * @returns {AttachmentInfo[]}
 */
export function filesOf(detail) {
  return detail.attachments.filter((each) => !each.related);
}

/**
 * @param {Detail} detail
 * @returns {(string | Node)[]}
 */
export function attachments(detail) {
  const { id } = detail.summary;
  const files = filesOf(detail);
  const pictures = detail.attachments.filter((each) => each.related);
  const listed = (/** @type {AttachmentInfo[]} */ some) =>
    some.length ? el("ul", { className: "files" }, ...some.map((each) => file(id, each))) : "";
  return [
    detail.attachments.length > 1 ? all(detail) : "",
    listed(files),
    pictures.length ? el("h3", {}, "Shown in the HTML") : "",
    listed(pictures),
  ];
}

/**
 * @param {Detail} detail
 * @returns {Element}
 */
function all(detail) {
  const total = detail.attachments.reduce((sum, each) => sum + each.size, 0);
  const href = `${API}/${pathOf(detail.summary.id)}/attachments.zip`;
  const link = el("a", { className: "button", href, download: "" }, icon("download"), "Download all");
  return el("p", { className: "all" }, link, el("span", { className: "hint" }, `zip, ${size(total)}`));
}

/**
 * @param {string} id the message's
 * @param {AttachmentInfo} attachment
 * @returns {Element}
 */
function file(id, attachment) {
  const name = attachment.filename || `attachment ${attachment.number}`;
  const href = `${API}/${pathOf(id)}/attachments/${attachment.number}`;
  const link = el("a", { className: "button small", href, download: attachment.filename });
  link.append("Download", el("span", { className: "unseen" }, ` ${name}`));
  const about = [attachment.content_type, size(attachment.size), attachment.inline && !attachment.related ? "inline" : ""];
  return el(
    "li",
    {},
    thumbnail(href, attachment, name),
    el("div", {}, el("b", { dir: "auto" }, name), el("small", {}, about.filter(Boolean).join(" · "))),
    CLOSED.test(attachment.content_type)
      ? ""
      : button("Preview", `Preview ${name}`, () => preview(id, attachment, name)),
    link,
  );
}

/**
 * Return a small picture, or the kind of the file.
 * @param {string} href
 * @param {AttachmentInfo} attachment
 * @param {string} name
 * @returns {Element}
 */
function thumbnail(href, attachment, name) {
  const word = /\.(\w{1,5})$/.exec(name)?.[1] || /\/(?:x-)?(\w{1,5})/.exec(attachment.content_type)?.[1] || "file";
  const kind = el("span", { className: "kind", "aria-hidden": "true" }, word);
  const shown = PICTURE.test(attachment.content_type) || PICTURE_NAME.test(name);
  if (!shown || attachment.size > MAX_THUMBNAIL || attachment.number > MAX_THUMBNAILS) return kind;
  const image = el("img", { className: "kind", alt: "", loading: "lazy", src: `${href}/preview` });
  image.addEventListener("error", () => image.replaceWith(kind));
  return image;
}

/**
 * Show an attachment. Its bytes decide how, and the host has looked at them.
 * @param {string} id
 * @param {AttachmentInfo} attachment
 * @param {string} name
 */
async function preview(id, attachment, name) {
  const path = `${pathOf(id)}/attachments/${attachment.number}/preview`;
  const answer = await trying(() => ask(path));
  if (!answer) return;
  const type = answer.headers.get("Content-Type") || "";
  const src = `${API}/${path}`;
  /** @type {(string | Node)[]} */
  let shown;
  if (type.startsWith("text/plain")) {
    const rest = attachment.size > MAX_TEXT ? `These are the first ${size(MAX_TEXT)} of ${size(attachment.size)}.` : "";
    const text = el("pre", { className: "code", tabIndex: 0, dir: "auto" }, (await answer.text()) || "It is empty.");
    shown = [text, rest ? el("p", { className: "hint" }, rest) : ""];
  } else {
    await answer.body?.cancel();
    // No sandbox on the frame of a PDF: browsers start their viewer in none. The answer's policy has a sandbox.
    shown = [type === "application/pdf" ? el("iframe", { title: name, src }) : el("img", { alt: name, src })];
  }
  byId("preview-title").textContent = name;
  byId("previewed").replaceChildren(...shown);
  byId("preview").showModal();
}

byId("preview").addEventListener("close", () => byId("previewed").replaceChildren());
