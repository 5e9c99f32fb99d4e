// Ranges of keys.

// prefixEnd is the end of the range of all keys with this prefix: the first text
// behind them. Keys are ordered by their UTF-8 bytes, which is the order of code
// points; between U+D7FF and U+E000 there are none, and U+10FFFF has none behind it.
/** @param {string} key */
export function prefixEnd(key) {
  const points = [...key].map((c) => c.codePointAt(0));
  while (points.length && points.at(-1) === 0x10ffff) points.pop();
  if (!points.length) return '\0'; // all keys from this one on
  const last = points.pop();
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
