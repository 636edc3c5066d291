// The host's stream, once for all tabs of a browser: open while a tab wants it, and passed on to every tab.
//
// What we want: many tabs, although a browser opens six connections to one address. What we do: worker.js runs this
// for all tabs; a page whose browser has no shared workers runs it alone. A stream that begins again continues after
// the last event, so a tab misses nothing. What can still fail: the stream stays open for a tab that crashed, until
// the last tab closes.

import { API } from "./api.js";

/** @typedef {{ name: string, data: any, boot?: string }} FeedEvent an event of the stream, or `state` with "live" or "away";
 * `boot`: names the start of the host */
/** @typedef {(item: FeedEvent) => void} Give gives a tab an event */

const RETRY = 2000; // milliseconds, after the host refused the stream; after a cut the browser reconnects by itself

const EVENTS = ["message", "deleted", "read", "released", "cleared", "refusal", "refusals_cleared", "connections", "reset"];

export class Feed {
  constructor() {
    /** @type {Map<Give, boolean>} */
    this.tabs = new Map(); // each with whether it wants the stream now
    /** @type {EventSource | null} */
    this.stream = null;
    this.last = ""; // the id of the last event
    this.open = 0; // the connections of the last event that counts them
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retrying = undefined;
  }

  /**
   * Begin to serve a tab, or take note that it wants the stream or not. A new tab gets `reset`, as at a first event.
   * @param {Give} give
   * @param {boolean} wanted
   */
  see(give, wanted) {
    const known = this.tabs.has(give);
    this.tabs.set(give, wanted);
    if (!known) give({ name: "connected", data: null });
    if (!known && this.last) {
      give({ name: "reset", data: { open: this.open }, boot: this.boot() });
      give(this.state());
    }
    this.adjust();
  }

  /**
   * Leave a tab out from now on.
   * @param {Give} give
   */
  leave(give) {
    this.tabs.delete(give);
    this.adjust();
  }

  adjust() {
    const wanted = [...this.tabs.values()].includes(true);
    if (wanted && !this.stream) this.begin();
    else if (!wanted) this.end();
  }

  begin() {
    clearTimeout(this.retrying);
    const stream = new EventSource(`${API}/stream?last_event_id=${encodeURIComponent(this.last)}`);
    this.stream = stream;
    for (const name of EVENTS) stream.addEventListener(name, (event) => this.take(name, event));
    stream.addEventListener("open", () => this.give(this.state()));
    stream.addEventListener("error", () => {
      this.give(this.state());
      if (stream.readyState !== EventSource.CLOSED) return;
      this.end();
      this.retrying = setTimeout(() => this.adjust(), RETRY);
    });
  }

  end() {
    clearTimeout(this.retrying);
    this.stream?.close();
    this.stream = null;
  }

  /**
   * @param {string} name
   * @param {MessageEvent} event
   */
  take(name, event) {
    const data = JSON.parse(event.data);
    this.last = event.lastEventId;
    if ("open" in data) this.open = data.open;
    this.give({ name, data, boot: this.boot() });
  }

  boot() {
    return this.last.split("-")[0];
  }

  /** @returns {FeedEvent} */
  state() {
    return { name: "state", data: this.stream?.readyState === EventSource.OPEN ? "live" : "away" };
  }

  /** @param {FeedEvent} item */
  give(item) {
    for (const give of this.tabs.keys()) give(item);
  }
}
