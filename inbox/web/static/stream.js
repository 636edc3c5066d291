// The host's events, each given to the module that shows it.

import { onCleared, onDeleted, onMessage, onReset } from "./changes.js";
import { countConnections } from "./connections.js";
import { byId } from "./dom.js";
import { Feed } from "./feed.js";
import { onRead } from "./read.js";
import { onReleased } from "./release.js";
import { onRefusal, onRefusalsCleared } from "./refused.js";

const STARTING = 5000; // milliseconds in which the shared worker answers

/** @typedef {"follow" | "pause" | "leave"} Request what this page asks of the feed */

/**
 * Follow the stream for as long as the page is open. A hidden page needs none, unless the reader allows notifications.
 * @param {(restarted: boolean) => void} start called at the first event, and whenever events were missed
 */
export function follow(start) {
  let known = "";
  /** @type {Record<string, (data: any, boot: string) => void>} */
  const events = {
    message: onMessage,
    deleted: (data) => onDeleted(data.ids),
    read: onRead,
    released: onReleased,
    cleared: onCleared,
    refusal: onRefusal,
    refusals_cleared: onRefusalsCleared,
    connections: (data) => countConnections(data.open),
    reset: (data, boot) => {
      const restarted = known !== "" && boot !== known;
      known = boot;
      onReset();
      countConnections(data.open);
      start(restarted);
    },
    state: showState,
  };
  const ask = connect(({ name, data, boot = "" }) => events[name]?.(data, boot));
  const request = () => (document.hidden && globalThis.Notification?.permission !== "granted" ? "pause" : "follow");
  addEventListener("visibilitychange", () => ask(request()));
  addEventListener("pageshow", () => ask(request())); // also of a page that the browser has kept for the Back button
  addEventListener("pagehide", () => ask("leave"));
  ask(request());
}

/**
 * Connect to the feed of all tabs, or to one of this page's own where the browser has no shared workers.
 * @param {import("./feed.js").Give} take
 * @returns {(request: Request) => void}
 */
function connect(take) {
  /** @type {Feed | null} */
  let own = null;
  /** @type {Request} */
  let last = "pause";
  /** @type {MessagePort | undefined} */
  let port;
  /** @param {Request} request */
  const ask = (request) => {
    last = request;
    if (!own) port?.postMessage(request);
    else if (request === "leave") own.leave(take);
    else own.see(take, request === "follow");
  };
  const alone = () => {
    own ??= new Feed();
    ask(last);
  };
  try {
    const worker = new SharedWorker("./worker.js", { type: "module" });
    worker.addEventListener("error", alone); // the browser runs no modules in it
    const waiting = setTimeout(alone, STARTING); // where the browser reports no error
    port = worker.port;
    port.onmessage = ({ data }) => {
      clearTimeout(waiting);
      if (!own) take(data);
    };
  } catch {
    alone();
  }
  return ask;
}

/** @param {"live" | "away"} state */
function showState(state) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = state === "live" ? "Live" : "Reconnecting";
}
