// One member, looked into: what raft, the log on disk, the store and the
// watches say. Rows are built once a tab and only their values change, so that
// focus and scrolling survive twelve updates a second.

import { actionNames, actions, doTo, label, toggleLink, whyNot } from './actions.js';
import { act, app, isCut, memberOf, shown, recorded } from './app.js';
import { being } from './conf.js';
import { byId, every } from './dom.js';
import { able, bytes, element, keepFocus, name, paint, span, termColor, text, client } from './format.js';
import { onLanguage, t } from './i18n.js';
import * as inside from './inside.js';
import { leases } from './leases.js';
import { rebuild } from './look.js';
import { users } from './users.js';
import { openMessage } from './card.js';
import { entryState, message } from './tip.js';
import { cancel, fill, range, state } from './watches.js';

const panel = byId('tabpanel');
let tab = 'raft',
  built = '',
  rows = [];

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const acts = byId('acts');
  const buttons = new Map(
    actionNames.map((n) => {
      const b = element(
        'button',
        {
          type: 'button',
          class: n === 'crash' ? 'btn strong' : 'btn',
          id: `act-${n}`,
          'aria-keyshortcuts': actions[n].key,
          onclick: () => doTo(n, app.frame),
        },
        element('span'),
      );
      acts.append(b);
      return [n, b];
    }),
  );
  const tabs = every('#tabs [role="tab"]');
  for (const b of tabs) {
    b.addEventListener('click', () => choose(b.dataset.tab));
    b.addEventListener('keydown', (e) => {
      const d = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (d) {
        const next = tabs[(tabs.indexOf(b) + d + tabs.length) % tabs.length];
        choose(next.dataset.tab);
        next.focus();
      }
    });
  }
  const choose = (which) => {
    tab = which;
    for (const b of tabs) {
      const on = b.dataset.tab === tab;
      b.setAttribute('aria-selected', String(on));
      b.tabIndex = on ? 0 : -1;
      if (on) panel.setAttribute('aria-labelledby', b.id);
    }
    render(app.frame);
  };
  const render = (f) => {
    const m = f && memberOf(f, shown(f));
    if (!m) return;
    head(m, f);
    for (const [n, b] of buttons) {
      const key = label(n, m, f);
      text(b.firstChild, t(key));
      able(b, whyNot(n, m, f), `${t(`${key}.hint`, { name: name(m.id) })} (${actions[n].key})`);
    }
    body(m, f);
  };
  vitrine.subscribe(render);
  onLanguage(() => {
    built = '';
    render(app.frame);
  });
}

// openLease shows a lease at the member that holds it, and marks it for a moment.
/**
 * @param {number} member
 * @param {number} id
 */
export function openLease(member, id) {
  act({ cmd: 'select', member });
  byId('tab-leases').click();
  const row = document.querySelector(`[data-lease="${id}"]`);
  row?.scrollIntoView({ block: 'nearest' });
  row?.animate([{ backgroundColor: 'var(--strong)' }, {}], { duration: 900 });
}

// present tells whether that is what the inspector shows.
/**
 * @param {Frame} f
 * @param {number} member
 * @param {string} which
 */
export const present = (f, member, which) => tab === which && shown(f) === member;

/**
 * @param {Member} m
 * @param {Frame} f
 */
function head(m, f) {
  const title = byId('member-name'),
    role = byId('member-role');
  paint(text(title, name(m.id)), m.alive ? termColor(m.term) : 'var(--muted)');
  const state = being(m);
  text(role, f.chosen.member ? state : `${state} · ${t('member.following')}`);
}

// body shows the present tab; it is built anew when the kind of content changes.
/**
 * @param {Member} m
 * @param {Frame} f
 */
function body(m, f) {
  const watches = tab === 'watch' ? (f.watches?.filter((w) => w.member === m.id) ?? []) : [];
  const key = [
    tab,
    f.epoch,
    m.id,
    m.role === 'leader',
    campaigns(m),
    f.members.map((p) => p.id).join(),
    watches.map((w) => `${w.id}${w.open}`).join(),
  ].join('|');
  if (key !== built) {
    built = key;
    rows = [];
    keepFocus(panel, () => {
      panel.replaceChildren(...contents[tab](m, f, watches));
      for (const update of rows) update(m, f);
    });
    return;
  }
  for (const update of rows) update(m, f);
}

/** @type {import('./look.js').Later} */
const later = (update) => rows.push(update);

// What each tab is built of. Its parts are told of new frames by rows.
/** @type {Record<string, (m: Member, f: Frame, watches: Watch[]) => Node[]>} */
const contents = {
  raft: (m, f) =>
    [
      ...raft(m, f),
      m.role === 'leader' ? element('p', { class: 'hint' }, t('raft.marks')) : null,
      ...inside.terms(later),
    ].filter(Boolean),
  kv: (_, f) => [...inside.kv(later, f), ...keys()],
  wal: (_, f) => wal(f),
  store: (_, f) => [...inside.store(later, f), ...stored()],
  leases: (_, f) => leases(later, f),
  users: (_, f) => users(later, f),
  watch: (m, f, watches) => watch(m, f, watches),
  messages: () => messages(),
};

/**
 * A value of a row: words, or words and their color.
 * @typedef {(m: Member, f: Frame) => string | [string, string]} Value
 */

// table of [label key, value(member, frame)] rows.
/** @param {[string, Value][]} list */
function table(list) {
  const body = element('tbody');
  for (const [key, value] of list) {
    const cell = element('td');
    body.append(element('tr', {}, element('th', { scope: 'row' }, t(key)), cell));
    rows.push((m, f) => {
      const v = value(m, f);
      text(cell, Array.isArray(v) ? v[0] : v);
      if (Array.isArray(v)) paint(cell, v[1]);
    });
  }
  return element('table', {}, body);
}

/** @param {Member} m */
const campaigns = (m) => m.role === 'candidate' || m.role === 'pre-candidate';
/**
 * @param {Frame} f
 * @param {number} at
 */
const ago = (f, at) => (at ? t('member.ago', { span: span(Math.max(0, f.now - at)) }) : '–');
/** @param {number} id */
const who = (id) => (id ? name(id) : '–');

// receiving is how much of a snapshot has come.
/** @param {Member} m */
const receiving = ({ image: i }) =>
  i
    ? t('raft.imageOf', { name: name(i.from), got: bytes(i.got), size: i.size ? bytes(i.size) : '?', index: i.index })
    : '–';

/**
 * @param {Member} m
 * @param {Frame} f
 */
function raft(m, f) {
  return [
    table([
      ['raft.term', (m) => [String(m.term), termColor(m.term)]],
      ['raft.vote', (m) => who(m.vote)],
      campaigns(m)
        ? [
            'raft.votes',
            (m) =>
              (m.votes || [])
                .filter((v) => v.granted)
                .map((v) => name(v.id))
                .join(' ') || '–',
          ]
        : ['raft.lead', (m) => who(m.lead)],
      ['raft.voters', (m) => (m.voters ? t('conf.quorum', { need: Math.floor(m.voters / 2) + 1, n: m.voters }) : '–')],
      ['raft.commit', (m) => `${m.commit} / ${m.applied}`],
      ['raft.last', (m) => `${m.first} … ${m.last}`],
      m.role === 'leader'
        ? ['raft.quorum', (m, f) => ago(f, m.quorumHeardAt)]
        : ['raft.heard', (m, f) => ago(f, m.heardAt)],
      [
        'raft.election',
        (m, f) => (m.role === 'leader' || !m.timeout ? '–' : `${m.elapsed} / ${m.timeout} × ${span(f.tick)}`),
      ],
      ['raft.image', (m) => receiving(m)],
      ['raft.queues', (m) => `${m.logQueue} / ${m.applyQueue} / ${m.inbox}`],
      ['raft.life', (m) => String(m.incarnation)],
    ]),
    peers(m, f),
  ];
}

// peers: what the leader believes of each, and the two directions of the link.
/**
 * @param {Member} m
 * @param {Frame} f
 */
function peers(m, f) {
  const leads = m.role === 'leader';
  const body = element('tbody');
  for (const p of f.members.filter((p) => p.id !== m.id)) {
    const match = element('td'),
      state = element('td');
    const link = (from, to, arrow) => {
      const b = element(
        'button',
        { type: 'button', class: 'tiny', onclick: () => toggleLink(app.frame, from, to, isCut(app.frame, from, to)) },
        arrow,
      );
      rows.push((_, f) => {
        const cut = isCut(f, from, to),
          label = t(cut ? 'links.heal' : 'links.cut', { from: name(from), to: name(to) });
        b.setAttribute('aria-pressed', String(cut));
        able(b, recorded(f), label);
        if (b.getAttribute('aria-label') !== label) b.setAttribute('aria-label', label);
      });
      return b;
    };
    body.append(
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, name(p.id)),
        ...(leads ? [match, state] : []),
        element('td', {}, link(m.id, p.id, '→'), ' ', link(p.id, m.id, '←')),
      ),
    );
    rows.push((m) => {
      const g = m.progress?.find((g) => g.id === p.id);
      text(match, g ? `${g.match} / ${g.next}` : '–');
      const more = (on, words) => (on ? words : '');
      text(
        state,
        g
          ? [
              g.state,
              more(g.inflight, ` +${g.inflight}`),
              more(!g.active, ' ?'),
              more(g.learner, ` ${t('raft.learner')}`),
            ].join('')
          : '–',
      );
    });
  }
  const th = (key) => element('th', { scope: 'col' }, t(key));
  return element(
    'table',
    { class: 'peers' },
    element(
      'thead',
      {},
      element('tr', {}, th('raft.peer'), ...(leads ? [th('raft.match'), th('raft.state')] : []), th('raft.link')),
    ),
    body,
  );
}

// wal: how far the log has come, as five bars on one scale.
/** @param {Frame} f */
function wal(f) {
  const gauge = element('div', { class: 'gauge' });
  /** @type {[string, (m: Member) => number][]} */
  const marks = [
    ['wal.last', (m) => m.last],
    ['wal.written', (m) => m.written],
    ['wal.synced', (m) => m.synced],
    ['wal.commit', (m) => m.commit],
  ];
  for (const [key, value] of marks) {
    const bar = element('b'),
      out = element('span');
    gauge.append(element('div', {}, element('span', {}, t(key)), element('u', {}, bar), out));
    rows.push((m) => {
      const top = Math.max(m.last, m.commit, 1),
        from = Math.max(0, top - 24);
      bar.style.transform = `scaleX(${Math.max(0, (value(m) - from) / (top - from))})`;
      text(out, String(value(m)));
    });
  }
  return [
    gauge,
    ...inside.records(later, f),
    table([
      ['wal.disk', diskState],
      ['wal.queue', (m) => String(m.logQueue)],
      ['wal.first', (m) => String(m.first)],
      ['wal.segments', (m) => `${m.segments}, ${bytes(m.walBytes)}`],
      ['wal.snapshot', (m) => (m.snapshot ? String(m.snapshot) : '–')],
      ['wal.durable', (m) => String(m.durable)],
    ]),
    recorded(f) ? entries() : null,
    element('p', { class: 'hint' }, t('wal.hint')),
  ].filter(Boolean);
}

// diskState says what the disk does, and how long all of it takes.
/**
 * @param {Member} m
 * @param {Frame} f
 */
function diskState(m, f) {
  const busy = m.diskUntil > f.now && m.disk !== 'idle';
  return t(`disk.${m.disk || 'idle'}`) + (busy ? ` (${span(m.diskUntil - m.diskSince)})` : '');
}

// entries lists the newest part of the log in words, for those who do not point at
// the picture of it.
function entries() {
  const body = element('tbody');
  rows.push((m) => {
    const log = JSON.parse(app.call().log(m.id)).slice(-8).reverse();
    const key = JSON.stringify(log);
    if (body.dataset.key === key) return;
    body.dataset.key = key;
    body.replaceChildren(
      ...log.map((e) =>
        element(
          'tr',
          {},
          element('th', { scope: 'row' }, String(e.index)),
          element('td', {}, paint(element('span', {}, String(e.term)), termColor(e.term)), ` ${e.text}`),
          element('td', {}, entryState(e)),
        ),
      ),
    );
  });
  return element('table', { class: 'entries' }, body);
}

// messages lists what is on its way from and to the member.
function messages() {
  const list = element('ul', { class: 'flying' }),
    none = element('p', { class: 'hint' }, t('messages.none'));
  rows.push((m, f) => {
    const mine = JSON.parse(app.call().messages())
      .filter((x) => x.from === m.id || x.to === m.id)
      .slice(-14);
    none.hidden = mine.length > 0;
    rebuild(list, [mine.map((x) => [x.id, x.held, x.lost]), Math.floor(f.now / 1e6)], () =>
      mine.map((x) => {
        const words = message(x, f);
        return element(
          'li',
          {},
          paint(
            element(
              'button',
              {
                type: 'button',
                class: 'link',
                'data-id': x.id,
                onclick: (e) => {
                  const r = e.currentTarget.getBoundingClientRect();
                  openMessage(x.id, { left: r.left, right: r.left, top: r.top });
                  if (!e.detail) byId('menu').querySelector('button')?.focus(); // by a key
                },
              },
              words.title,
            ),
            termColor(x.term),
          ),
          element('span', {}, words.text.replace('\n', ' · ')),
        );
      }),
    );
  });
  return [none, list];
}

// keys: what events tell of the store.
function keys() {
  return [
    table([
      ['mvcc.revision', (m) => String(m.revision)],
      ['mvcc.compact', (m) => (m.compactRevision > 0 ? String(m.compactRevision) : '–')],
      ['mvcc.keys', (m) => String(m.keys)],
      [
        'mvcc.hash',
        (m, f) => [`0x${(m.hashKV >>> 0).toString(16).padStart(8, '0')}`, agrees(m, f) ? 'var(--good)' : 'var(--text)'],
      ],
      [
        'mvcc.agree',
        (m, f) => list(f.members.filter((p) => p.id !== m.id && p.hashKV === m.hashKV && p.revision === m.revision)),
      ],
      ['mvcc.watchers', (m) => String(m.watchers)],
    ]),
    element('p', { class: 'hint' }, t('mvcc.hint')),
  ];
}

// stored: what events tell of the way to the database.
function stored() {
  return [
    table([
      ['mvcc.buffer', (m) => t('mvcc.ops', { n: m.buffered })],
      ['mvcc.durable', (m) => `${m.durable} / ${m.applied}`],
      ['mvcc.size', (m) => `${bytes(m.dbSize)}, ${bytes(m.dbSizeInUse)}`],
      ['mvcc.queue', (m) => String(m.applyQueue)],
    ]),
  ];
}

/**
 * @param {Member} m
 * @param {Frame} f
 */
const agrees = (m, f) => f.members.some((p) => p.id !== m.id && p.hashKV === m.hashKV && p.revision === m.revision);
/** @param {Member[]} members */
const list = (members) => members.map((p) => name(p.id)).join(' ') || '–';

/**
 * @param {Member} m
 * @param {Frame} f
 * @param {Watch[]} watches
 */
function watch(m, f, watches) {
  const cards = watches.map((w) => {
    const count = element('p', { class: 'hint' }),
      events = element('ul', { class: 'events' });
    rows.push((_, f) => {
      const now = f.watches.find((x) => x.id === w.id);
      if (!now) return;
      text(count, state(now));
      fill(events, now);
    });
    return element(
      'div',
      { class: 'watch-card' },
      element(
        'header',
        {},
        element('b', { class: 'mono' }, `watch ${range(w)}`),
        element('span', { class: 'lab' }, client(w.client)),
        cancel(w),
      ),
      count,
      events,
    );
  });
  const intro = element('p', { class: 'hint' });
  rows.push((m) => text(intro, t('watch.count', { n: m.watchers, name: name(m.id) })));
  return [
    intro,
    ...cards,
    cards.length
      ? null
      : element(
          'button',
          {
            type: 'button',
            class: 'btn',
            onclick: () => {
              act({ cmd: 'watch', key: 'x', member: shown(app.frame) });
            },
          },
          t('watch.try'),
        ),
  ].filter(Boolean);
}
