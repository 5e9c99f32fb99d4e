// What else can go wrong, and how elections are held: for the chosen member, for the
// network, and for a new world. Closed at first, so that the page begins calmly.

import { act, app, memberOf, recorded, shown } from './app.js';
import { again, back } from './bar.js';
import { byId } from './dom.js';
import { able, element, name, span, text } from './format.js';
import { onLanguage, t } from './i18n.js';

/** @type {((m: Member, f: Frame) => void)[]} */
let updates = [];
let built = '';

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const box = byId('more'),
    body = byId('more-body');
  const render = (f) => {
    const m = f && memberOf(f, shown(f));
    if (!m || !box.hasAttribute('open')) return;
    const key = `${f.epoch}|${m.id}|${t('more.title')}`;
    if (key !== built) {
      built = key;
      updates = [];
      body.replaceChildren(...contents(m, f));
    }
    for (const run of updates) run(m, f);
  };
  box.addEventListener('toggle', () => render(app.frame));
  vitrine.subscribe(render);
  onLanguage(() => render(app.frame));
}

/**
 * @param {Member} m
 * @param {Frame} f
 */
function contents(m, f) {
  const of = { member: m.id };
  return [
    element('h3', {}, t('more.member', { name: name(m.id) })),
    button(
      'torn',
      () => ({ cmd: 'crash', torn: 50, ...of }),
      (m) => (m.alive ? '' : t('not.down', { name: name(m.id) })),
    ),
    choice('fail', ['write', 'full', 'sync', 'commit', 'read'], (kind) => ({ cmd: 'fail', name: kind, ...of })),
    choice(
      'rot',
      ['bit', 'zeros', 'misdirected', 'cut'],
      (kind, m) => ({
        cmd: 'rot',
        name: kind,
        rev: Math.floor(m.walBytes / 2),
        ...of,
      }),
      (kind, m) => (kind === 'cut' && m.alive ? t('more.not.alive', { name: name(m.id) }) : ''),
    ),
    slider(
      'fsync',
      time(0.05e6, 2000e6),
      (d) => turned(d, m.id).fsync,
      (v) => ({ cmd: 'set', name: 'fsync', value: ns(v), ...of }),
    ),
    slider(
      'apply',
      time(0.02e6, 2000e6),
      (d) => turned(d, m.id).apply,
      (v) => ({ cmd: 'set', name: 'apply', value: ns(v), ...of }),
    ),
    slider(
      'clock',
      rate,
      (d) => turned(d, m.id).clock,
      (v) => ({ cmd: 'clock', value: v.toFixed(2), ...of }),
    ),
    element('h3', {}, t('more.time')),
    choice(
      'back',
      Object.keys(spans),
      (kind) => back(spans[kind]),
      () => (app.frame.replay ? t('more.back.not') : ''),
    ),
    element('h3', {}, t('more.network')),
    slider(
      'jitter',
      time(0.1e6, 500e6),
      (d) => d.jitter,
      (v) => ({ cmd: 'set', name: 'jitter', value: ns(v) }),
    ),
    slider(
      'duplicate',
      share,
      (d) => d.duplicate,
      (v) => ({ cmd: 'set', name: 'duplicate', value: String(v) }),
    ),
    element('h3', {}, t('more.elections')),
    slider(
      'spread',
      share,
      (d) => d.spread,
      (v) => ({ cmd: 'set', name: 'spread', value: String(v) }),
    ),
    world(f),
  ];
}

// spans are how far one may go back at once, ns.
const spans = { tenth: 1e8, second: 1e9, ten: 1e10, all: Infinity };

/** @param {number} v */
const ns = (v) => `${Math.round(v)}ns`;
/**
 * @param {Dials} d
 * @param {number} id
 */
const turned = (d, id) => d.members.find((x) => x.id === id) ?? { fsync: 0, apply: 0, clock: 1 };

/**
 * A scale maps a slider's place, from 0 to 1, to a value and back.
 * @typedef {{ value: (x: number) => number, place: (v: number) => number, show: (v: number) => string }} Scale
 */

/**
 * @param {number} low
 * @param {number} high
 * @returns {Scale}
 */
const time = (low, high) => ({
  value: (x) => (x <= 0 ? 0 : low * (high / low) ** x),
  place: (v) => (v <= low ? (v > 0 ? 0.01 : 0) : Math.log(v / low) / Math.log(high / low)),
  show: span,
});
/** @type {Scale} */
const share = { value: (x) => Math.round(x * 100) / 100, place: (v) => v, show: (v) => `${Math.round(v * 100)} %` };
/** @type {Scale} From a quarter of the right rate to four times of it. */
const rate = {
  value: (x) => Math.round(100 * 4 ** (2 * x - 1)) / 100,
  place: (v) => (Math.log(v) / Math.log(4) + 1) / 2,
  show: (v) => `${Math.round(v * 100) / 100}x`,
};

/**
 * @param {string} id
 * @param {Scale} scale
 * @param {(d: Dials) => number} of
 * @param {(v: number) => Command} send
 */
function slider(id, scale, of, send) {
  const input = element('input', { type: 'range', id: `more-${id}`, min: '0', max: '1', step: '0.01' }),
    out = element('output');
  input.addEventListener('input', () => {
    if (!recorded(app.frame)) act(send(scale.value(Number(input.value))));
  });
  updates.push((_, f) => {
    able(input, recorded(f), t(`more.${id}.hint`));
    if (!f.dials) return;
    const v = of(f.dials);
    if (document.activeElement !== input) input.value = String(scale.place(v));
    text(out, scale.show(v));
    if (input.getAttribute('aria-valuetext') !== out.textContent) input.setAttribute('aria-valuetext', out.textContent);
  });
  return element(
    'label',
    { class: 'dial', for: `more-${id}` },
    element('span', { class: 'lab' }, element('span', {}, t(`more.${id}`)), out),
    input,
  );
}

/**
 * @param {string} id
 * @param {() => Command} send
 * @param {(m: Member) => string} not
 */
function button(id, send, not) {
  const b = element('button', { type: 'button', class: 'btn', id: `more-${id}` }, t(`more.${id}`));
  b.addEventListener('click', () => b.getAttribute('aria-disabled') !== 'true' && act(send()));
  updates.push((m, f) => able(b, recorded(f) || not(m), t(`more.${id}.hint`)));
  return b;
}

// choice is a button for one of several kinds of a thing.
/**
 * @param {string} id
 * @param {string[]} kinds
 * @param {(kind: string, m: Member) => Command | void} send what to ask for, or does it itself
 * @param {(kind: string, m: Member) => string} [not]
 */
function choice(id, kinds, send, not = () => '') {
  const select = element(
      'select',
      { id: `more-${id}-kind`, 'aria-label': t(`more.${id}`) },
      ...kinds.map((k) => element('option', { value: k }, t(`more.${id}.${k}`))),
    ),
    b = element('button', { type: 'button', class: 'btn', id: `more-${id}` }, t(`more.${id}`));
  b.addEventListener('click', () => {
    const m = memberOf(app.frame, shown(app.frame));
    if (b.getAttribute('aria-disabled') === 'true') return;
    const command = send(select.value, m);
    if (command) act(command);
  });
  updates.push((m, f) => able(b, recorded(f) || not(select.value, m), t(`more.${id}.hint`)));
  return element('p', { class: 'row' }, select, b);
}

// world is the form for what cannot change while a cluster runs.
/** @param {Frame} f */
function world(f) {
  const check = (id, on) => element('input', { type: 'checkbox', id: `more-${id}`, checked: on }),
    pre = check('prevote', !f.raft.noPreVote),
    quorum = check('quorum', !f.raft.noCheckQuorum),
    pick = (id, values, now) => {
      const el = element(
        'select',
        { id: `more-${id}` },
        ...values.map(([v, words]) => element('option', { value: v }, words)),
      );
      el.value = String(now);
      return el;
    },
    members = pick(
      'members',
      Array.from({ length: 9 }, (_, i) => [i + 1, String(i + 1)]),
      f.founded,
    ),
    ticks = [...new Set([4, 10, 20, 50, f.raft.election || 10])].sort((a, b) => a - b),
    election = pick(
      'election',
      ticks.map((n) => [n, t('more.timeout', { low: span(n * f.tick), high: span((2 * n - 1) * f.tick) })]),
      f.raft.election || 10,
    ),
    send = element('button', { type: 'submit', class: 'btn', id: 'more-world' }, t('more.world'));
  updates.push((_, f) => able(send, recorded(f)));
  const form = element(
    'form',
    { class: 'fields' },
    element('label', { for: 'more-members' }, element('span', { class: 'lab' }, t('top.members')), members),
    element('label', { for: 'more-election' }, element('span', { class: 'lab' }, t('more.election')), election),
    element('label', { class: 'check' }, pre, t('more.prevote')),
    element('label', { class: 'check' }, quorum, t('more.quorum')),
    send,
  );
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    if (recorded(app.frame)) return;
    again({
      members: Number(members.value),
      election: Number(election.value),
      preVote: pre.checked,
      checkQuorum: quorum.checked,
    });
  });
  return form;
}
