// Looking into a member: how often, and how what is seen gets into the document.

import { app, recorded } from './app.js';
import { element, keepFocus } from './format.js';
import { t } from './i18n.js';

/** @typedef {(update: (m: Member, f: Frame) => void) => void} Later what a builder does with each new frame */

// look asks what a member holds; an error is the answer, too.
/**
 * @param {number} member
 * @param {string} tab
 * @param {object} [query]
 */
export function look(member, tab, query = {}) {
  const answer = app.call().inspect(member, tab, JSON.stringify(query));
  return answer.error ? { error: answer.error } : JSON.parse(answer.text);
}

// pace: what a tab shows is read some times a second, and at once when time stands still.
const every = 200; // ms
/**
 * @param {Later} later
 * @param {(m: Member, f: Frame) => void} run
 */
export function paced(later, run) {
  let last = 0,
    seen = '';
  const now = (m, f) => {
    last = performance.now();
    seen = `${m.id}|${f.now}|${f.epoch}`;
    run(m, f);
  };
  later((m, f) => {
    if (`${m.id}|${f.now}|${f.epoch}` === seen) return;
    if (!f.playing || performance.now() - last > every) now(m, f);
  });
  return now;
}

// rebuild replaces what is in a box if its key has changed.
/**
 * @param {HTMLElement} box
 * @param {unknown} key
 * @param {() => (Node | null)[]} make
 */
export function rebuild(box, key, make) {
  const now = JSON.stringify(key);
  if (box.dataset.key === now) return;
  box.dataset.key = now;
  keepFocus(box, () => box.replaceChildren(...make().filter(Boolean)));
}

// none says why a recording cannot show this.
/** @param {Frame} f */
export const none = (f) => (recorded(f) ? [element('p', { class: 'hint' }, t('inside.recording'))] : null);

/** @param {string} key @param {object} [values] */
export const hint = (key, values) => element('p', { class: 'hint' }, t(key, values));

// deed: what an entry does, as one would type it.
/** @param {any} p */
export const deed = (p) => [p.op, p.key, p.value].filter(Boolean).join(' ');
