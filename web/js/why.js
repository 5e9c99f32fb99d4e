// Why something waits, in words: what is wrong with members, and what a request
// lacks and of whom.

import { isCut } from './app.js';
import { voters } from './conf.js';
import { name, span } from './format.js';
import { list, t } from './i18n.js';
import { said } from './said.js';

/** @param {(Member | number)[]} members */
export const names = (members) => list(members.map((m) => name(typeof m === 'number' ? m : m.id)));

const processes = ['crashed', 'killed', 'stopped', 'paused', 'starting', 'unknown'];

// notServing says which members do not run, and how that came.
/** @param {Member[]} members */
export function notServing(members) {
  return processes.flatMap((process) => {
    const some = members.filter((m) => m.process === process);
    return some.length ? [t(`head.is.${process}`, { names: names(some), n: some.length })] : [];
  });
}

// hung says whose disks hang, and for how long: those that hang equally long in one
// word.
/**
 * @param {Member[]} members
 * @param {number} now
 */
export function hung(members, now) {
  const by = new Map();
  for (const m of members.filter((m) => m.disk === 'stalled')) {
    const left = remaining(m.diskUntil - now);
    by.set(left, [...(by.get(left) ?? []), m]);
  }
  return [...by].map(([span, some]) => t('head.hung', { name: names(some), n: some.length, span }));
}

// remaining is a time that runs down, in steps that an eye can follow.
/** @param {number} ns */
export const remaining = (ns) => span(Math.max(0, Math.round(ns / 1e8) * 1e8));

// lack says what a request waits for and, of those who must do it, why they cannot.
/**
 * @param {ClientRequest} r
 * @param {Frame} f
 */
export function lack(r, f) {
  const l = r.lack;
  if (!l?.kind) return '';
  const of = l.of ?? [];
  const said = t(`lack.${l.kind}`, {
    member: name(l.member ?? 0),
    leader: name(l.for ?? 0),
    index: l.index ?? 0,
    have: l.have ?? 0,
    n: l.need ?? 0,
    of: names(of),
  });
  const why = obstacles(f, of.length ? of : concerned(l, f), hub(l, f));
  return t(why.length ? 'lack.because' : 'lack.alone', { what: said, why: why.join(t('lack.and')) });
}

// concerned are those on whom it depends: an election is a matter of all voters.
/**
 * @param {Lack} l
 * @param {Frame} f
 */
const concerned = (l, f) =>
  l.kind === 'leader' ? voters(f).map((m) => m.id) : [l.member, l.for].filter((id) => id !== undefined);

// hub is the member from which the others are cut off, if they are: who asks them.
/**
 * @param {Lack} l
 * @param {Frame} f
 */
const hub = (l, f) =>
  ['majority', 'forward', 'leader'].includes(l.kind) ? l.member : f.members.find((m) => m.id === l.for)?.id;

/**
 * @param {Frame} f
 * @param {number[]} ids
 * @param {number} [hub]
 */
function obstacles(f, ids, hub) {
  const members = f.members.filter((m) => ids.includes(m.id));
  const away = hub ? members.filter((m) => m.id !== hub && (isCut(f, hub, m.id) || isCut(f, m.id, hub))) : [];
  return [
    ...(away.length ? [t('lack.cut', { names: names(away), n: away.length, member: name(hub) })] : []),
    ...notServing(members),
    ...hung(members, f.now),
  ];
}

/** @param {ClientRequest} r */
export const mine = (r) => r.client === 0;

// order is the list as it is offered: the visitor's own requests, which do not move,
// then what the others ask.
/** @param {ClientRequest[]} all */
export const order = (all) => [
  ...all.filter(mine).reverse(),
  ...all
    .filter((r) => !mine(r))
    .slice(-9)
    .reverse(),
];

// came is what came of a request.
/** @param {ClientRequest} r */
export const came = (r) => said(r.status === 'ok' ? r.result || 'OK' : r.error) || t(`req.${r.status}`);

// remarks say more of an answer: its revision, whether it was old, and what became of
// one that nobody has answered.
/** @param {ClientRequest} r */
export function remarksOf(r) {
  const all = [];
  if (r.missed)
    all.push(t('req.stale', { text: r.missed.text, rev: r.missed.revision, span: span(r.issued - r.missed.at) }));
  if (r.status === 'unknown')
    all.push(r.fate ? t(`fate.${r.fate}`, { rev: r.fateRevision ?? 0 }) : t('req.unknownHint'));
  if (r.revision && r.status === 'ok') all.push(t('req.revision', { rev: r.revision }));
  return all;
}
