// The inbox's page: this module connects the others and starts them. There is neither a framework nor a build step.
//
// The words of a mail go into the page as text, never as markup. Its HTML has a URL of its own, and a frame that runs
// nothing.

import { addressed } from "./address.js";
import { ask, get, pathOf } from "./api.js";
import { removeAll } from "./changes.js";
import { restoreCompact, toggleCompact } from "./compact.js";
import { openConnections } from "./connections.js";
import { byId, list } from "./dom.js";
import { counted } from "./format.js";
import { watchFrame } from "./keyboard.js";
import { watchHits } from "./hits.js";
import { onKey, removeSelected, showHelp } from "./keys.js";
import { focusList, load } from "./list.js";
import { countMailboxes, readMailbox, switchMailbox } from "./mailboxes.js";
import { back, close, goToAddress, open } from "./message.js";
import { watchNewer } from "./newer.js";
import { trying } from "./notices.js";
import { askForNotifications, offerNotifications } from "./notify.js";
import { mark, markAll } from "./read.js";
import { askRelease, offerRelease, release } from "./release.js";
import { loadRefusals, removeRefusals, toggleRefused } from "./refused.js";
import { readSearch, search, toggleDefects } from "./search.js";
import { chooseNone, chosenOrOpen, extendTo, toggle } from "./select.js";
import { state } from "./state.js";
import { follow } from "./stream.js";
import { endSuggestions, onSuggestionClick, suggest } from "./suggestions.js";
import { choose, onTabKey, tabs } from "./tabs.js";
import { finish, undo } from "./undo.js";

/**
 * Load everything: at the beginning, and whenever events were missed.
 * @param {boolean} restarted the host was
 */
async function start(restarted) {
  const before = state.total;
  state.info = (await trying(() => get("info"))) || state.info;
  byId("version").textContent = state.info.version || "";
  offerRelease();
  byId("connections").hidden = !state.info.connections || Boolean(state.info.mailbox); // they are of every mailbox
  byId("reach").hidden = !state.info.open;
  await Promise.all([load(), loadRefusals(), countMailboxes()]);
  if (restarted && before && state.info.persistent === false) showRestarted(before);
  if (state.selected) await closeIfGone(state.selected);
  else if (addressed()) open(addressed());
}

/** @param {string} id the open message's */
async function closeIfGone(id) {
  if (state.messages.some((message) => message.id === id)) return;
  const there = await ask(pathOf(id), { method: "HEAD" }).catch(() => null);
  if (!there && state.selected === id) close();
}

/** @param {number} lost messages that only the memory had */
function showRestarted(lost) {
  const gone = lost === 1 ? "1 message was only in memory and is gone." : `${counted(lost, "message")} were only in memory and are gone.`;
  byId("restarted-text").textContent = `The host was restarted. ${gone} A file keeps mail: inbox.path.`;
  byId("restarted").hidden = false;
}

function clear() {
  if (!state.refused) return removeAll();
  byId("clearing-text").textContent = `This deletes ${counted(state.refusals.length, "refusal")} for good.`;
  byId("clearing").returnValue = "no";
  byId("clearing").showModal();
}

/**
 * @param {string} id
 * @param {() => void} clicked
 */
function onClick(id, clicked) {
  byId(id).addEventListener("click", clicked);
}

document.addEventListener("keydown", onKey);
addEventListener("popstate", () => {
  const changed = [readSearch(), readMailbox()];
  if (changed.includes(true)) load();
  if (changed[1]) loadRefusals();
  goToAddress();
});
addEventListener("hashchange", goToAddress);
list.addEventListener("click", (event) => {
  const row = /** @type {Element} */ (event.target).closest(".item");
  if (!(row instanceof HTMLElement)) return;
  const id = row.dataset.id || "";
  if (event.shiftKey) extendTo(id);
  else if (event.ctrlKey || event.metaKey || /** @type {Element} */ (event.target).matches(".check")) toggle(id);
  else {
    if (state.chosen.size) chooseNone();
    open(id);
  }
});
byId("refusals").addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link) return;
  event.preventDefault();
  open(decodeURIComponent(link.hash.slice(1)));
});
byId("parts").addEventListener("keydown", onTabKey);
for (const tab of tabs()) tab.addEventListener("click", () => choose(tab.dataset.tab || ""));
byId("search").addEventListener("input", search);
byId("mailbox").addEventListener("change", switchMailbox);
onClick("restarted-close", () => {
  byId("restarted").hidden = true;
  focusList();
});
byId("search").addEventListener("focus", suggest);
byId("search").addEventListener("blur", endSuggestions);
byId("suggestions").addEventListener("mousedown", onSuggestionClick);
onClick("more", () => load({ more: true }));
onClick("back", back);
onClick("leave", () => {
  close();
  focusList();
});
onClick("delete", removeSelected);
onClick("release", askRelease);
onClick("release-cancel", () => byId("releasing").close());
byId("release-form").addEventListener("submit", release);
onClick("refused", toggleRefused);
onClick("defects", toggleDefects);
onClick("help", showHelp);
onClick("compact", toggleCompact);
onClick("connections", openConnections);
onClick("clear", clear);
onClick("notify", askForNotifications);
onClick("undo-button", undo);
onClick("delete-now", finish);
onClick("all-read", () => markAll(true));
onClick("chosen-read", () => mark(chosenOrOpen(), true));
onClick("chosen-unread", () => mark(chosenOrOpen(), false));
onClick("chosen-delete", removeSelected);
onClick("chosen-none", chooseNone);
byId("clearing").addEventListener("close", () => {
  if (byId("clearing").returnValue === "yes") removeRefusals();
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("no"));
}

watchHits();
restoreCompact();
watchNewer();
offerNotifications();
readSearch();
readMailbox();
watchFrame();
follow(start);
