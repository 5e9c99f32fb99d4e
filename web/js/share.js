// A link to this moment: how the world was made, what was done to it, and what is looked
// at, packed into the fragment of the address, which no server sees.

import { app, recorded, toast, vitrine } from './app.js';
import { byId } from './dom.js';
import { able } from './format.js';
import { t } from './i18n.js';

const mark = '#run=';
const longest = 16 << 10; // characters: programs that pass links on cut longer ones
const largest = 256 << 10; // bytes of what a link unpacks to
const patience = 700; // ms
const latest = 86_400e9; // a day: to come to a moment takes as long as it takes to simulate it

export function start() {
  const button = byId('share');
  button.addEventListener('click', share);
  let epoch = -1;
  vitrine.subscribe((f) => {
    able(button, recorded(f));
    // Another world is not the one of the link.
    if (epoch !== -1 && f.epoch !== epoch && location.hash.startsWith(mark))
      history.replaceState(null, '', location.pathname + location.search);
    epoch = f.epoch;
  });
}

// share puts the link into the address and, where that is allowed, on the clipboard.
async function share() {
  const why = recorded(app.frame);
  if (why) return void toast(why, true);
  const link = new URL(await linkTo(app.call().memory()), location.href).href;
  if (link.length > longest) return void toast(t('share.tooLong', { n: link.length, max: longest }));
  history.replaceState(null, '', link);
  // A clipboard may be refused, or leave one waiting for ever where nobody has the focus.
  const late = new Promise((_, no) => setTimeout(no, patience));
  try {
    await Promise.race([navigator.clipboard.writeText(link), late]);
    toast(t('share.copied', { n: link.length }), true);
  } catch {
    toast(t('share.address', { n: link.length }), true);
  }
}

// linkTo is the fragment that brings a memory back.
/** @param {string} memory */
export async function linkTo(memory) {
  const packed = await collected(
    new Blob([memory]).stream().pipeThrough(new CompressionStream('deflate-raw')),
    Infinity,
  );
  const letters = packed.reduce((all, byte) => all + String.fromCharCode(byte), '');
  return mark + btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// shared is the memory that a fragment holds, paused at its moment, or null if it holds
// none. An error says that the link is no good.
/** @param {string} fragment */
export async function shared(fragment) {
  if (!fragment.startsWith(mark)) return null;
  const letters = atob(fragment.slice(mark.length).replaceAll('-', '+').replaceAll('_', '/'));
  const packed = Uint8Array.from(letters, (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const memory = JSON.parse(new TextDecoder().decode(await collected(unpacked, largest)));
  if (!(memory.now >= 0 && memory.now <= latest)) throw new Error(`now: ${memory.now}`);
  return JSON.stringify({ ...memory, playing: false });
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} limit bytes
 */
async function collected(stream, limit) {
  const parts = [],
    reader = stream.getReader();
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    if ((size += value.length) > limit) throw new Error(`more than ${limit} B`);
  }
}
