// The shared worker of all tabs: it follows the host's stream for them. See feed.js.

import { Feed } from "./feed.js";

const feed = new Feed();

/** @param {MessageEvent} event a tab connects */
const connect = ({ ports: [port] }) => {
  /** @type {import("./feed.js").Give} */
  const give = (item) => port.postMessage(item);
  port.onmessage = ({ data }) => (data === "leave" ? feed.leave(give) : feed.see(give, data === "follow"));
};

addEventListener("connect", /** @type {any} */ (connect));
