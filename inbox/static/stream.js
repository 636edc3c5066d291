// The stream of the host's events, each given to the module that shows it.

import { API } from "./api.js";
import { onCleared, onDeleted, onMessage, onReset } from "./changes.js";
import { countConnections } from "./connections.js";
import { byId } from "./dom.js";
import { onRefusal, onRefusalsCleared } from "./refused.js";

const RETRY = 2000; // milliseconds, after the host refused the stream; after a cut the browser reconnects by itself

/**
 * Follow the stream for as long as the page is open.
 * @param {() => void} start called at the first event, and whenever events were missed
 */
export function follow(start) {
  const stream = new EventSource(`${API}/stream`);
  /** @type {Record<string, (data: any) => void>} */
  const events = {
    message: onMessage,
    deleted: (data) => onDeleted(data.ids),
    cleared: onCleared,
    refusal: onRefusal,
    refusals_cleared: onRefusalsCleared,
    connections: (data) => countConnections(data.open),
    reset: (data) => {
      onReset();
      countConnections(data.open);
      start();
    },
  };
  for (const [name, take] of Object.entries(events)) {
    stream.addEventListener(name, (event) => take(JSON.parse(event.data)));
  }
  stream.addEventListener("open", () => showState("live"));
  stream.addEventListener("error", () => {
    showState("away");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => follow(start), RETRY);
  });
}

/** @param {"live" | "away"} state */
function showState(state) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = state === "live" ? "Live" : "Reconnecting";
}
