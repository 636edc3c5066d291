// The codes in a text, such as those of a sign-in.

const READ = 128 * 1024; // characters of a text
const BEFORE = 60; // characters before a number in which a word makes it a code
const AFTER = 30; // characters after it
const SHOWN = 3;

const NUMBER = /(?<![\w.,:/#+€$£-])\d{4,8}(?![\w€$£%]|[.,:/-]\w)/g;
const WORD = /(?<!\/)(?:code|codes|c[oó]digo|codice|passwor[dt]|passcode|pin|otp|tan|verif\w{0,12})(?!\w)/i;
const YEAR = /^(?:19|20)\d\d$/;

/**
 * Return the numbers of four to eight digits that stand near a word such as "code". A year counts where it is alone.
 * @param {string} text
 * @returns {string[]}
 */
export function codesIn(text) {
  const found = new Set();
  const read = text.slice(0, READ);
  for (const { 0: number, index } of read.matchAll(NUMBER)) {
    const after = index + number.length;
    if (WORD.test(`${read.slice(Math.max(0, index - BEFORE), index)} ${read.slice(after, after + AFTER)}`)) {
      found.add(number);
    }
    if (found.size > 2 * SHOWN) break;
  }
  const all = [...found];
  const codes = all.filter((number) => !YEAR.test(number));
  return (codes.length ? codes : all).slice(0, SHOWN);
}
