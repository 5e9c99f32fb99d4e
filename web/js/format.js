// Numbers as people read them. Times are nanoseconds.

import { t } from './i18n.js';

// name is how a member is called: S1, or what its recording says.
/** @type {Map<number, string>} */
const called = new Map();
/** @param {number} id */
export const name = (id) => called.get(id) ?? `S${id}`;

// client is what a client is called: the visitor, a simulated one, or somebody of
// whom only members tell.
/** @param {number} id */
export const client = (id) => (id > 0 ? `C${id}` : t(id < 0 ? 'req.outside' : 'stage.you'));

// callThem notes the names of the members of a frame.
/** @param {Member[]} members */
export function callThem(members) {
  called.clear();
  for (const m of members) called.set(m.id, /^s\d+$/.test(m.name) ? `S${m.name.slice(1)}` : m.name);
}

// clock: 01:04.318
/** @param {number} ns */
export function clock(ns) {
  const ms = Math.floor(ns / 1e6),
    s = Math.floor(ms / 1000),
    m = Math.floor(s / 60);
  const two = (n) => String(n).padStart(2, '0');
  const hours = m >= 60 ? `${Math.floor(m / 60)}:` : '';
  return `${hours}${two(m % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

// stamp: 0:27.95, as short as a list of many times wants it
/** @param {number} ns */
export function stamp(ns) {
  const cs = Math.floor(ns / 1e7),
    s = Math.floor(cs / 100),
    m = Math.floor(s / 60);
  const two = (n) => String(n).padStart(2, '0');
  const minutes = m >= 60 ? `${Math.floor(m / 60)}:${two(m % 60)}` : m;
  return `${minutes}:${two(s % 60)}.${two(cs % 100)}`;
}

// span: 640 ms, 1.2 s, 85 µs
/** @param {number} ns */
export function span(ns) {
  const abs = Math.abs(ns);
  if (abs < 1) return '0 ms';
  if (abs >= 60e9) return `${trim(ns / 60e9, 1)} min`;
  if (abs >= 1e9) return `${trim(ns / 1e9, abs >= 10e9 ? 0 : 2)} s`;
  if (abs >= 1e6) return `${trim(ns / 1e6, abs >= 100e6 ? 0 : abs >= 10e6 ? 1 : 2)} ms`;
  if (abs >= 1e3) return `${trim(ns / 1e3, 0)} µs`;
  return `${trim(ns, 0)} ns`;
}

/**
 * @param {number} n
 * @param {number} digits
 */
function trim(n, digits) {
  return n
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

/** @param {number} n */
export function bytes(n) {
  if (n >= 1 << 20) return `${trim(n / (1 << 20), 1)} MiB`;
  if (n >= 1 << 10) return `${trim(n / (1 << 10), 1)} KiB`;
  return `${n} B`;
}

// speed: 0.02x, 1x, 250x
/** @param {number} v */
export function speed(v) {
  return `${v >= 10 ? Math.round(v) : Number(v.toPrecision(2))}x`;
}

// element builds DOM: element('button', {class: 'btn', onclick: f}, 'text', child)
/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes] those that are false, null or undefined are left out
 * @param {(Node | string | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) {
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v);
    else if (k.startsWith('aria-')) el.setAttribute(k, String(v));
    else if (v === true) el.setAttribute(k, '');
    else if (v !== false && v != null) el.setAttribute(k, v);
  }
  el.append(...children.filter((c) => c != null));
  return el;
}

// keepFocus rebuilds what is in a box. A button that had the focus gives it to the
// one that takes its place, else to the first, else to the box: a visitor who walks
// through the page by Tab must not be thrown back to its beginning.
/**
 * @param {HTMLElement} box
 * @param {() => void} rebuild
 */
export function keepFocus(box, rebuild) {
  const had = box.contains(document.activeElement) ? document.activeElement : null;
  rebuild();
  if (!had || document.activeElement === had) return;
  const called = (el) => el.dataset.id || el.id || el.getAttribute('aria-label');
  const buttons = [...box.querySelectorAll('button')];
  (buttons.find((b) => called(b) === called(had)) ?? buttons[0] ?? box).focus({ preventScroll: true });
}

// hide takes a control away, or shows it. If it has the focus, the one beside it gets it.
/**
 * @param {HTMLElement} control
 * @param {boolean} yes
 * @param {HTMLElement} beside
 */
export function hide(control, yes, beside) {
  if (yes && control.contains(document.activeElement)) beside.focus({ preventScroll: true });
  control.hidden = yes;
}

// icon draws a symbol of index.html.
/** @param {string} id */
export function icon(id) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#${id}`);
  svg.append(use);
  return svg;
}

// termColor is the hue of a raft term.
/** @param {number} term */
export const termColor = (term) => (term ? `var(--t${((term - 1) % 6) + 1})` : 'var(--muted)');

// paint sets a color without an inline style attribute, which the page's
// content security policy forbids.
/**
 * @param {HTMLElement} el
 * @param {string} color
 */
export function paint(el, color) {
  el.style.color = color;
  return el;
}

// able says whether a control can act now, and in its title why it cannot. It
// stays in the tab order and keeps the focus all the while: with the attribute
// "disabled" a press of Enter could take the focus from under the visitor.
/**
 * @param {HTMLElement} el
 * @param {string | false} why
 * @param {string} [title]
 */
export function able(el, why, title = '') {
  const off = String(Boolean(why));
  if (el.getAttribute('aria-disabled') !== off) el.setAttribute('aria-disabled', off);
  if (el.title !== (why || title)) el.title = why || title;
}

// text sets an element's text only if it changed, so that selections and
// screen readers are left in peace.
/**
 * @template {Node} T
 * @param {T} el
 * @param {string} value
 */
export function text(el, value) {
  if (el.textContent !== value) el.textContent = value;
  return el;
}
