// The operators below the search field, while one types (as in the pattern "Combobox" of the ARIA Authoring Practices).

import { byId, el } from "./dom.js";
import { completed, suggested } from "./operators.js";

let active = -1; // the chosen one, -1 for none

/** Suggest operators for what the field has. */
export function suggest() {
  const found = document.activeElement === byId("search") ? suggested(byId("search").value) : [];
  active = -1;
  byId("suggestions").replaceChildren(...found.map(option));
  showAny(found.length > 0);
}

/** Suggest nothing. */
export function endSuggestions() {
  active = -1;
  showAny(false);
}

/** @param {boolean} any */
function showAny(any) {
  byId("suggestions").hidden = !any;
  byId("search").setAttribute("aria-expanded", String(any));
  byId("search").removeAttribute("aria-activedescendant");
}

/**
 * @param {[string, string]} operator
 * @param {number} index
 */
function option([name, meaning], index) {
  const row = el("li", { id: `suggestion-${index}`, role: "option", "aria-selected": "false", "data-name": name });
  row.append(el("code", {}, name), el("span", {}, meaning));
  return row;
}

/**
 * Take a key of the field. Return whether it was one of the suggestions' keys.
 * @param {string} key
 * @returns {boolean}
 */
export function onSuggestionKey(key) {
  const rows = /** @type {HTMLElement[]} */ ([...byId("suggestions").children]);
  if (byId("suggestions").hidden) return false;
  if (key === "Enter" && active >= 0) {
    take(rows[active]);
    return true;
  }
  if (key !== "ArrowDown" && key !== "ArrowUp") return false;
  active = (active + (key === "ArrowDown" ? 1 : rows.length + (active < 0 ? 1 : 0) - 1)) % rows.length;
  for (const [index, row] of rows.entries()) row.setAttribute("aria-selected", String(index === active));
  rows[active].scrollIntoView({ block: "nearest" });
  byId("search").setAttribute("aria-activedescendant", rows[active].id);
  return true;
}

/** @param {MouseEvent} event */
export function onSuggestionClick(event) {
  event.preventDefault(); // the field keeps the keyboard
  const row = /** @type {Element} */ (event.target).closest("li");
  if (row) take(row);
}

/** @param {HTMLElement} row */
function take(row) {
  const field = byId("search");
  field.value = completed(field.value, row.dataset.name || "");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
