// The frame of a mail's HTML, which runs no script: the page cannot see its keys and its scrolling.
//
// What we want: the page's keys work after a click into the mail, and the mail's words can still be copied. What we do:
// the page takes the keyboard back after a click. Ctrl, Cmd and the keys that scroll give it to the frame again. After
// Tab the frame keeps it: its links are reached by Tab. What can still fail: the first key that scrolls only moves the
// keyboard; a line then says how the page gets it back.

import { byId } from "./dom.js";

const SETTLING = 400; // milliseconds that a click, or the choice of a word, may take
const COPYING = 1500; // milliseconds that the frame keeps the keyboard for Ctrl and a letter
const STAYING = COPYING + 300; // milliseconds after which the page says that the frame has the keyboard
const SCROLLED = 40; // pixels of a part after which the head shrinks
const ROOM = 240; // pixels that a part must have more than its place; a shorter one would scroll back

const SCROLLING = ["PageDown", "PageUp", " "];

let tabbed = 0; // when Tab was pressed last, in milliseconds
/** @type {ReturnType<typeof setTimeout> | undefined} */
let taking;

/** @returns {HTMLElement | null} the frame, while the page shows one */
const frame = () => byId("panel").querySelector("iframe");

/** @returns {boolean} whether the frame has the keyboard */
const isFramed = () => document.activeElement !== null && document.activeElement === frame();

/** Watch where the keyboard is, and how far the message is scrolled. */
export function watchFrame() {
  addEventListener("blur", (event) => {
    if (event.timeStamp - tabbed > SETTLING) takeBack(SETTLING);
    else setTimeout(() => byId("panel").classList.toggle("framed", isFramed()), STAYING);
  });
  addEventListener("focus", () => byId("panel").classList.remove("framed"));
  addEventListener("keydown", onKey, { capture: true });
  byId("panel").addEventListener("scroll", shrink);
  byId("subject").addEventListener("click", () => byId("message").classList.remove("shrunk"));
}

/** @param {number} delay in milliseconds */
function takeBack(delay) {
  clearTimeout(taking);
  taking = setTimeout(() => {
    if (!isFramed()) return;
    byId("panel").focus({ preventScroll: true });
    byId("message").classList.add("shrunk");
  }, delay);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key === "Tab") tabbed = event.timeStamp;
  if (event.target !== byId("panel")) return;
  const copies = event.key === "Control" || event.key === "Meta";
  if (!copies && !SCROLLING.includes(event.key)) return;
  tabbed = event.timeStamp; // the page gives the keyboard away itself
  frame()?.focus();
  if (copies) takeBack(COPYING);
}

/** Shrink the head while a part is scrolled down; a small screen shows the difference. */
function shrink() {
  const panel = byId("panel");
  if (panel.scrollTop === 0) byId("message").classList.remove("shrunk");
  else if (panel.scrollTop > SCROLLED && panel.scrollHeight - panel.clientHeight > ROOM) {
    byId("message").classList.add("shrunk");
  }
}
