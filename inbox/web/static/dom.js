// Elements of the page. A mail's words go in as text, never as markup.

/** @typedef {HTMLElement & Record<string, any>} AnyElement an element, with the properties of its kind */
/** @typedef {string | Node | null} Child null and "" add nothing */

/**
 * Return the element with this id.
 * @param {string} id
 * @returns {AnyElement}
 */
export function byId(id) {
  return /** @type {AnyElement} */ (document.getElementById(id));
}

export const main = byId("main");
export const list = byId("messages");

/**
 * Return a new element. A name that is not a property of the element becomes an attribute.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...Child} children
 * @returns {AnyElement}
 */
export function el(tag, properties = {}, ...children) {
  /** @type {AnyElement} */
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * Return an icon of the page's sprite.
 * @param {string} name
 * @param {string} [className]
 * @returns {SVGElement}
 */
export function icon(name, className = "icon") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * Return a table of names and values.
 * @param {[string, Child][]} rows
 * @returns {AnyElement}
 */
export function table(rows) {
  const body = rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("table", { className: "fields" }, el("tbody", {}, ...body));
}

/**
 * Return a button with an icon, which is on or off.
 * @param {Node} shown
 * @param {string} label
 * @param {boolean} pressed
 * @param {() => void} clicked
 * @returns {AnyElement}
 */
export function toggle(shown, label, pressed, clicked) {
  const made = button("", label, clicked);
  made.classList.add("toggle");
  made.title = label;
  made.setAttribute("aria-pressed", String(pressed));
  made.append(shown);
  return made;
}

/**
 * Return a small button.
 * @param {string} text
 * @param {string} label for screen readers
 * @param {(button: AnyElement) => void} clicked
 * @returns {AnyElement}
 */
export function button(text, label, clicked) {
  const made = el("button", { type: "button", className: "button small", "aria-label": label }, text);
  made.addEventListener("click", () => clicked(made));
  return made;
}
