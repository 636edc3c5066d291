// The names and addresses in a header. A mail can put 64 KiB of anything into it: each function takes linear time.

/**
 * Return the name in `Ann Example <ann@example.com>`, or the address.
 * @param {string} header
 * @returns {string}
 */
export function nameOf(header) {
  const text = header.trim();
  const quote = text.startsWith('"') ? text.indexOf('"', 1) : -1;
  const begin = text.indexOf("<", quote + 1);
  const end = begin < 0 ? -1 : text.indexOf(">", begin);
  if (end < 0) return text;
  const name = quote > 0 ? text.slice(1, quote) : text.slice(0, begin);
  return name.trim() || text.slice(begin + 1, end).trim();
}

/**
 * Return the addresses of a header, each with its name. A comma in a name does not end an address.
 * @param {string} header
 * @returns {string[]}
 */
export function split(header) {
  /** @type {string[]} */
  const all = [];
  for (const piece of header.split(",")) {
    if (!all.length || piece.includes("@")) all.push(piece.trim());
    else all[all.length - 1] += `,${piece}`;
  }
  return all;
}

/**
 * Return an address with its name, which gets quotes where it could look like an address.
 * @param {import("./api.js").Address} address
 * @returns {string}
 */
export function written({ name, address }) {
  if (!name || !address) return name || address;
  return `${/[()<>[\]:;@\\,"]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name} <${address}>`;
}

/**
 * Return the words of headers that can be addresses, in lower case.
 * @param {string} headers
 * @returns {Set<string>}
 */
export function addressesIn(headers) {
  return new Set(headers.toLowerCase().split(/[\s,;:<>()"]+/));
}
