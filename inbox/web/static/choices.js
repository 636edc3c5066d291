// How a reader wants to see messages. The browser remembers it.

const KEY = "rrpy-inbox-view";
export const WIDTHS = ["full", "phone", "tablet", "desktop"];

/**
 * `width`: of the HTML, one of WIDTHS; `dark`: the HTML in dark mode; `mono`: the text in a font of one width
 * @type {{ width: string, dark: boolean, mono: boolean }}
 */
export const choices = { width: WIDTHS[0], dark: false, mono: false };
remember();

function remember() {
  try {
    const { width, dark, mono } = JSON.parse(localStorage.getItem(KEY) || "{}");
    if (WIDTHS.includes(width)) choices.width = width;
    choices.dark = dark === true;
    choices.mono = mono === true;
  } catch {
    // The browser stores nothing, or another program wrote it: the choices begin anew.
  }
}

/**
 * Choose, for this message and later ones.
 * @param {Partial<typeof choices>} chosen
 */
export function choose(chosen) {
  Object.assign(choices, chosen);
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // The choices last as long as the page.
  }
}
