// The inbox's page. No framework and no build step. What a mail says is put in as text, never as markup; a mail's HTML
// is shown in a frame that runs nothing, by a URL of its own.
"use strict";

const API = "api/v1";
const PAGE = 50; // messages that are fetched at once
const SHOWN = 600; // messages in the list; beyond that the oldest leave it, and come back with "older"
const MAX_SHOWN = 1024 * 1024; // bytes of the source, and characters of the text, that are shown
const LOST = "This message is no longer here";
const PEOPLE = 3; // addresses that are shown at once, of many
const READ = "rrpy-inbox-read"; // ids of messages that this browser has shown

const $ = (id) => document.getElementById(id);
const main = $("main");
const list = $("messages");

const state = {
  messages: [], // summaries, newest first
  total: 0,
  older: false, // whether there are more behind them
  search: "",
  selected: null, // the id of the message that is shown
  detail: null,
  lost: false, // whether the address is one of a message that is not there
  tab: "html", // the one that was chosen last
  info: {},
  read: new Set(remembered()),
  gone: new Set(), // ids of messages that went while the list was fetched
  look: 0, // counts the fetches of the list, so that a slow one does not replace a newer
};

// Elements.

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function icon(name, className = "icon") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[0]}`;
}

function when(text, whole = false) {
  const date = new Date(text);
  if (whole) return date.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
  const today = date.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit" };
  return today ? date.toLocaleTimeString([], time) : date.toLocaleDateString([], { day: "numeric", month: "short" });
}

function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

// The name in `Ann Example <ann@example.com>`, or the address.
function nameOf(header) {
  const found = /^\s*"?([^"<]*?)"?\s*<([^>]*)>/.exec(header);
  return found ? found[1] || found[2] : header.trim();
}

const sender = (message) => nameOf(message.header_from) || message.from || "(no sender)";
const subject = (message) => message.subject.trim() || "(no subject)";
const refused = (message) => message.code >= 400;

// What the page says.

let alarmed;

function alarm(text) {
  $("alarm").textContent = text;
  $("alarm").hidden = false;
  clearTimeout(alarmed);
  alarmed = setTimeout(() => ($("alarm").hidden = true), 6000);
}

function say(text) {
  $("said").textContent = text;
}

// The API.

async function ask(path, options = {}) {
  const response = await fetch(`${API}/${path}`, options);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const error = new Error(problem.detail || `the inbox answered ${response.status}`);
  error.status = response.status;
  throw error;
}

// Does what may fail, and tells of it.
async function trying(work) {
  try {
    return await work();
  } catch (error) {
    alarm(error instanceof TypeError ? "The host does not answer." : error.message);
    return undefined;
  }
}

const pathOf = (id) => `messages/${encodeURIComponent(id)}`;

// What was read, in this browser.

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(READ)) || [];
  } catch {
    return [];
  }
}

function markRead(id) {
  state.read.add(id);
  try {
    localStorage.setItem(READ, JSON.stringify([...state.read].slice(-2000)));
  } catch {
    // a browser that keeps nothing
  }
}

// The list.

async function load({ more = false } = {}) {
  const look = ++state.look;
  state.gone.clear();
  const query = new URLSearchParams({ limit: PAGE });
  if (state.search) query.set("search", state.search);
  const last = state.messages.at(-1);
  if (more && last) query.set("before", last.number);
  const page = await trying(async () => (await ask(`messages?${query}`)).json());
  if (!page || look !== state.look) return;
  // What came or went since the host looked: the stream has told of it, and the answer does not know it.
  const there = page.messages.filter((message) => !state.gone.has(message.id));
  const newest = page.messages.length ? page.messages[0].number : 0;
  const since = state.search ? [] : state.messages.filter((message) => message.number > newest);
  const known = new Set(state.messages.map((message) => message.id));
  state.messages = more
    ? [...state.messages, ...there.filter((message) => !known.has(message.id))]
    : [...since, ...there];
  state.older = page.next !== null;
  state.total = page.total + (more ? 0 : since.length);
  show();
}

function show(fresh = new Set()) {
  const items = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const wanted = state.messages.map((message) => items.get(message.id) || item(message, fresh.has(message.id)));
  for (const [index, entry] of wanted.entries()) {
    if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] || null);
  }
  while (list.children.length > wanted.length) list.lastChild.remove();
  for (const entry of list.children) {
    const selected = entry.dataset.id === state.selected;
    entry.setAttribute("aria-selected", String(selected));
    entry.classList.toggle("unread", !state.read.has(entry.dataset.id));
    entry.querySelector(".new-mark").textContent = state.read.has(entry.dataset.id) ? "" : "Unread. ";
  }
  const active = [...list.children].find((entry) => entry.dataset.id === state.selected);
  if (active) list.setAttribute("aria-activedescendant", active.id);
  else list.removeAttribute("aria-activedescendant");
  tell();
}

function item(message, fresh) {
  const marks = el("span", { className: "marks" });
  if (refused(message)) marks.append(el("span", { className: "tag bad", title: "refused" }, String(message.code)));
  if (message.attachments) {
    marks.append(icon("clip"), el("span", { className: "unseen" }, counted(message.attachments, "attachment")));
  }
  marks.append(size(message.size));
  const time = el("time", { dateTime: message.received_at, title: when(message.received_at, true) });
  time.textContent = when(message.received_at);
  return el(
    "li",
    { id: `m-${message.id}`, role: "option", className: fresh ? "item new" : "item", "data-id": message.id },
    parties(message),
    time,
    el("span", { className: "subject", dir: "auto", title: subject(message) }, subject(message)),
    marks,
    el("span", { className: "excerpt", dir: "auto" }, message.excerpt || "No text"),
  );
}

// `From → to +2`, as the envelope has them.
function parties(message) {
  const [first, ...others] = message.to;
  const line = el("span", { className: "from" }, el("span", { className: "unseen new-mark" }));
  line.append(el("bdi", { className: "by" }, sender(message)));
  if (!first) return line;
  line.title = `${sender(message)} → ${message.to.slice(0, 20).join(", ")}${message.to.length > 20 ? " …" : ""}`;
  line.append(el("span", { className: "unseen" }, " to "), el("bdi", { className: "to" }, first));
  if (others.length) line.append(el("span", { className: "others" }, `+${others.length}`));
  return line;
}

function tell() {
  const { total, search, messages } = state;
  const found = state.older ? `${messages.length}+` : messages.length.toLocaleString();
  $("count").textContent = search ? `${found} of ${counted(total, "message")}` : counted(total, "message");
  const limit = state.info.max_messages;
  $("kept").textContent = limit ? `the last ${limit.toLocaleString()} are kept` : "";
  $("clear").disabled = total === 0;
  $("more").hidden = !state.older;
  const unread = messages.filter((message) => !state.read.has(message.id)).length;
  document.title = unread ? `(${unread}${state.older ? "+" : ""}) rrpy inbox` : "rrpy inbox";
  const nothing = $("nothing");
  nothing.hidden = messages.length > 0;
  if (!nothing.hidden) nothing.replaceChildren(...(search ? nothingFound(search) : noMail()));
  $("unselected").hidden = state.selected !== null;
  $("choose").textContent = state.lost ? LOST : "Choose a message";
  $("leave").hidden = !state.lost;
  main.classList.toggle("lost", state.lost);
  main.classList.toggle("empty", !nothing.hidden && !search && !state.lost);
}

function nothingFound(search) {
  return [
    icon("search", "icon large"),
    el("h2", {}, "Nothing found"),
    el("p", {}, `No message has “${search}” in its subject, addresses, text or file names.`),
  ];
}

function noMail() {
  const { host, port, url } = server();
  const mail = "From: you@example.com\\nSubject: Hello\\n\\nHi there";
  const python =
    `python3 -c "import smtplib; smtplib.SMTP('${host}', ${port}).sendmail(` +
    `'you@example.com', ['me@example.com'], 'Subject: Hello\\n\\nHi there')"`;
  const swaks = `swaks --server ${url} --from you@example.com --to me@example.com --h-Subject Hello`;
  const curl =
    `printf '${mail}' | curl smtp://${url} ` + `--mail-from you@example.com --mail-rcpt me@example.com -T -`;
  return [
    icon("mail", "icon large"),
    el("h2", {}, "No mail yet"),
    el("p", {}, `Send the first one to ${url}. It appears here at once.`),
    snippet("Python", python),
    snippet("swaks", swaks),
    snippet("curl", curl),
  ];
}

// Where mail is to be sent, as somebody in front of this page would say it.
function server() {
  const found = /^tcp:\/\/(\[[^\]]*\]|[^:]*):(\d+)$/.exec(state.info.smtp_address || "");
  if (!found) return { host: "127.0.0.1", port: "1025", url: "127.0.0.1:1025" };
  const any = found[1] === "0.0.0.0" || found[1] === "[::]";
  const url = any ? location.hostname : found[1];
  return { host: url.replace(/^\[|\]$/g, ""), port: found[2], url: `${url}:${found[2]}` };
}

function snippet(title, command) {
  const copy = el("button", { type: "button", className: "button small" }, "Copy");
  copy.setAttribute("aria-label", `Copy the ${title} command`);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(copy.closest(".snippet").querySelector("pre"));
    }
  });
  return el("section", { className: "snippet" }, el("header", {}, title, copy), el("pre", {}, command));
}

// The message.

const small = () => matchMedia("(max-width: 760px)").matches;

// The id in the address.
function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

// Puts the message into the address. Where list and message share the place, one step back is always the list.
function write(id, instead) {
  if (addressed() === id) return;
  const within = instead || (small() && state.selected !== null && main.classList.contains("reading"));
  if (within) history.replaceState(history.state, "", `#${id}`);
  else history.pushState({ list: small() || state.selected === null }, "", `#${id}`);
}

async function open(id, { focus = false, instead = false } = {}) {
  write(id, instead);
  state.selected = id;
  state.lost = false;
  markRead(id);
  show();
  scrollTo(id);
  main.classList.add("reading");
  let detail;
  try {
    detail = await (await ask(pathOf(id))).json();
  } catch (error) {
    if (state.selected !== id) return;
    if (error.status === 404) return lose();
    alarm(error instanceof TypeError ? "The host does not answer." : error.message);
    return close();
  }
  if (state.selected !== id) return;
  state.detail = detail;
  showMessage();
  if (focus) $("subject").focus();
}

function leave(lost) {
  state.selected = null;
  state.detail = null;
  state.lost = lost;
  main.classList.toggle("reading", lost);
  $("message").hidden = true;
  $("panel").replaceChildren();
  show();
}

function close() {
  history.replaceState(null, "", location.pathname);
  leave(false);
}

// The address stays: it may be copied, or lead to a message that comes back with its host.
function lose() {
  leave(true);
  say(LOST);
}

// What Back, Forward and an address that is typed ask for.
function goToAddress() {
  const wanted = addressed();
  if (!wanted) leave(false);
  else if (wanted !== state.selected) open(wanted);
  else main.classList.add("reading");
}

// From the message to the list, on a small screen.
function back() {
  if (small() && history.state?.list) return history.back();
  if (small()) close();
  list.focus({ preventScroll: true });
}

function scrollTo(id) {
  const entry = $(`m-${id}`);
  if (entry) entry.scrollIntoView({ block: "nearest" });
}

function showMessage() {
  const { detail } = state;
  const { summary, session } = detail;
  $("message").hidden = false;
  $("subject").textContent = subject(summary);
  $("subject").title = subject(summary);
  $("avatar").textContent = [...sender(summary)][0].toUpperCase();
  $("download").href = `${API}/${pathOf(summary.id)}/raw`;
  const people = [
    ["From", firstOf(detail, "from") || summary.from || "(no sender)"],
    ["To", firstOf(detail, "to") || summary.to.join(", ")],
    ["Cc", firstOf(detail, "cc")],
  ];
  const hidden = summary.to.filter((address) => !said(detail, address));
  if (firstOf(detail, "to") && hidden.length) people.push(["Envelope", hidden.join(", ")]);
  $("people").replaceChildren(
    ...people.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), shortened(value))),
  );
  const verdict = el("span", { className: refused(summary) ? "tag bad" : "tag good" }, String(summary.code));
  verdict.title = session.reply;
  const about = el("span", {}, verdict, size(summary.size));
  if (detail.defects.length) {
    about.prepend(el("span", { className: "tag", title: detail.defects.join(", ") }, counted(detail.defects.length, "defect")));
  }
  const time = el("time", { dateTime: summary.received_at }, when(summary.received_at, true));
  $("facts").replaceChildren(el("span", {}, time), about);
  const has = { text: detail.text, html: detail.html, attachments: detail.attachments.length };
  for (const tab of tabs()) tab.hidden = tab.dataset.tab in has && !has[tab.dataset.tab];
  if (!detail.text && !detail.html) $("tab-text").hidden = false;
  $("attached").textContent = detail.attachments.length;
  const wanted = [state.tab, "html", "text"].find((name) => !$(`tab-${name}`).hidden);
  choose(wanted, { remember: false });
}

// The first of many addresses, and a button for the rest.
function shortened(value) {
  const all = value.split(/,\s*(?=[^,]*@)/);
  if (all.length <= PEOPLE + 1) return el("dd", { dir: "auto" }, value);
  const entry = el("dd", { dir: "auto" }, `${all.slice(0, PEOPLE).join(", ")} `);
  const more = el("button", { type: "button", className: "others" }, `+${all.length - PEOPLE} more`);
  more.addEventListener("click", () => entry.replaceChildren(value));
  entry.append(more);
  return entry;
}

function firstOf(detail, name) {
  const found = Object.entries(detail.headers).find(([header]) => header.toLowerCase() === name);
  return found ? found[1].join(", ") : "";
}

function said(detail, address) {
  const wanted = address.toLowerCase();
  return ["to", "cc"].some((name) => firstOf(detail, name).toLowerCase().includes(wanted));
}

const tabs = () => [...document.querySelectorAll('[role="tab"]')];

function choose(name, { focus = false, remember = true } = {}) {
  if (remember) state.tab = name;
  for (const tab of tabs()) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (chosen && focus) tab.focus();
  }
  const panel = $("panel");
  panel.setAttribute("aria-labelledby", `tab-${name}`);
  panel.classList.toggle("flush", name === "html");
  panel.scrollTop = 0;
  panel.replaceChildren(...panels[name](state.detail));
}

const panels = {
  text: (detail) => {
    const shown = detail.text.slice(0, MAX_SHOWN);
    const rest = detail.text.length - shown.length;
    return [
      el("div", { className: "text", dir: "auto" }, ...(shown ? linked(shown) : ["This message has no text."])),
      rest ? el("p", { className: "hint" }, `${rest.toLocaleString()} more characters are in the source.`) : "",
    ];
  },

  html: (detail) => [
    el("div", { className: "note" }, icon("shield"), "Shown without scripts, forms and anything from the network."),
    el("iframe", {
      title: "The message's HTML",
      sandbox: "allow-popups allow-popups-to-escape-sandbox",
      referrerPolicy: "no-referrer",
      src: `${API}/${pathOf(detail.summary.id)}/html`,
    }),
  ],

  headers: (detail) => [
    table(Object.entries(detail.headers).flatMap(([name, values]) => values.map((value) => [name, value]))),
  ],

  source: (detail) => {
    const code = el("pre", { className: "code" }, "Loading");
    showSource(detail.summary, code);
    return [code];
  },

  attachments: (detail) => [
    el("ul", { className: "files" }, ...detail.attachments.map((attachment) => file(detail.summary.id, attachment))),
  ],

  session: (detail) => {
    const { summary, session, defects } = detail;
    const rows = [
      ["Client", session.remote_addr],
      ["HELO", session.helo || "none"],
      ["Envelope from", summary.from || "<>"],
      ["Envelope to", summary.to.join(", ")],
      ["Reply", `${summary.code} ${session.reply}`],
    ];
    if (session.reason) rows.push(["Reason", session.reason]);
    if (defects.length) rows.push(["Defects", defects.join(", ")]);
    rows.push(["Connection", session.uuid]);
    return [
      el("h3", {}, "Session"),
      table(rows),
      el("h3", {}, "Captured credentials"),
      ...credentials(session.authentication),
      el("h3", {}, "Transcript"),
      transcript(session.transcript),
    ];
  },
};

function table(rows) {
  const body = rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("table", { className: "fields" }, el("tbody", {}, ...body));
}

function credentials(found) {
  if (!found) return [el("p", { className: "hint" }, "The client did not log in.")];
  const word = el("span", {}, "••••••••");
  const reveal = el("button", { type: "button", className: "button small" }, "Show");
  reveal.setAttribute("aria-label", "Show the password");
  reveal.addEventListener("click", () => {
    word.textContent = found.password;
    reveal.remove();
  });
  return [
    table([
      ["Mechanism", found.mechanism],
      ["User name", found.username],
      ["Password", el("span", { className: "secret" }, word, reveal)],
    ]),
  ];
}

function transcript(lines) {
  const spans = lines.map((line) => el("span", { className: line.startsWith("S:") ? "server" : "client" }, line));
  return el("div", { className: "code transcript", role: "group", "aria-label": "Transcript" }, ...spans);
}

function file(id, attachment) {
  const name = attachment.filename || `attachment ${attachment.number}`;
  const kind = /\.(\w{1,5})$/.exec(name)?.[1] || attachment.content_type.split("/")[1]?.slice(0, 5) || "file";
  const link = el("a", { className: "button", href: `${API}/${pathOf(id)}/attachments/${attachment.number}`, download: attachment.filename });
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

async function showSource(summary, code) {
  const raw = await trying(async () => (await ask(`${pathOf(summary.id)}/raw`)).arrayBuffer());
  if (!raw) return code.replaceChildren("The source could not be loaded.");
  code.textContent = new TextDecoder().decode(raw.slice(0, MAX_SHOWN));
  if (raw.byteLength > MAX_SHOWN) {
    code.append(el("p", { className: "hint" }, `These are the first ${size(MAX_SHOWN)} of ${size(raw.byteLength)}; download it to see all.`));
  }
}

// A text with its links made links. Only http and https are.
function linked(text) {
  const parts = text.split(/(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}])/);
  return parts.map((part, index) =>
    index % 2 ? el("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part,
  );
}

async function remove(id) {
  const index = state.messages.findIndex((message) => message.id === id);
  const next = state.messages[index + 1] || state.messages[index - 1];
  const gone = await trying(() => ask(pathOf(id), { method: "DELETE" }));
  if (!gone) return;
  forget([id]);
  say("Message deleted");
  if (next && !state.search) open(next.id, { instead: true });
  list.focus({ preventScroll: true });
}

function forget(ids) {
  const gone = new Set(ids);
  for (const id of ids) state.gone.add(id);
  const before = state.messages.length;
  arrived = arrived.filter((message) => !gone.has(message.id));
  state.messages = state.messages.filter((message) => !gone.has(message.id));
  state.total = Math.max(0, state.total - (before - state.messages.length));
  if (gone.has(state.selected)) close();
  else show();
}

// What happens.

let stream;
let arrived = [];
let refreshing;

function follow() {
  stream = new EventSource(`${API}/stream`);
  stream.addEventListener("open", () => connected("live"));
  stream.addEventListener("error", () => {
    connected("away");
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000); // it was refused, not cut off
  });
  stream.addEventListener("message", (event) => arrive(JSON.parse(event.data)));
  stream.addEventListener("deleted", (event) => refresh(JSON.parse(event.data).ids));
  stream.addEventListener("cleared", () => {
    arrived = [];
    state.look += 1; // an answer that is under way is from before
    state.messages = [];
    state.total = 0;
    state.older = false;
    close();
  });
  stream.addEventListener("connections", (event) => counting(JSON.parse(event.data).open));
  stream.addEventListener("reset", (event) => {
    arrived = [];
    state.messages = state.search ? state.messages : [];
    counting(JSON.parse(event.data).open);
    start();
  });
}

function connected(how) {
  $("state").dataset.state = how;
  $("state").lastElementChild.textContent = how === "live" ? "Live" : "Reconnecting";
}

// Many may come at once: they are shown together.
function arrive(message) {
  if (!arrived.length) setTimeout(showArrived, 50);
  arrived.push(message);
}

function showArrived() {
  const known = new Set(state.messages.map((message) => message.id));
  const fresh = arrived.filter((message) => !known.has(message.id));
  arrived = [];
  if (!fresh.length) return;
  state.total += fresh.length;
  if (state.search) return refresh([]);
  state.messages = [...fresh.reverse(), ...state.messages];
  if (state.messages.length > SHOWN) {
    state.messages.length = SHOWN;
    state.older = true;
  }
  show(new Set(fresh.map((message) => message.id)));
  say(fresh.length === 1 ? `New message from ${sender(fresh[0])}: ${subject(fresh[0])}` : `${fresh.length} new messages`);
}

// Messages went. Those that are not in the list are counted by the host.
function refresh(ids) {
  forget(ids);
  clearTimeout(refreshing);
  refreshing = setTimeout(async () => {
    if (state.search) return load();
    const page = await trying(async () => (await ask("messages?limit=1")).json());
    if (!page) return;
    state.total = page.total;
    tell();
  }, 200);
}

function counting(open) {
  $("open").textContent = open;
  if ($("connecting").open) showConnections();
}

async function showConnections() {
  const found = await trying(async () => (await ask("connections")).json());
  if (!found) return;
  const rows = found.connections.map((each) => {
    const about = [
      each.authenticated ? `as ${each.username}` : "",
      each.from ? `from ${each.from}` : "",
      each.to.length ? `to ${each.to.join(", ")}` : "",
    ].filter(Boolean);
    const button = el("button", { type: "button", className: "button small" }, "Close");
    button.setAttribute("aria-label", `Close the connection of ${each.remote_addr}`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await trying(() => ask(`connections/${encodeURIComponent(each.uuid)}`, { method: "DELETE" }));
      await showConnections();
    });
    return el("li", {}, el("div", {}, el("b", {}, each.remote_addr), el("small", {}, about.join(" · ") || "idle")), button);
  });
  $("open").textContent = rows.length;
  const none = el("p", {}, "No client is connected.");
  $("connected").replaceChildren(rows.length ? el("ul", { className: "live" }, ...rows) : none);
}

// Hands.

function move(step) {
  const { messages } = state;
  if (!messages.length) return;
  const index = messages.findIndex((message) => message.id === state.selected);
  const next = index < 0 ? 0 : Math.min(messages.length - 1, Math.max(0, index + step));
  if (index === next) return;
  open(messages[next].id);
  if (next >= messages.length - 3 && state.older) load({ more: true });
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => $("search").focus(),
  "#": () => state.selected && remove(state.selected),
  Delete: () => state.selected && remove(state.selected),
  "?": () => $("helping").showModal(),
  Escape: () => back(),
};
const listKeys = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Home: () => move(-Infinity),
  End: () => move(state.messages.length),
  Enter: () => (state.selected ? open(state.selected, { focus: true }) : move(1)),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input")) {
    if (event.key === "Escape") {
      event.target.value = "";
      search();
      list.focus();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      list.focus();
      if (!state.selected) move(1);
    }
    return;
  }
  const free = event.target === list || event.target === document.body;
  const tab = /^[1-6]$/.test(event.key) && state.detail ? tabs()[Number(event.key) - 1] : null;
  const action = keys[event.key] || (free && listKeys[event.key]);
  if (tab && !tab.hidden) choose(tab.dataset.tab);
  else if (action) action();
  else return;
  event.preventDefault();
});

document.querySelector('[role="tablist"]').addEventListener("keydown", (event) => {
  const shown = tabs().filter((tab) => !tab.hidden);
  const index = shown.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  const moves = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: shown.length - 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  choose(shown.at(moves[event.key] % shown.length).dataset.tab, { focus: true });
});

let typing;

function search() {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.search = $("search").value.trim();
    load();
  }, 120);
}

list.addEventListener("click", (event) => {
  const entry = event.target.closest(".item");
  if (entry) open(entry.dataset.id);
});
for (const tab of tabs()) tab.addEventListener("click", () => choose(tab.dataset.tab));
$("search").addEventListener("input", search);
$("more").addEventListener("click", () => load({ more: true }));
$("back").addEventListener("click", back);
$("leave").addEventListener("click", () => {
  close();
  list.focus({ preventScroll: true });
});
addEventListener("popstate", goToAddress);
addEventListener("hashchange", goToAddress);
$("delete").addEventListener("click", () => remove(state.selected));
$("help").addEventListener("click", keys["?"]);
$("connections").addEventListener("click", () => {
  showConnections();
  $("connecting").showModal();
});
$("clear").addEventListener("click", () => {
  $("clearing-text").textContent = `${counted(state.total, "message")} will be gone for good.`;
  $("clearing").returnValue = "no";
  $("clearing").showModal();
});
$("clearing").addEventListener("close", () => {
  if ($("clearing").returnValue === "yes") trying(() => ask("messages", { method: "DELETE" }));
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("no"));
}

// The beginning, and whenever something was missed.

async function start() {
  const info = await trying(async () => (await ask("info")).json());
  state.info = info || state.info;
  $("version").textContent = state.info.version || "";
  $("connections").hidden = !state.info.connections;
  await load();
  if (!state.selected) return addressed() ? open(addressed()) : undefined;
  const wanted = state.selected;
  if (state.messages.some((message) => message.id === wanted)) return;
  const there = await ask(pathOf(wanted), { method: "HEAD" }).catch(() => null);
  if (!there && state.selected === wanted) close();
}

follow();
