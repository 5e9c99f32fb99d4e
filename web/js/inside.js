// What a member holds, read from the real thing in this tab: keys with their
// history, records of the log, the buffers in front of the database, the history
// of terms. Each builder makes its parts once; what changes is filled in.

import { act, app } from './app.js';
import { able, bytes, element, name, paint, span, stamp, termColor, text } from './format.js';
import { t } from './i18n.js';
import { deed, look, none, paced, rebuild } from './look.js';
import { origin } from './origin.js';
import { said } from './said.js';

/** @typedef {import('./look.js').Later} Later */

/** @param {string} words */
const heading = (words) => element('h3', { class: 'part' }, words);

// --- keys

const opened = new Set(); // keys whose history is unfolded
let at = 0; // the revision that is read, 0 = the newest
let page = { from: '', before: [] }; // the first key of the page, and of those before it
let epoch = 0; // of the world that this is about

/** @param {number} next */
function forget(next) {
  [at, page, epoch] = [0, { from: '', before: [] }, next];
  opened.clear();
  made.clear();
}

/**
 * @param {Later} later
 * @param {Frame} f
 */
export function kv(later, f) {
  const why = none(f);
  if (why) return why;
  if (f.epoch !== epoch) forget(f.epoch);
  const slider = element('input', { type: 'range', id: 'kv-rev', step: '1', 'aria-label': t('kv.slider') }),
    out = element('output', { for: 'kv-rev' }),
    axis = element('div', { class: 'axis', 'aria-hidden': 'true' }),
    said = element('p', { class: 'hint' }),
    waiting = element('div'),
    list = element('div', { class: 'pairs' }),
    pages = element('p', { class: 'pager' }),
    pins = element('ul', { class: 'pins' }),
    [compact, compactable] = compaction();
  let [stood, shownId] = ['', 0]; // what was shown when it was looked at, and whose
  const now = paced(later, (m, f) => {
    if (stood === (stood = standing(m, f))) return;
    let k = look(m.id, 'kv', { from: page.from, rev: at, limit: 40 });
    if (k.error && at) {
      at = 0; // compacted, or a world that has not come so far
      k = look(m.id, 'kv', { from: page.from, limit: 40 });
    }
    if (k.error) return void text(said, k.error);
    draw(k, m);
  });
  const go = (rev) => {
    at = rev;
    again();
  };
  const again = () => {
    stood = '';
    now(
      app.frame.members.find((m) => m.id === shownId),
      app.frame,
    );
  };
  slider.addEventListener('input', () => go(Number(slider.value) >= Number(slider.max) ? 0 : Number(slider.value)));
  const draw = (k, m) => {
    shownId = m.id;
    const oldest = Math.max(k.compact, 1);
    slider.min = String(oldest);
    slider.max = String(Math.max(k.revision, oldest));
    slider.value = String(k.rev);
    slider.setAttribute('aria-valuetext', t('kv.at', { rev: k.rev, newest: k.revision }));
    text(out, at ? t('kv.at', { rev: k.rev, newest: k.revision }) : t('kv.newest', { rev: k.revision }));
    text(said, counted(k, m));
    compactable(k);
    drawAxis(axis, k);
    rebuild(waiting, [k.pending, k.waiting], () => pendingRows(k));
    rebuild(list, [k.keys, k.pending.map((p) => p.key), at, [...opened]], () =>
      k.keys.map((one) => keyRow(one, k, go, again, shownId)),
    );
    rebuild(pages, [page, k.next], () => pager(k, again));
    rebuild(pins, k.pins, () => k.pins.map((p) => element('li', {}, pinWords(p, k))));
  };
  return [
    element(
      'label',
      { class: 'dial when', for: 'kv-rev' },
      element('span', { class: 'lab' }, element('span', {}, t('kv.revision')), out),
      slider,
    ),
    axis,
    said,
    element('p', { class: 'row' }, compact),
    waiting,
    list,
    pages,
    pins,
  ];
}

// standing is all on which what is shown depends: to look costs as much as the values are long.
/**
 * @param {Member} m
 * @param {Frame} f
 */
const standing = (m, f) =>
  JSON.stringify([
    [m.id, m.incarnation, m.process, m.term, m.revision, m.compactRevision, m.applied, m.commit],
    [m.last, m.written, m.synced, at, page.from, f.epoch],
    (f.watches ?? []).map((w) => [w.id, w.member, w.open, w.events?.length]),
  ]);

// compaction is a button that forgets what is before the revision that is read.
/** @returns {[HTMLButtonElement, (k: any) => void]} */
function compaction() {
  let rev = 0;
  const b = element('button', { type: 'button', class: 'btn', id: 'kv-compact' });
  b.addEventListener('click', () => b.getAttribute('aria-disabled') !== 'true' && act({ cmd: 'compact', rev }));
  return [
    b,
    (k) => {
      rev = k.rev;
      text(b, t('kv.compact', { rev }));
      able(b, rev <= k.compact ? t('kv.compactedThere') : '', t('kv.compactHint'));
    },
  ];
}

/**
 * @param {any} k
 * @param {Member} m
 */
const counted = (k, m) =>
  [
    t('kv.count', { n: k.exist, dead: k.indexed - k.exist }),
    k.compact > 0 ? t('kv.compacted', { rev: k.compact }) : t('kv.whole'),
    m.alive ? '' : t('inside.disk'),
  ]
    .filter(Boolean)
    .join(' ');

// drawAxis: revisions from the oldest to the newest, what is compacted hatched, the
// one that is read, and each watcher where it stands.
/**
 * @param {HTMLElement} axis
 * @param {any} k
 */
function drawAxis(axis, k) {
  rebuild(axis, [k.compact, k.revision, k.rev, k.pins.map((p) => [p.next, p.behind])], () => {
    const place = (rev) => `${(100 * Math.min(Math.max(rev - 1, 0), k.revision)) / Math.max(k.revision, 1)}%`;
    const mark = (cls, rev, title = '') => {
      const el = element('i', { class: cls, title });
      el.style.left = place(rev);
      return el;
    };
    const gone = element('i', { class: 'gone' });
    gone.style.width = place(Math.max(k.compact, 1));
    return [
      gone,
      mark('read', k.rev),
      ...k.pins.map((p) => mark(p.behind ? 'pin behind' : 'pin', p.next, pinWords(p, k))),
    ];
  });
}

/**
 * @param {any} p
 * @param {any} k
 */
const pinWords = (p, k) =>
  t(p.next > k.revision ? 'kv.pinNow' : 'kv.pin', {
    key: p.end ? `${p.key} … ${p.end === '\0' ? '' : p.end}` : p.key,
    rev: p.next,
  });

// pendingRows are writes that are in the log and not applied.
/** @param {any} k */
function pendingRows(k) {
  if (!k.waiting) return [];
  return [
    heading(t('kv.pending', { n: k.waiting })),
    element(
      'ul',
      { class: 'pending' },
      ...k.pending.map((p) =>
        element(
          'li',
          {},
          element('span', { class: 'mono' }, deed(p)),
          element('small', {}, t(p.committed ? 'kv.committed' : 'kv.uncommitted', { index: p.index })),
        ),
      ),
    ),
  ];
}

// madeBy tells where the value of a key came from. It is asked once a revision.
/** @type {Map<string, { of: string, node: Node }>} */
const made = new Map();
/**
 * @param {any} one
 * @param {number} member
 */
function madeBy(one, member) {
  const of = `${epoch}|${one.mod}|${t('card.cause')}`;
  if (made.get(one.key)?.of !== of) made.set(one.key, { of, node: origin(member, { rev: one.mod }) });
  return made.get(one.key).node;
}

/**
 * @param {any} one
 * @param {any} k
 * @param {(rev: number) => void} go
 * @param {() => void} again
 * @param {number} member
 */
function keyRow(one, k, go, again, member) {
  const pending = k.pending.findLast((p) => p.key === one.key);
  const row = element(
    'details',
    { class: one.exists ? '' : 'dead', open: opened.has(one.key) },
    element(
      'summary',
      { 'data-id': one.key },
      element('b', { class: 'mono' }, one.key),
      element('span', { class: 'mono' }, one.exists ? one.value : t('kv.none')),
      pending && element('i', { class: 'mono', title: t('kv.more') }, `→ ${pending.value || pending.op}`),
      element('small', {}, one.exists ? t('kv.versions', one) : ''),
    ),
    element(
      'p',
      { class: 'hint' },
      one.exists
        ? t('kv.pair', { ...one, bytes: bytes(one.size) }) + (one.lease ? ` ${t('kv.lease', { id: one.lease })}` : '')
        : t('kv.gone', { rev: k.rev }),
    ),
    one.exists && opened.has(one.key) ? madeBy(one, member) : null,
    element(
      'button',
      {
        type: 'button',
        class: 'btn',
        'data-id': `watch-${one.key}`,
        onclick: () => act({ cmd: 'watch', key: one.key, rev: k.rev, member }),
      },
      t('kv.watch', { rev: k.rev }),
    ),
    ...one.lives.map((life, i) => lifeRow(life, (one.forgotten ?? 0) + i + 1, k, go)),
  );
  row.addEventListener('toggle', () => {
    if (row.open === opened.has(one.key)) return;
    if (row.open) opened.add(one.key);
    else opened.delete(one.key);
    if (opened.size > 200) opened.clear();
    if (!row.open) made.delete(one.key);
    again();
  });
  return row;
}

// lifeRow is one generation: its revisions, each a button that reads there.
/**
 * @param {any} life
 * @param {number} number
 * @param {any} k
 * @param {(rev: number) => void} go
 */
function lifeRow(life, number, k, go) {
  const revs = life.revs.map((r, i) => {
    const rev = Number.parseInt(r),
      dead = life.ended && i === life.revs.length - 1,
      gone = rev < k.compact;
    return element(
      'button',
      {
        type: 'button',
        class: `tiny${dead ? ' tomb' : ''}`,
        'aria-pressed': rev === k.rev,
        'aria-disabled': gone,
        'aria-label': t(dead ? 'kv.tombstone' : 'kv.readAt', { rev: r }),
        title: t(gone ? 'kv.forgotten' : dead ? 'kv.tombstone' : 'kv.readAt', { rev: r }),
        'data-id': `${number}-${r}`,
        onclick: () => !gone && go(rev),
      },
      dead ? `✝${r}` : r,
    );
  });
  return element(
    'div',
    { class: 'life' },
    element('span', { class: 'lab' }, t(life.created ? 'kv.life' : 'kv.lifeCut', { n: number, created: life.created })),
    life.more ? `… ` : null,
    ...revs,
  );
}

/**
 * @param {any} k
 * @param {() => void} again
 */
function pager(k, again) {
  const button = (key, run) =>
    element('button', { type: 'button', class: 'btn', 'data-id': key, onclick: run }, t(key));
  return [
    page.before.length
      ? button('inside.before', () => {
          page = { from: page.before.at(-1), before: page.before.slice(0, -1) };
          again();
        })
      : null,
    k.next
      ? button('inside.after', () => {
          page = { from: k.next, before: [...page.before, page.from] };
          again();
        })
      : null,
  ];
}

// --- the log

let file = '', // '' = the newest
  until = 0; // record in front of which the window ends, 0 = the end
const window = 30; // records

/**
 * @param {Later} later
 * @param {Frame} f
 */
export function records(later, f) {
  const why = none(f);
  if (why) return why;
  const crash = element('div', { class: 'crash' }),
    files = element('div', { class: 'files', role: 'group', 'aria-label': t('wal.files') }),
    list = element('tbody'),
    end = element('p', { class: 'hint' }),
    pages = element('p', { class: 'pager' });
  let member = 0;
  const now = paced(later, (m) => {
    if (member !== m.id) [file, until, member] = ['', 0, m.id];
    let l = look(m.id, 'wal', { file, until, limit: window });
    if (l.error) {
      [file, until] = ['', 0];
      l = look(m.id, 'wal', { limit: window });
    }
    if (l.error) return void text(end, l.error);
    rebuild(crash, l.last, () => ends(l.last));
    rebuild(files, [l.files, l.broken, l.file], () =>
      [...l.files, ...l.broken].map((one) => fileButton(one, l.file, pick)),
    );
    rebuild(list, [l.records, l.first], () => [...l.records].reverse().map(recordRow));
    text(end, endWords(l, m));
    rebuild(pages, [l.first, l.count, l.records.length], () => recordPager(l, turn));
  });
  const again = () =>
    now(
      app.frame.members.find((m) => m.id === member),
      app.frame,
    );
  const pick = (name, newest) => {
    [file, until] = [newest ? '' : name, 0];
    again();
  };
  const turn = (to) => {
    until = to;
    again();
  };
  const th = (key) => element('th', { scope: 'col' }, t(key));
  return [
    crash,
    heading(t('wal.records')),
    files,
    end,
    element(
      'table',
      { class: 'records' },
      element('thead', {}, element('tr', {}, th('wal.offset'), th('wal.kind'), th('wal.length'), th('wal.crc'))),
      list,
    ),
    pages,
  ];
}

/**
 * @param {any} one
 * @param {string} current
 * @param {(name: string, newest: boolean) => void} pick
 */
function fileButton(one, current, pick) {
  const broken = one.name.endsWith('.broken');
  const label = broken ? t('wal.broken') : t('wal.segment', { n: one.seq });
  return element(
    'button',
    {
      type: 'button',
      class: 'btn',
      'data-id': one.name,
      'aria-pressed': one.name === current,
      title: `${one.name}, ${bytes(one.bytes)}${one.named ? '' : `. ${t('wal.unnamed')}`}`,
      onclick: () => pick(one.name, false),
    },
    label,
  );
}

/** @param {any} r */
function recordRow(r) {
  const what =
    r.kind === 'entry'
      ? `${r.index} · ${deed(r)}`
      : r.kind === 'state'
        ? t('wal.state', { term: r.term, vote: r.vote ? name(r.vote) : '–', commit: r.commit })
        : r.kind === 'snapshot'
          ? t('wal.mark', { index: r.index, term: r.term })
          : '';
  return element(
    'tr',
    { class: r.synced ? '' : 'unsynced' },
    element('th', { scope: 'row' }, String(r.offset)),
    element(
      'td',
      {},
      element('span', {}, t(`wal.kind.${r.kind}`)),
      what &&
        paint(element('span', { class: 'mono' }, ` ${what}`), r.kind === 'entry' ? termColor(r.term) : 'var(--text)'),
      r.synced ? null : element('small', {}, ` ${t('wal.unsynced')}`),
    ),
    element('td', {}, String(r.bytes)),
    element('td', { class: 'mono' }, r.crc),
  );
}

/**
 * @param {any} l
 * @param {Member} m
 */
function endWords(l, m) {
  const lost = l.records.filter((r) => !r.synced).length;
  return [
    l.reason ? t('wal.bad', { at: l.end, reason: said(l.reason) }) : '',
    l.torn
      ? t('wal.torn', { at: l.end, bytes: bytes(l.beyond) })
      : l.reason
        ? ''
        : t('wal.end', { at: l.end, n: l.count }),
    lost && m.alive ? t('wal.lost', { n: lost }) : '',
    m.alive ? '' : t('inside.disk'),
  ]
    .filter(Boolean)
    .join(' ');
}

/**
 * @param {any} l
 * @param {(to: number) => void} turn
 */
function recordPager(l, turn) {
  const button = (key, to) =>
    element('button', { type: 'button', class: 'btn', 'data-id': key, onclick: () => turn(to) }, t(key));
  const end = l.first + l.records.length;
  return [
    l.first > 0 ? button('wal.older', l.first) : null,
    end < l.count ? button('wal.newer', end + window >= l.count ? 0 : end + window) : null,
  ];
}

// ends tells of the last end of a process and of what the start after it found.
/** @param {any} e */
function ends(e) {
  if (!e.how) return [];
  const lost = e.how === 'crashed' && e.written > e.synced;
  return [
    heading(t('wal.lastEnd')),
    element(
      'p',
      {},
      t(`wal.ended.${e.how}`, { at: stamp(e.at), written: e.written, synced: e.synced }),
      lost ? ` ${t('wal.atRisk', range(e.synced, e.written))}` : '',
      e.started ? ` ${t('wal.found', { last: e.found, store: e.durable })}` : '',
      e.started && e.torn ? ` ${t('wal.cutOff', { bytes: bytes(e.cut) })}` : '',
    ),
  ];
}

// range is the blanks of a sentence about the entries behind one up to another.
/**
 * @param {number} behind
 * @param {number} last
 */
const range = (behind, last) => ({ n: last - behind, first: behind + 1, last });

// --- the store

/**
 * @param {Later} later
 * @param {Frame} f
 */
export function store(later, f) {
  const why = none(f);
  if (why) return why;
  const layers = element('div', { class: 'layers' }),
    crash = element('p');
  paced(later, (m, f) => {
    const s = look(m.id, 'store', { limit: 12 });
    if (s.error) return void text(crash, s.error);
    const ends = s.commit.until > f.now ? t('store.ends', { span: span(s.commit.until - f.now) }) : '';
    rebuild(
      layers,
      [s.front, s.frozen, s.durable, s.durableRev, s.bytes, s.inUse, Math.round((s.commit.until - f.now) / 1e6)],
      () => [
        layer('front', s.front, s.front.ops ? t('store.applied', { index: s.index, term: s.term }) : t('store.empty')),
        layer(
          'frozen',
          s.frozen,
          s.frozen ? `${t('store.carries', { index: s.frozen.index || s.durable })} ${ends}` : t('store.idle'),
        ),
        layer(
          'base',
          null,
          t('store.durable', { index: s.durable, rev: s.durableRev, bytes: bytes(s.bytes), used: bytes(s.inUse) }),
        ),
      ],
    );
    text(
      crash,
      !m.alive
        ? t('inside.disk')
        : [
            t('store.left', { index: s.durable, rev: s.durableRev, log: s.logTo }),
            s.logTo > s.durable ? t('store.replay', range(s.durable, s.logTo)) : '',
            s.last > s.logTo ? t('store.gone', range(s.logTo, s.last)) : t('store.safe'),
          ]
            .filter(Boolean)
            .join(' '),
    );
  });
  return [layers, heading(t('store.crash')), crash];
}

/**
 * @param {string} which
 * @param {any} l
 * @param {string} words
 */
function layer(which, l, words) {
  return element(
    'section',
    { class: `layer ${which}${l || which === 'base' ? '' : ' none'}` },
    element(
      'h3',
      {},
      t(`store.${which}`),
      l ? element('span', { class: 'lab' }, ` ${t('mvcc.ops', { n: l.ops })}`) : null,
    ),
    element('p', { class: 'hint' }, words),
    l?.changes.length
      ? element(
          'ul',
          {},
          ...l.changes.map((c) =>
            element(
              'li',
              { class: c.delete ? 'mono dead' : 'mono' },
              element('span', { class: 'lab' }, c.bucket),
              ` ${c.delete ? '✝' : ''}${c.key}${c.what ? ` ${c.what}` : ''}`,
            ),
          ),
          l.more ? element('li', { class: 'lab' }, t('inside.more', { n: l.more })) : null,
        )
      : null,
  );
}

// --- terms

/** @param {Later} later */
export function terms(later) {
  const list = element('ol', { class: 'terms' }),
    title = heading(t('raft.terms'));
  paced(later, (m) => {
    const all = look(m.id, 'raft');
    if (all.error) return;
    rebuild(list, all, () =>
      [...all.terms]
        .reverse()
        .slice(0, 16)
        .map((one) =>
          element(
            'li',
            {},
            paint(element('b', { class: 'mono' }, String(one.term)), termColor(one.term)),
            element('span', {}, termWords(one)),
            one.votes.length
              ? element('small', {}, one.votes.map((v) => `${name(v.from)}→${name(v.for)}`).join(' '))
              : null,
          ),
        ),
    );
  });
  return [title, list];
}

/** @param {any} one */
function termWords(one) {
  if (!one.leader) return t('raft.termNobody', { at: stamp(one.began) });
  const values = { name: name(one.leader), from: stamp(one.since), to: stamp(one.until) };
  return t(one.until ? 'raft.termLed' : 'raft.termLeads', values);
}
