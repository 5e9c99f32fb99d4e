// A card about one thing on the stage: a message with all its fields and what can be
// done to it, or an entry, and where it came from. Time stands still meanwhile.

import { act, app, recorded, toast } from './app.js';
import { able, bytes, element, name, paint, stamp, termColor } from './format.js';
import { t } from './i18n.js';
import { deed, look } from './look.js';
import { closeMenu, show } from './menu.js';
import { origin } from './origin.js';
import { entryState, message } from './tip.js';

let running = false; // before the card opened

/** @param {Frame} f */
function stop(f) {
  running = f.playing;
  if (running) act({ cmd: 'pause' });
}

// closed lets time go on as before.
function closed() {
  if (running) act({ cmd: 'play' });
  running = false;
}

// what can be done to a message: a verb, and the key of its name.
/** @type {[string, string][]} */
const hands = [
  ['hold', 'card.hold'],
  ['release', 'card.release'],
  ['drop', 'card.drop'],
  ['duplicate', 'card.duplicate'],
];

/** @param {number} id */
const flying = (id) => /** @type {Message[]} */ (JSON.parse(app.call().messages())).find((m) => m.id === id);

/**
 * @param {number} id
 * @param {{ left: number, right: number, top: number }} where
 */
export function openMessage(id, where) {
  const first = flying(id);
  if (!first) {
    toast(t('card.arrived'), true); // while it was being pressed
    return;
  }
  stop(app.frame);
  const about = fields(first, id); // as it was when it was looked at
  show(
    {
      wide: true,
      key: () => {
        const m = flying(id);
        return JSON.stringify([id, m?.held, m?.lost, Boolean(m), t('card.hold')]);
      },
      fill: (f) => {
        const m = flying(id);
        return [
          paint(element('h3', {}, `${first.type} · ${name(first.from)} → ${name(first.to)}`), termColor(first.term)),
          element('p', { class: 'hint' }, m ? message(m, f).text : t('card.arrived')),
          about,
          ...hands.map(([verb, key]) => {
            const b = element(
              'button',
              {
                type: 'button',
                class: 'btn',
                id: `hand-${verb}`,
                onclick: () => !whyNot(verb, flying(id), app.frame) && act({ cmd: verb, id }),
              },
              t(key),
            );
            able(b, whyNot(verb, m, f), t(`${key}.hint`));
            return b;
          }),
          element('h4', {}, t('card.cause')),
          origin(first.from, { seq: first.seq }),
        ];
      },
      closed,
    },
    where,
  );
}

/**
 * @param {string} verb
 * @param {Message | undefined} m
 * @param {Frame} f
 */
function whyNot(verb, m, f) {
  if (recorded(f)) return recorded(f);
  if (!m || m.lost) return t('card.not.gone');
  if (verb === 'hold' && m.held) return t('card.not.held');
  if (verb === 'release' && !m.held) return t('card.not.free');
  if (verb === 'duplicate' && ['MsgProp', 'MsgSnap'].includes(m.type)) return t('card.not.double');
  return '';
}

// fields are those that raft sends; of a recording, those that events tell.
/**
 * @param {Message} m
 * @param {number} id
 */
function fields(m, id) {
  const all = look(m.from, 'message', { id });
  const x = all.error ? m : all;
  /** @type {[string, unknown][]} */
  const rows = [
    ['term', x.term],
    ['logTerm', x.logTerm],
    ['index', x.index],
    ['commit', x.commit],
    ['vote', x.vote],
    ['reject', x.reject],
    ['rejectHint', x.rejectHint],
    ['snapshot', x.snapshot && `${x.snapshot} / ${x.snapshotTerm}`],
    ['context', x.context],
    ['size', x.bytes && bytes(x.bytes)],
    ['database', progress(m)],
    ['sent', stamp(m.sent)],
  ];
  return element(
    'table',
    {},
    element(
      'tbody',
      {},
      ...rows
        .filter(([key, v]) => v !== undefined && v !== '' && (v || ['term', 'index', 'commit', 'reject'].includes(key)))
        .map(([key, v]) => element('tr', {}, element('th', { scope: 'row' }, key), element('td', {}, String(v)))),
      ...(all.error
        ? []
        : all.entries.map((e) =>
            element(
              'tr',
              {},
              element('th', { scope: 'row' }, t('card.entry', { index: e.index })),
              paint(element('td', {}, `${deed(e)} (${bytes(e.bytes)})`), termColor(e.term)),
            ),
          )),
      !all.error && all.count > all.entries.length
        ? element('tr', {}, element('td', { colspan: 2 }, t('inside.more', { n: all.count - all.entries.length })))
        : null,
    ),
  );
}

// progress is how much of a snapshot is on this side of its way, as the simulated network carries it.
/** @param {Message} m */
function progress(m) {
  if (!m.size) return '';
  const share = m.arrives > m.sent ? Math.min(1, Math.max(0, (app.frame.now - m.sent) / (m.arrives - m.sent))) : 0;
  return t('card.progress', { got: bytes(Math.round(m.size * share)), size: bytes(m.size) });
}

/**
 * @param {Entry} e
 * @param {{ left: number, right: number, top: number }} where
 */
export function openEntry(e, where) {
  stop(app.frame);
  show(
    {
      wide: true,
      key: () => `${e.index}|${e.term}|${t('card.hold')}`,
      fill: (f) => [
        paint(element('h3', {}, t('tip.entry', { index: e.index, term: e.term, text: e.text })), termColor(e.term)),
        element('table', {}, element('tbody', {}, ...f.members.map((m) => holder(m, e)))),
        element('h4', {}, t('card.cause')),
        origin(e.member, { index: e.index, term: e.term }),
        element('button', { type: 'button', class: 'btn', id: 'card-close', onclick: closeMenu }, t('card.close')),
      ],
      closed,
    },
    where,
  );
}

// holder says what a member has at the place of an entry.
/**
 * @param {Member} m
 * @param {Entry} e
 */
function holder(m, e) {
  const log = /** @type {Entry[]} */ (JSON.parse(app.call().log(m.id)));
  const own = log.find((x) => x.index === e.index);
  const said = own
    ? own.term === e.term
      ? entryState(own)
      : t('card.other', { term: own.term, text: own.text })
    : e.index < m.first
      ? t('card.compacted')
      : t('card.lacks');
  return element('tr', {}, element('th', { scope: 'row' }, name(m.id)), element('td', {}, said));
}
