// The way of a request, station by station, with true times. Names of stations
// are those of etcd's own slow-request log.

import { byId } from './dom.js';
import { act, app, refresh } from './app.js';
import { refusal } from './conf.js';
import { client, element, keepFocus, name, span, text } from './format.js';
import { has, onLanguage, t } from './i18n.js';
import { denial } from './users.js';
import { cancel, fill, state } from './watches.js';
import { came, lack, mine, order, remarksOf } from './why.js';

const picker = byId('picker'),
  lane = byId('lane');
let pinned = 0,
  epoch = -1,
  drawn = '',
  listed = '';
let events = null,
  count = null; // of the watch that the request has opened

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  let mine = 0;
  const render = (f) => {
    if (!f) return;
    if (f.epoch !== epoch) {
      epoch = f.epoch;
      dismissed.clear();
    }
    const all = (f.requests || []).filter((r) => !dismissed.has(r.id));
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

// The visitor's own requests stay in the list until he sends them away.
const dismissed = new Set();
/**
 * @param {ClientRequest[]} all
 * @param {ClientRequest} current
 */
function pick(all, current) {
  const list = order(all);
  const key = list.map((r) => `${r.id}${r.status}${r.missed ? 'old' : ''}`).join() + current?.id;
  if (key === listed) return;
  listed = key;
  keepFocus(picker, () =>
    picker.replaceChildren(
      ...list.map((r) =>
        element(
          'button',
          {
            type: 'button',
            class: `${r.status}${r.missed ? ' old' : ''}${mine(r) ? ' mine' : ''}`,
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
  picker.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

let outcome = null, // what came of it, or why it waits
  waits = null; // and how long

/**
 * @param {ClientRequest} r
 * @param {Frame} f
 */
function way(r, f) {
  const pending = r.status === 'pending';
  const w = f.watches.find((w) => w.id === r.id);
  const key = `${r.id}|${r.status}|${r.stations?.length}|${r.attempts}|${w?.open}|${w?.member}|${r.fate}`;
  if (key !== drawn) {
    drawn = key;
    const stations = r.stations || [];
    events = w ? element('ul', { class: 'events' }) : null;
    count = w ? element('p', { class: 'hint' }) : null;
    outcome = element('span', { class: 'answer' });
    waits = element('time');
    const first = lane.querySelector('h3')?.dataset.id !== String(r.id);
    keepFocus(lane, () =>
      lane.replaceChildren(
        heading(r, w),
        element('p', { class: `outcome ${r.missed ? 'old' : r.status}` }, outcome, waits, ...remarks(r)),
        ...(w ? [element('div', { class: 'watch-card' }, element('header', {}, count, cancel(w)), events)] : []),
        element(
          'ol',
          {},
          ...stations.map((s, i) => station(s, r, title(s, i, r), pending && i === stations.length - 1 ? 'now' : '')),
          express(r) ? element('li', { class: 'skipped' }, element('span', {}, t('req.express'))) : null,
        ),
      ),
    );
    if (first) lane.scrollTop = 0;
  }
  text(outcome, pending ? lack(r, f) : came(r));
  text(waits, pending ? t('req.waits', { span: span(f.now - r.issued) }) : span((r.done ?? f.now) - r.issued));
  if (w) {
    text(count, state(w));
    fill(events, w);
  }
}

/**
 * @param {ClientRequest} r
 * @param {Watch} [w]
 */
function heading(r, w) {
  const member = w?.member || r.member; // a watch moves
  return element(
    'h3',
    { title: has(`op.${r.op}`) ? t(`op.${r.op}`) : '', 'data-id': r.id },
    r.text,
    element(
      'small',
      {},
      t('req.where', { client: client(r.client), member: member ? name(member) : '–', n: r.attempts }),
    ),
    mine(r) && r.status !== 'pending' && !w?.open
      ? element('button', { type: 'button', class: 'tiny', onclick: () => dismiss(r) }, t('req.dismiss'))
      : null,
  );
}

/** @param {ClientRequest} r */
function dismiss(r) {
  dismissed.add(r.id);
  drawn = listed = '';
  pinned = 0;
  refresh();
}

/** @param {ClientRequest} r */
const remarks = (r) =>
  [...(r.denied ? [denial(r)] : []), refusal(r, app.frame), ...remarksOf(r)]
    .filter(Boolean)
    .map((words) => element('small', {}, words));

// express: an answered read that has asked nobody.
/** @param {ClientRequest} r */
const express = (r) => r.op === 'get' && r.status === 'ok' && !r.stations?.some((s) => /read index/.test(s.name));

// title: what the simulator calls "client" is the start, the end, or another
// attempt; etcd's own trace steps keep their words.
const ends = { ok: 'got', error: 'failed', unknown: 'gaveUp' };
/**
 * @param {Station} s
 * @param {number} i
 * @param {ClientRequest} r
 */
function title(s, i, r) {
  const last = i > 0 && r.stations.findLastIndex((o) => o.name === 'client') === i && ends[r.status];
  const key = s.name !== 'client' ? s.name : i === 0 ? 'sent' : last || 'retry';
  return has(`station.${key}`) ? t(`station.${key}`) : s.name;
}

// note is the entry or the revision that a station is about.
/** @param {Station} s */
const note = (s) => (s.note && has(`note.${s.name}`) ? element('em', {}, t(`note.${s.name}`, { n: s.note })) : null);

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
    element('span', {}, words, where && element('em', {}, where), note(s)),
    element('time', {}, span(s.at - r.issued)),
    has(`step.${s.name}`) ? element('small', {}, t(`step.${s.name}`)) : null,
  );
}
