// What is under the pointer, in words: a message on its way, an entry of a log, a
// link, a client's request.

import { app, memberOf } from './app.js';
import { byId, every } from './dom.js';
import { name, paint, span, termColor, text } from './format.js';
import { has, row, t } from './i18n.js';
import { said } from './said.js';

const box = byId('tip'),
  [title, body] = every('*', box);

// show puts the words for a target beside a point of the page, or hides them.
/**
 * @param {Target} target
 * @param {number} x
 * @param {number} y
 */
export function show(target, x, y) {
  const words = target && describe(target, app.frame);
  box.hidden = !words;
  if (!words) return;
  text(title, words.title);
  text(body, words.text);
  paint(title, words.term ? termColor(words.term) : 'var(--text)');
  const area = document.body.getBoundingClientRect(),
    right = x - area.left + 16;
  box.style.left = `${right + box.offsetWidth + 8 > area.width ? Math.max(6, right - box.offsetWidth - 30) : right}px`;
  box.style.top = `${Math.max(6, Math.min(y - area.top + 14, area.height - box.offsetHeight - 6))}px`;
}

export function hide() {
  box.hidden = true;
}

/**
 * @param {Target} target
 * @param {Frame} f
 */
function describe(target, f) {
  switch (target.kind) {
    case 'message':
      return message(target, f);
    case 'cell':
      return cell(target);
    case 'link':
      return { title: t('links.between', { a: name(target.link[0]), b: name(target.link[1]) }), text: t('tip.link') };
    case 'member':
      return member(memberOf(f, target.member), f);
    case 'client':
      return client(target.client, f);
    case 'lease':
      return lease(target.lease, f);
  }
  return null;
}

// message describes one that is on its way.
/**
 * @param {Message} m
 * @param {Frame} f
 */
export function message(m, f) {
  const key = `msg.${m.type}${m.reject ? '.no' : ''}`;
  const what = has(key)
    ? t(key, {
        n: m.entries,
        first: m.index + 1,
        last: m.index + m.entries,
        index: m.index,
        commit: m.commit,
        term: m.term,
      })
    : '';
  const way = m.lost
    ? t(`lost.${m.lost}`)
    : m.held
      ? t('tip.held', { span: span(f.now - m.held) })
      : t('tip.way', { done: span(Math.max(0, f.now - m.sent)), span: span(m.arrives - m.sent) });
  return {
    title: `${m.type} · ${name(m.from)} → ${name(m.to)}`,
    text: [what, way].filter(Boolean).join('\n'),
    term: m.term,
  };
}

/** @param {Entry} e */
function cell(e) {
  return {
    title: t('tip.entry', { index: e.index, term: e.term, text: e.text }),
    text: `${name(e.member)}: ${entryState(e)}`,
    term: e.term,
  };
}

// entryState says how safe an entry of a log is, and how far it has come.
/** @param {Entry} e */
export function entryState(e) {
  const states = [
    e.synced ? 'log.synced' : e.written ? 'log.written' : 'log.appended',
    e.committed && 'log.committed',
    e.applied && 'log.applied',
  ];
  return row(states.filter(Boolean).map((k) => t(k)));
}

/**
 * @param {Member} m
 * @param {Frame} f
 */
function member(m, f) {
  if (!m || f.chosen.member === m.id) return null;
  const state = m.process === 'running' ? t(`role.${m.role}`, { term: m.term }) : t(`process.${m.process}`);
  return {
    title: `${name(m.id)} · ${state}`,
    text: t('tip.member'),
    term: m.alive ? m.term : 0,
  };
}

/**
 * @param {number} id
 * @param {Frame} f
 */
function lease(id, f) {
  const l = f.leases?.leases.find((l) => l.id === id);
  return l ? { title: t('lease.id', { id }), text: [...promise(l, f), t('tip.lease')].join('\n') } : null;
}

// promise says how long a lease still lives, and what goes with it.
/**
 * @param {Lease} l
 * @param {Frame} f
 */
export function promise(l, f) {
  const { ttl, keyCount: n } = l,
    keys = row(l.keys) + (n > l.keys.length ? ' …' : '');
  return [
    l.expiry
      ? t('tip.leaseLeft', { left: span(Math.max(0, l.expiry - f.now)), ttl, name: name(f.leases.member) })
      : t('tip.leaseStill', { ttl }),
    n ? t('tip.leaseKeys', { n, keys }) : t('lease.noKeys'),
  ];
}

/**
 * @param {number} id
 * @param {Frame} f
 */
function client(id, f) {
  const r = f.requests.filter((r) => r.client === id).at(-1);
  const who = id ? t('tip.client', { name: `C${id}` }) : t('stage.you');
  if (!r) return { title: who, text: t(id ? 'tip.quiet' : 'tip.you') };
  return {
    title: `${who}: ${r.text}`,
    text: said(r.status === 'ok' ? r.result || 'OK' : r.error) || t(`req.${r.status}`),
  };
}
