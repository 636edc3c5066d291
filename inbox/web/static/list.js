// The list of messages, the counts above it, and the placeholders for an empty list and for a message.

import { get } from "./api.js";
import { byId, el, icon, list, main } from "./dom.js";
import { noMail, nothingFound } from "./empty.js";
import { counted, day, refused, sender, size, subject, when } from "./format.js";
import { markHits } from "./hits.js";
import { alarmOf } from "./notices.js";
import { DEFECTS, has } from "./operators.js";
import { foundRefusals, KEPT, nothingRefused, showRefusals } from "./refusals.js";
import { beginRequest, isNewest, queryOf, shown, state, takeAnswer } from "./state.js";
import { showUnread } from "./title.js";

/** @typedef {import("./api.js").Summary} Summary */

const PAGE = 50; // messages of one request
const LARGE_PAGE = 500; // of each request for all older ones
const MAX_LOADED = 5000; // messages in the list, after which it loads no more at once
const MAX_RECIPIENTS = 20; // in the hint over a row

export const LOST = "This message is no longer here";

/**
 * Load the list, or with `more` the messages after its last one, and show it.
 * @param {{ more?: boolean, limit?: number }} [options]
 */
export async function load({ more = false, limit = PAGE } = {}) {
  const number = beginRequest();
  const query = queryOf({ limit: String(limit) });
  if (state.search) query.set("search", state.search);
  if (more && state.next !== null) query.set("before", String(state.next));
  let answer;
  try {
    answer = await get(`messages?${query}`);
  } catch (error) {
    if (isNewest(number)) showFault(/** @type {any} */ (error));
    return;
  }
  if (!takeAnswer(answer, number, more)) return;
  byId("wrong").hidden = true;
  show();
  if (!state.messages.length && state.next !== null) load({ more: true }); // a search ends early, in a large inbox
}

/** Load all older messages, of a very large inbox a part of them. */
export async function loadOldest() {
  while (state.next !== null && state.messages.length < MAX_LOADED) {
    const place = state.next;
    await load({ more: true, limit: LARGE_PAGE });
    if (state.next === place) return; // the host did not answer, or another request began
  }
}

/**
 * Show why there is no answer: for a wrong search above the list, unless the field suggests how it may go on.
 * @param {any} error
 */
function showFault(error) {
  const wrong = error.status === 400 && Boolean(state.search);
  byId("wrong").hidden = !wrong || !byId("suggestions").hidden;
  byId("wrong").textContent = wrong ? error.message : "";
  if (!wrong) alarmOf(error);
}

/**
 * Show the list. Rows that it has already stay.
 * @param {Set<string>} [fresh] ids of messages that have just arrived
 */
export function show(fresh = new Set()) {
  const here = new Set(state.messages.map((message) => message.id));
  for (const id of state.chosen) if (!here.has(id)) state.chosen.delete(id);
  const rows = /** @type {import("./dom.js").AnyElement[]} */ ([...list.children]);
  const known = new Map(rows.map((row) => [row.dataset.id, row]));
  const wanted = state.messages.map((message) => known.get(message.id) || newRow(message, fresh.has(message.id)));
  for (const [index, row] of wanted.entries()) {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] || null);
  }
  while (list.children.length > wanted.length) list.lastChild?.remove();
  let last = day(new Date().toISOString());
  for (const [index, row] of wanted.entries()) {
    const { read, received_at } = state.messages[index];
    mark(row, Boolean(read));
    const today = day(received_at);
    if (today === last) delete row.dataset.day;
    else row.dataset.day = last = today;
  }
  const active = wanted.find((row) => row.dataset.id === state.selected);
  if (active) list.setAttribute("aria-activedescendant", active.id);
  else list.removeAttribute("aria-activedescendant");
  summarise();
}

/**
 * Mark a row as selected or not, as read or not. A mark that it has already costs nothing: the list can be long.
 * @param {import("./dom.js").AnyElement} row
 * @param {boolean} read
 */
function mark(row, read) {
  const id = row.dataset.id || "";
  const selected = String(state.chosen.size ? state.chosen.has(id) : id === state.selected);
  if (row.getAttribute("aria-selected") !== selected) row.setAttribute("aria-selected", selected);
  if (row.classList.contains("unread") === !read) return;
  row.classList.toggle("unread", !read);
  /** @type {Element} */ (row.querySelector(".new-mark")).textContent = read ? "" : "Unread. ";
}

/**
 * @param {Summary} message
 * @param {boolean} fresh
 * @returns {import("./dom.js").AnyElement}
 */
function newRow(message, fresh) {
  const time = el("time", { dateTime: message.received_at, title: when(message.received_at, true) });
  time.textContent = when(message.received_at);
  const row = el(
    "li",
    { id: `m-${message.id}`, role: "option", className: fresh ? "item new" : "item", "data-id": message.id },
    el("span", { className: "check", "aria-hidden": "true" }),
    addresses(message),
    time,
    el("span", { className: "subject", dir: "auto", title: subject(message) }, subject(message)),
    marks(message),
    el("span", { className: "excerpt", dir: "auto" }, message.excerpt || "No text"),
  );
  for (const end of ["animationend", "animationcancel"]) row.addEventListener(end, () => row.classList.remove("new"));
  return row;
}

/**
 * Return the marks of a message: the code of a refusal, defects, its mailbox, attachments, its size.
 * @param {Summary} message
 * @returns {Element}
 */
function marks(message) {
  const line = el("span", { className: "marks" });
  if (refused(message)) line.append(el("span", { className: "tag bad", title: "refused" }, String(message.code)));
  if (message.defects) line.append(el("span", { className: "tag" }, counted(message.defects, "defect")));
  const { mailbox, to } = message;
  if (mailbox && mailbox !== "default" && (to.length > 1 || to[0]?.toLowerCase() !== mailbox)) {
    line.append(el("bdi", { className: "tag box", title: `Mailbox ${mailbox}` }, mailbox));
  }
  if (message.attachments) {
    line.append(icon("clip"), el("span", { className: "unseen" }, counted(message.attachments, "attachment")));
  }
  line.append(size(message.size));
  return line;
}

/**
 * Return `From → to +2`, as the envelope has them.
 * @param {Summary} message
 * @returns {Element}
 */
function addresses(message) {
  const [first, ...others] = message.to;
  const line = el("span", { className: "from" }, el("span", { className: "unseen new-mark" }));
  line.append(el("bdi", { className: "by" }, sender(message)));
  if (!first) return line;
  const more = message.to.length > MAX_RECIPIENTS ? " …" : "";
  line.title = `${sender(message)} → ${message.to.slice(0, MAX_RECIPIENTS).join(", ")}${more}`;
  line.append(el("span", { className: "unseen" }, " to "), el("bdi", { className: "to" }, first));
  if (others.length) line.append(el("span", { className: "others" }, `+${others.length}`));
  return line;
}

/** Show the counts, the placeholders, the title and the hits. */
export function summarise() {
  showRefusals();
  showCounts();
  showPlaceholders();
  showUnread();
  markHits();
}

function showCounts() {
  const { search, messages, next, info, chosen } = state;
  const { total, unread } = shown();
  byId("chosen").hidden = !chosen.size || state.refused;
  byId("chosen-count").textContent = chosen.size ? `${chosen.size.toLocaleString()} selected` : "";
  list.classList.toggle("boxed", Boolean(state.mailbox));
  list.classList.toggle("choosing", chosen.size > 0);
  byId("all-read").hidden = !unread || state.refused;
  const filtered = has(search, DEFECTS);
  byId("defects").hidden = state.refused || !(filtered || messages.some((message) => message.defects));
  byId("defects").setAttribute("aria-pressed", String(filtered));
  byId("clear-label").textContent = search && !state.refused ? "Delete these" : "Delete all";
  byId("more").hidden = next === null || state.refused;
  list.hidden = byId("compact").hidden = state.refused;
  main.classList.toggle("refused", state.refused);
  if (state.refused) {
    byId("count").textContent = "Refused";
    byId("kept").textContent = keeps(Math.min(KEPT, info.max_messages || KEPT));
    byId("clear").disabled = !state.refusals.length;
    return;
  }
  const found = next === null ? messages.length.toLocaleString() : `${messages.length}+`;
  byId("count").textContent = search ? `${found} of ${counted(total, "message")}` : counted(total, "message");
  const each = info.mailbox_by === "none" || state.mailbox || info.mailbox ? "" : " of each";
  byId("kept").textContent = info.max_messages ? keeps(info.max_messages) + each : "";
  byId("clear").disabled = search ? !messages.length : total === 0;
}

/** @param {number} most */
const keeps = (most) => `keeps the last ${most.toLocaleString()}`;

function showPlaceholders() {
  const { search, messages, selected, lost, info } = state;
  const nothing = byId("nothing");
  nothing.hidden = (state.refused ? foundRefusals() : messages).length > 0;
  if (!nothing.hidden) {
    const mail = () => (search ? nothingFound(search) : noMail(info.smtp_address));
    nothing.replaceChildren(...(state.refused ? nothingRefused() : mail()));
  }
  byId("unselected").hidden = selected !== null;
  byId("choose").textContent = lost ? LOST : "Choose a message";
  byId("leave").hidden = !lost;
  main.classList.toggle("lost", lost);
  main.classList.toggle("empty", !nothing.hidden && !search && !lost && !state.refused && !state.refusals.length);
}

/**
 * Scroll to a message's row.
 * @param {string} id
 */
export function reveal(id) {
  byId(`m-${id}`)?.scrollIntoView({ block: "nearest" });
}

/** Give the list the keyboard, or the whole page while the list is empty: an empty one is hidden. */
export function focusList() {
  const wanted = state.refused ? byId("refusals") : list;
  if (wanted.children.length) wanted.focus({ preventScroll: true });
  else if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}
