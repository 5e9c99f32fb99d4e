// The way of a request, station by station, with true times. Names of stations
// are those of etcd's own slow-request log.

import { byId } from './dom.js';
import { act, app } from './app.js';
import { client, element, keepFocus, name, span, text } from './format.js';
import { has, onLanguage, t } from './i18n.js';
import { denial } from './users.js';
import { cancel, fill, state } from './watches.js';

const picker = byId('picker'),
  lane = byId('lane');
let pinned = 0,
  drawn = '',
  listed = '',
  followed = '';
let events = null,
  count = null; // of the watch that the request has opened

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  let mine = 0;
  const render = (f) => {
    if (!f) return;
    const all = f.requests || [];
    // A new request of the visitor draws the eye; so does one chosen elsewhere.
    if (f.chosen.request !== mine) {
      mine = f.chosen.request;
      pinned = mine;
    }
    const r = all.find((r) => r.id === pinned) ?? newest(all);
    pick(all, r);
    if (r) way(r, f);
    else if (drawn !== 'none') {
      drawn = 'none';
      keepFocus(lane, () => lane.replaceChildren(element('p', { class: 'hint' }, t('req.none'))));
    }
  };
  vitrine.subscribe(render);
  onLanguage(() => {
    drawn = listed = '';
    render(app.frame);
  });
}

// newest finished request, so that the list of stations stays still long
// enough to be read; a pending one if it takes long.
/** @param {ClientRequest[]} all */
function newest(all) {
  const done = all.filter((r) => r.status !== 'pending');
  return done[done.length - 1] ?? all[all.length - 1];
}

/**
 * @param {ClientRequest[]} all
 * @param {ClientRequest} current
 */
function pick(all, current) {
  const list = all.slice(-9).reverse();
  const at = list.indexOf(current);
  if (current && (at < 0 || at > 2)) {
    // only the first three are sure to be seen
    if (at > 0) list.splice(at, 1);
    list.unshift(current);
  }
  const key = list.map((r) => `${r.id}${r.status}`).join() + current?.id;
  if (key === listed) return;
  listed = key;
  keepFocus(picker, () =>
    picker.replaceChildren(
      ...list.map((r) =>
        element(
          'button',
          {
            type: 'button',
            class: r.status,
            'data-id': r.id,
            'aria-pressed': r === current,
            title: t(`req.${r.status}`),
            onclick: () => {
              pinned = r.id;
              act({ cmd: 'select', request: r.id });
            },
          },
          element('i'),
          element('span', {}, `${client(r.client)} ${r.text}`),
        ),
      ),
    ),
  );
}

/**
 * @param {ClientRequest} r
 * @param {Frame} f
 */
function way(r, f) {
  const pending = r.status === 'pending';
  const key = `${r.id}|${r.status}|${r.stations?.length}|${r.attempts}|${f.watches.find((w) => w.id === r.id)?.open}`;
  if (key !== drawn) {
    drawn = key;
    const passed = pending
      ? r.stations || []
      : (r.stations || []).filter((s, i, all) => i === 0 || i < all.length - 1 || s.name !== 'client');
    const stations = passed.map((s, i, all) =>
      station(s, r, title(s, i), pending && i === all.length - 1 ? 'now' : ''),
    );
    const end = pending
      ? null
      : element(
          'li',
          { class: r.status === 'ok' ? 'end' : 'failed' },
          element('span', { class: 'answer' }, r.status === 'ok' ? r.result || 'OK' : r.error || t(`req.${r.status}`)),
          element('time', {}, span(r.done - r.issued)),
          r.denied ? element('small', {}, denial(r)) : null,
          r.status === 'unknown'
            ? element('small', {}, t('req.unknownHint'))
            : r.revision
              ? element('small', {}, t('req.revision', { rev: r.revision }))
              : null,
        );
    const w = f.watches.find((w) => w.id === r.id);
    events = w ? element('ul', { class: 'events' }) : null;
    count = w ? element('p', { class: 'hint' }) : null;
    keepFocus(lane, () =>
      lane.replaceChildren(
        element(
          'h3',
          { title: has(`op.${r.op}`) ? t(`op.${r.op}`) : '' },
          r.text,
          element(
            'small',
            {},
            t('req.where', {
              client: client(r.client),
              member: r.member ? name(r.member) : '–',
              n: r.attempts,
            }),
          ),
        ),
        element(
          'ol',
          {},
          ...stations,
          express(r) ? element('li', { class: 'skipped' }, element('span', {}, t('req.express'))) : null,
          end,
        ),
        ...(w ? [element('div', { class: 'watch-card' }, element('header', {}, count, cancel(w)), events)] : []),
      ),
    );
  }
  const w = events && f.watches.find((w) => w.id === r.id);
  if (w) {
    text(count, state(w));
    fill(events, w);
  }
  const now = lane.querySelector('li.now time');
  if (key !== followed) {
    // keep the newest station in sight while it goes on
    followed = key;
    lane.scrollTop = pending ? lane.scrollHeight : 0;
  }
  if (now && pending) text(now, `${span(f.now - r.issued)} …`);
}

// express: an answered read that has asked nobody.
/** @param {ClientRequest} r */
const express = (r) => r.op === 'get' && r.status === 'ok' && !r.stations?.some((s) => /read index/.test(s.name));

// title: what the simulator calls "client" is the start, the end, or another
// attempt; etcd's own trace steps keep their words.
/**
 * @param {Station} s
 * @param {number} i
 */
function title(s, i) {
  const key = s.name !== 'client' ? s.name : i === 0 ? 'sent' : 'retry';
  return has(`station.${key}`) ? t(`station.${key}`) : s.name;
}

/**
 * @param {Station} s
 * @param {ClientRequest} r
 * @param {string} words
 * @param {string} cls
 */
function station(s, r, words, cls) {
  const where = s.member ? name(s.member) : '';
  return element(
    'li',
    { class: cls },
    element('span', {}, words, where && element('em', {}, where)),
    element('time', {}, span(s.at - r.issued)),
    has(`step.${s.name}`) ? element('small', {}, t(`step.${s.name}`)) : null,
  );
}
