// The HTML of a message, in a frame that runs nothing, and the tools above it.

import { API, get, pathOf } from "./api.js";
import { choices, choose, WIDTHS } from "./choices.js";
import { codes } from "./codes.js";
import { button, byId, el, icon, toggle } from "./dom.js";
import { counted } from "./format.js";
import { trying } from "./notices.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").Blocked} Blocked */
/** @typedef {import("./api.js").Detail} Detail */
/** @typedef {import("./dom.js").AnyElement} AnyElement */

let marked = ""; // the hits in the frame that is shown
/** @type {() => void} */
let showAgain = () => {};

/** Show the frame anew where the search has other hits now. */
export function remark() {
  if (marked !== state.hits.join("\n") && byId("panel").querySelector("iframe")) showAgain();
}

/**
 * @param {Detail} detail
 * @returns {Element[]}
 */
export function html(detail) {
  const { id } = detail.summary;
  const note = el("div", { className: "note", tabIndex: -1 }, icon("shield"), "Scripts, forms and remote content are blocked");
  const stage = el("div", { className: "stage" });
  let remote = false;
  const alone = el("a", { className: "button small toggle", target: "_blank", rel: "noopener", title: ALONE, "aria-label": ALONE }, icon("alone"));
  const show = () => {
    marked = state.hits.join("\n");
    resize(stage);
    stage.classList.toggle("dark", choices.dark);
    alone.href = source(id, remote);
    // A new frame: another address in the same one would be a step of the Back button.
    stage.replaceChildren(frame(source(id, remote, state.hits)));
  };
  show();
  showAgain = show;
  showBlocked(id, note, () => {
    remote = true;
    show();
  });
  const held = el("span", { className: "held hint" }, "The mail has the keys; Shift+Tab gives them back");
  return [el("div", { className: "strip" }, note, held, codes(detail), tools(stage, show, alone)), stage];
}

/**
 * Return the address of the HTML, as the reader chooses to see it.
 * @param {string} id
 * @param {boolean} remote
 * @param {string[]} [hits] texts that the host marks
 * @returns {string}
 */
function source(id, remote, hits = []) {
  const query = new URLSearchParams();
  if (remote) query.set("remote_images", "1");
  if (choices.dark) query.set("color_scheme", "dark");
  for (const hit of hits) query.append("mark", hit);
  return `${API}/${pathOf(id)}/html${query.size ? `?${query}` : ""}`;
}

/**
 * @param {string} src
 * @returns {AnyElement}
 */
function frame(src) {
  return el("iframe", { title: "The message's HTML", sandbox: "allow-popups allow-popups-to-escape-sandbox", src });
}

const ALONE = "Open the HTML in a tab of its own, to print it or to look into it";

/**
 * Give the frame its width. The keyboard scrolls a stage that may be narrower.
 * @param {AnyElement} stage
 */
function resize(stage) {
  stage.dataset.width = choices.width;
  stage.tabIndex = choices.width === WIDTHS[0] ? -1 : 0;
}

/** @type {Record<string, string>} */
const LABELS = {
  full: "As wide as the page",
  phone: "Phone, 375 pixels",
  tablet: "Tablet, 768 pixels",
  desktop: "Desktop, 1280 pixels",
};

/**
 * Return the switches: a width for the frame, and dark mode.
 * @param {AnyElement} stage
 * @param {() => void} show makes the frame anew
 * @param {Element} alone a link that stands after them
 * @returns {Element}
 */
function tools(stage, show, alone) {
  const widths = WIDTHS.map((width) =>
    toggle(icon(width), LABELS[width], choices.width === width, () => {
      choose({ width });
      resize(stage);
      for (const each of widths) each.setAttribute("aria-pressed", String(each === widths[WIDTHS.indexOf(width)]));
    }),
  );
  const dark = toggle(icon("moon"), "Dark mode of the mail", choices.dark, () => {
    choose({ dark: !choices.dark });
    dark.setAttribute("aria-pressed", String(choices.dark));
    show();
  });
  return el(
    "div",
    { className: "tools" },
    el("div", { className: "group", role: "group", "aria-label": "Width of the mail" }, ...widths),
    dark,
    alone,
  );
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
 * @param {() => void} load
 */
async function showBlocked(id, note, load) {
  /** @type {Blocked | null} */
  const blocked = await trying(() => get(`${pathOf(id)}/blocked`));
  if (!blocked) return;
  const found = BLOCKED.filter(([kind]) => blocked[kind]).map(([kind, one, many]) => counted(blocked[kind], one, many));
  if (found.length) note.replaceChildren(icon("shield"), `Blocked: ${found.join(", ")}`);
  if (!blocked.images || !state.info.remote_images) return;
  const click = button("Load images", "Load the remote images of this message", () => {
    load();
    note.replaceChildren(icon("shield"), "Remote images are loaded; their senders see that");
    note.focus();
  });
  note.append(click);
}
