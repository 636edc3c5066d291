// Buttons that copy a text.

import { button, el } from "./dom.js";
import { say } from "./notices.js";

/**
 * Return a button that copies a text.
 * @param {string} text
 * @param {string} label for screen readers
 * @returns {import("./dom.js").AnyElement}
 */
export function copyButton(text, label) {
  return button("Copy", label, async (clicked) => {
    await copy(text, clicked);
    clicked.textContent = "Copied";
    say("Copied");
    setTimeout(() => (clicked.textContent = "Copy"), 2000);
  });
}

/**
 * Copy a text. Over plain HTTP a browser has no clipboard for a page; there a selection is copied.
 * @param {string} text
 * @param {import("./dom.js").AnyElement} beside the element that keeps the focus
 */
async function copy(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { className: "unseen", value: text });
    beside.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    beside.focus();
  }
}
