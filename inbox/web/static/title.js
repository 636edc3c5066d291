// The number of unread messages in the page's title and icon.

import { byId } from "./dom.js";
import { shown } from "./state.js";

const MOST = 99; // the icon has room for two digits

/** Show the number of the whole inbox, whatever the list shows. */
export function showUnread() {
  const { unread } = shown();
  document.title = unread ? `(${unread.toLocaleString()}) rrpy inbox` : "rrpy inbox";
  const link = byId("icon");
  const wanted = unread ? badge(unread > MOST ? `${MOST}+` : String(unread)) : "icon.svg";
  if (link.getAttribute("href") !== wanted) link.setAttribute("href", wanted);
}

/**
 * Return an icon with a number, as a URL.
 * @param {string} text
 * @returns {string}
 */
function badge(text) {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/>' +
    '<path d="m6 9 10 8 10-8" fill="none" stroke="#fff" stroke-width="2"/><rect y="13" width="32" height="19" rx="8" ' +
    'fill="#b42318"/><text x="16" y="28.5" font-family="system-ui, sans-serif" font-size="17" font-weight="700" ' +
    `text-anchor="middle" fill="#fff">${text}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
