// The number of messages that arrive above the part of the list that one sees.

import { byId, list } from "./dom.js";

const NEAR = 40; // pixels from the top within which one sees new messages

const scroller = /** @type {HTMLElement} */ (list.parentElement);
let count = 0;

/**
 * Count new messages where the list is scrolled.
 * @param {number} fresh
 */
export function countNewer(fresh) {
  display(scroller.scrollTop > NEAR ? count + fresh : 0);
}

/** Count anew once one has scrolled to the top, by hand or by the button. */
export function watchNewer() {
  scroller.addEventListener("scroll", () => {
    if (count && scroller.scrollTop <= NEAR) display(0);
  });
  byId("newer").addEventListener("click", () => scroller.scrollTo({ top: 0 }));
}

/** @param {number} number */
function display(number) {
  count = number;
  byId("newer").hidden = !count;
  byId("newer").textContent = `${count.toLocaleString()} new`;
}
