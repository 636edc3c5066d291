// The open connections: their number in the bar, and the dialog that lists and closes them.

import { ask, get } from "./api.js";
import { button, byId, el } from "./dom.js";
import { counted } from "./format.js";
import { trying } from "./notices.js";

/** @typedef {import("./api.js").Connection} Connection */

/**
 * Show how many are open. An open dialog shows them anew.
 * @param {number} open
 */
export function countConnections(open) {
  showCount(open);
  if (byId("connecting").open) showConnections();
}

/** @param {number} open */
function showCount(open) {
  byId("open").textContent = String(open);
  byId("open-noun").textContent = open === 1 ? " connection" : " connections";
  byId("connections").setAttribute("aria-label", counted(open, "connection"));
}

/** Open the dialog. */
export function openConnections() {
  showConnections();
  byId("connecting").showModal();
}

async function showConnections() {
  const found = await trying(() => get("connections"));
  if (!found) return;
  const rows = found.connections.map(row);
  showCount(rows.length);
  const none = el("p", {}, "No client is connected.");
  byId("connected").replaceChildren(rows.length ? el("ul", { className: "live" }, ...rows) : none);
}

/**
 * @param {Connection} connection
 * @returns {Element}
 */
function row(connection) {
  const about = [
    connection.authenticated ? `as ${connection.username}` : "",
    connection.from ? `from ${connection.from}` : "",
    connection.to.length ? `to ${connection.to.join(", ")}` : "",
  ].filter(Boolean);
  const words = el("div", {}, el("b", {}, connection.remote_addr), el("small", {}, about.join(" · ") || "idle"));
  const close = button("Close", `Close the connection of ${connection.remote_addr}`, async () => {
    close.disabled = true;
    await trying(() => ask(`connections/${encodeURIComponent(connection.uuid)}`, { method: "DELETE" }));
    await showConnections();
  });
  return el("li", {}, words, close);
}
