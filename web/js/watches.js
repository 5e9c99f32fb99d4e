// Watches: what was delivered to one, for the inspector and for the way of the
// request that opened it.

import { act } from './app.js';
import { clock, element } from './format.js';
import { t } from './i18n.js';
import { said } from './said.js';

// range is what a watch is on: a key, or all keys from there on.
/** @param {Watch} w */
export const range = (w) => (w.end ? `${w.key}${w.end === '\u0000' ? '…' : '*'}` : w.key);

// state says how far a watch has come, or why it has ended.
/** @param {Watch} w */
export const state = (w) =>
  w.open ? t('watch.received', { n: w.received, next: w.next }) : `${t('watch.closed')} ${said(w.reason)}`;

// fill puts the last events of a watch into a list, the newest first.
/**
 * @param {HTMLElement} list
 * @param {Watch} w
 */
export function fill(list, w) {
  const key = `${w.id} ${w.received}`;
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...(w.events || [])
      .slice(-6)
      .reverse()
      .map((e) =>
        element(
          'li',
          {},
          element('span', {}, clock(e.at)),
          element('span', {}, `${e.type} ${e.key}${e.type === 'PUT' ? `=${e.value}` : ''}`),
          element('span', {}, `rev ${e.revision}`),
        ),
      ),
  );
}

// cancel ends a watch of the visitor's; those of others are not his to end.
/** @param {Watch} w */
export const cancel = (w) =>
  w.client || !w.open
    ? null
    : element(
        'button',
        { type: 'button', class: 'tiny', onclick: () => act({ cmd: 'cancel-watch', request: w.id }) },
        t('watch.cancel'),
      );
