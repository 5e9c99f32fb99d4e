// The leases of a member: an hourglass each, with what is left and the keys that go
// with it. The leader alone counts their time.

import { act, app, recorded, toast } from './app.js';
import { able, element, name, span, text } from './format.js';
import { hint, look, none, paced, rebuild } from './look.js';
import { t } from './i18n.js';

const longest = 9_000_000_000; // seconds, as etcd has it

/**
 * @param {import('./look.js').Later} later
 * @param {Frame} f
 */
export function leases(later, f) {
  const why = none(f);
  if (why) return why;
  const ttl = element('input', {
      name: 'ttl',
      inputmode: 'numeric',
      value: '10',
      id: 'lease-ttl',
      autocomplete: 'off',
    }),
    grant = element('button', { type: 'submit', class: 'btn', id: 'lease-grant' }, t('lease.grant')),
    form = element(
      'form',
      { class: 'row' },
      element('label', { for: 'lease-ttl' }, element('span', { class: 'lab' }, t('lease.ttl')), ttl),
      grant,
    ),
    said = element('p', { class: 'hint' }),
    list = element('ul', { class: 'leases' });
  let ids = [];
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    if (recorded(app.frame)) return;
    const seconds = Math.round(Number(ttl.value));
    if (!(seconds >= 1 && seconds <= longest)) {
      toast(t('lease.badTTL', { text: ttl.value, max: longest }), true);
      ttl.focus();
      return;
    }
    act({ cmd: 'lease-grant', lease: free(ids), ttl: seconds, as: 'root' });
  });
  /** @type {Map<number, (one: any, p: any) => void>} */
  let glasses = new Map();
  paced(later, (m, f) => {
    able(grant, recorded(f));
    const p = look(m.id, 'leases');
    if (p.error) return void text(said, p.error);
    ids = p.leases.map((l) => l.id);
    text(said, words(p, m, f));
    rebuild(list, [ids, Boolean(p.term)], () => {
      glasses = new Map();
      return p.leases.map((l) => row(l, glasses));
    });
    for (const l of p.leases) glasses.get(l.id)?.(l, p);
  });
  return [form, hint('lease.hint'), said, list];
}

// free is the least number that no lease has.
/** @param {number[]} ids */
export function free(ids) {
  let id = 1;
  while (ids.includes(id)) id++;
  return id;
}

/**
 * @param {any} p
 * @param {Member} m
 * @param {Frame} f
 */
function words(p, m, f) {
  const rest = p.count > p.leases.length ? ` ${t('inside.more', { n: p.count - p.leases.length })}` : '';
  if (!p.count) return t('lease.none');
  if (p.term) return t('lease.counts', { name: name(m.id), term: p.term }) + rest;
  return (f.leader && f.leader !== m.id ? t('lease.elsewhere', { name: name(f.leader) }) : t('lease.nobody')) + rest;
}

/**
 * @param {any} l
 * @param {Map<number, (one: any, p: any) => void>} glasses
 */
function row(l, glasses) {
  const [glass, pour] = hourglass(),
    left = element('b', { class: 'mono' }),
    rest = element('small'),
    keys = element('span', { class: 'mono chips' });
  const button = (verb, key) =>
    element(
      'button',
      {
        type: 'button',
        class: 'btn',
        'data-id': `${verb}-${l.id}`,
        'aria-label': t(`${key}.of`, { id: l.id }),
        onclick: () => act({ cmd: verb, lease: l.id, as: 'root' }),
      },
      t(key),
    );
  glasses.set(l.id, (one, p) => {
    const ns = one.expiry - p.now,
      share = one.expiry ? Math.min(1, Math.max(0, ns / (one.ttl * 1e9))) : -1;
    pour(share);
    text(left, one.expiry ? (ns > 0 ? span(ns) : t('lease.over')) : '–');
    text(
      rest,
      t('lease.of', { ttl: one.ttl }) + (one.remaining ? ` ${t('lease.checkpoint', { left: one.remaining })}` : ''),
    );
    rebuild(keys, [one.keys, one.keyCount], () =>
      one.keyCount
        ? [
            ...one.keys.map((k) => element('i', {}, k)),
            one.keyCount > one.keys.length
              ? element('small', {}, t('inside.more', { n: one.keyCount - one.keys.length }))
              : null,
          ]
        : [element('small', {}, t('lease.noKeys'))],
    );
  });
  return element(
    'li',
    { 'data-lease': l.id },
    glass,
    element('div', {}, element('span', { class: 'lab' }, t('lease.id', { id: l.id })), left, rest, keys),
    element('div', { class: 'row' }, button('keep-alive', 'lease.keep'), button('lease-revoke', 'lease.revoke')),
  );
}

// hourglass draws one, and gives what fills it: a share of 1 is all sand above, 0
// all of it below, less than 0 none that anybody counts.
/** @returns {[SVGSVGElement, (share: number) => void]} */
function hourglass() {
  const make = (tag, attributes) => {
    const el = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) el.setAttribute(k, v);
    return el;
  };
  const svg = /** @type {SVGSVGElement} */ (
    make('svg', { viewBox: '0 0 24 36', class: 'hourglass', 'aria-hidden': 'true' })
  );
  const above = make('polygon', { class: 'sand' }),
    below = make('polygon', { class: 'sand' }),
    frame = make('path', {
      d: 'M3 2h18M3 34h18M5 2c0 8 6 10 6 16s-6 8-6 16M19 2c0 8-6 10-6 16s6 8 6 16',
      class: 'frame',
    });
  svg.append(above, below, frame);
  return [
    svg,
    (share) => {
      svg.classList.toggle('still', share < 0);
      const s = Math.max(share, 0),
        top = 17 - 13 * s, // the surface of the sand above
        half = 6 * ((17 - top) / 13), // how wide it is there
        heap = share < 0 ? 0 : 13 * (1 - s);
      above.setAttribute('points', s > 0.01 ? `${12 - half},${top} ${12 + half},${top} 12,18` : '');
      below.setAttribute(
        'points',
        heap > 0.2 ? `6,33 18,33 ${12 + 3},${33 - heap * 0.8} ${12 - 3},${33 - heap * 0.8}` : '',
      );
    },
  ];
}
