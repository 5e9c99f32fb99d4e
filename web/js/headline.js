// The sentence that says what the cluster is doing, and what is wrong with it.

import { cover } from './cover.js';
import { byId } from './dom.js';
import { name, paint, termColor, text } from './format.js';
import { has, list, onLanguage, t } from './i18n.js';
import { app, isCut, serving } from './app.js';
import { electorate, quorum as quorumOf, quorumWords, voters } from './conf.js';
import { said } from './said.js';
import { hung, names, notServing } from './why.js';

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const title = byId('title-text'),
    sub = byId('subtitle'),
    mark = byId('mark');
  const show = (f) => {
    if (!f) return;
    const h = headline(f);
    text(title, h.title);
    title.classList.toggle('bad', Boolean(h.bad));
    text(sub, h.sub);
    mark.classList.toggle('leads', Boolean(h.leads));
    paint(mark, h.term ? termColor(h.term) : 'var(--strong)');
    for (const el of [title, sub]) delete el.dataset.i18n; // what it said before there was a world
  };
  vitrine.subscribe(show);
  onLanguage(() => show(app.frame));
  new ResizeObserver(room).observe(byId('headline'));
  vitrine.ready.then(room, () => {});
}

// The headline takes as many lines as it needs, and the drawing makes room for them:
// at once, and goes back only when it has been shorter for a while. Words change more
// often than members should move.
const calm = 4000; // ms
let tall = 0,
  back;
function room() {
  const box = byId('headline'),
    low = byId('stage').clientHeight < 300, // there it has one line, and lies over what is there
    bottom = low || !box.offsetHeight ? 0 : box.offsetTop + box.offsetHeight + 2 + (box.offsetHeight > 60 ? 6 : 0);
  document.body.style.setProperty('--head', `${bottom}px`);
  clearTimeout(back);
  if (bottom >= tall || low) take(bottom);
  else back = setTimeout(take, calm, bottom);
}

/** @param {number} bottom */
function take(bottom) {
  tall = bottom;
  cover('headline', bottom);
}

// headline of a frame: {title, sub, term, leads, bad}.
/** @param {Frame} f */
export function headline(f) {
  if (app.broken?.epoch === f.epoch) return { title: t('head.stopped'), sub: app.broken.message, bad: true };
  if (f.violation) return { title: wrong(f.violation.number), sub: rule(f.violation), bad: true };
  const up = voters(f).filter(serving),
    quorum = quorumOf(f);
  const leader = f.members.find((m) => m.id === f.leader);
  if (leader && !deaf(f, leader)) return leads(f, leader, f.members.filter(serving));
  if (up.length < quorum) {
    return {
      title: t('head.noQuorum', { up: up.length, n: electorate(f) }),
      sub: join([...troubles(f), t('head.noQuorumSub', { missing: quorum - up.length })]),
    };
  }
  if (leader)
    return {
      title: t('head.deaf', { name: name(leader.id) }),
      sub: join([...troubles(f), t('head.deafSub')]),
      term: leader.term,
    };
  if (Math.max(...sides(f).map((side) => side.filter((m) => up.includes(m)).length)) < quorum)
    return { title: t('head.noSide', { n: quorum }), sub: join(troubles(f)) };
  return leaderless(f, up, quorum);
}

/**
 * @param {Frame} f
 * @param {Member} leader
 * @param {Member[]} up
 */
function leads(f, leader, up) {
  const others = f.members.filter((m) => m.role === 'leader' && m.alive && m.id !== leader.id);
  const away = up.filter((m) => m.id !== leader.id && isCut(f, leader.id, m.id) && isCut(f, m.id, leader.id));
  const quorum = quorumOf(f),
    decide = voters(f);
  const parts = [t('head.term', { term: leader.term }), members(f, up), ...hung(f.members, f.now)];
  if (others.length) parts.push(t('head.stale', { names: names(others), n: others.length }));
  else if (away.length) parts.push(t('head.away', { names: names(away), n: away.length }));
  else parts.push(...oneWay(f));
  const reached = decide.filter((m) => up.includes(m) && !away.includes(m));
  if (reached.length < quorum) parts.push(t('head.minority'));
  else if (reached.filter((m) => m.disk !== 'stalled').length < quorum) parts.push(t('head.disks'));
  const sound = parts.length === 2;
  if (sound || f.conf?.pending) parts.splice(2, 0, quorumWords(f, 'head.quorum'));
  if (sound) parts.push(t('head.committed', { n: f.commit }));
  return { title: t('head.leads', { name: name(leader.id) }), sub: join(parts), leads: true, term: leader.term };
}

// leaderless: the member that led is the reason, if something happened to it.
/**
 * @param {Frame} f
 * @param {Member[]} up
 * @param {number} quorum
 */
function leaderless(f, up, quorum) {
  const wrong = troubles(f);
  const candidates = up.filter((m) => m.role === 'candidate');
  if (candidates.length) {
    const term = Math.max(...candidates.map((m) => m.term));
    const votes = candidates.map((m) => t('head.votes', { name: name(m.id), votes: votesOf(m), quorum }));
    const one = candidates.length === 1;
    return {
      title: t('head.candidates', { names: names(candidates), n: candidates.length }),
      term,
      sub: join([
        ...wrong,
        t('head.term', { term }),
        ...(one ? [t('head.votesNeeded', { votes: votesOf(candidates[0]), quorum })] : votes),
      ]),
    };
  }
  const asking = up.find((m) => m.role === 'pre-candidate');
  if (asking)
    return {
      title: t('head.preCandidate', { name: name(asking.id) }),
      sub: join([...wrong, t('head.preCandidateSub', { term: asking.term + 1 })]),
      term: asking.term,
    };
  const lost = f.members.find((m) => m.id === f.led);
  if (lost && !serving(lost))
    return {
      title: t('head.lost', { what: t(`head.is.${lost.process}`, { names: name(lost.id), n: 1 }) }),
      sub: join([...troubles(f, lost), t('head.noneSub')]),
    };
  return { title: t('head.none'), sub: join([...wrong, t('head.noneSub')]) };
}

/** @param {string[]} parts */
const join = (parts) => parts.join(' · ');
/** @param {Member} m */
const votesOf = (m) => (m.votes || []).filter((v) => v.granted).length;

// wrong says what went wrong.
/** @param {number} number */
function wrong(number) {
  const key = `rule.I${number}.wrong`;
  return has(key) ? t(key) : t('head.violation', { number });
}

// rule says what should have held; the words of the checker are in the feed.
/** @param {Frame['violation']} v */
function rule(v) {
  const key = `rule.I${v.number}.hint`;
  return has(key) ? t('head.should', { number: v.number, rule: t(key) }) : said(v.text);
}

// deaf: a leader that has not heard from a majority for longer than an
// election takes.
/**
 * @param {Frame} f
 * @param {Member} leader
 */
function deaf(f, leader) {
  return f.tick > 0 && leader.quorumHeardAt > 0 && f.now - leader.quorumHeardAt > 8 * f.tick;
}

// What is wrong, in words: members that do not run, disks that hang, cuts that
// let pass one direction.
/**
 * @param {Frame} f
 * @param {Member} [told] of whom has been told already
 */
const troubles = (f, told) => [
  ...notServing(f.members.filter((m) => m !== told)),
  ...hung(f.members, f.now),
  ...split(f),
  ...oneWay(f),
];

// sides are the running members that reach one another, directly or through others.
/** @param {Frame} f */
function sides(f) {
  const left = f.members.filter((m) => m.alive),
    all = [];
  while (left.length) {
    const side = [left.shift()];
    for (const m of side)
      for (const o of left.filter((o) => !isCut(f, m.id, o.id) && !isCut(f, o.id, m.id)))
        side.push(...left.splice(left.indexOf(o), 1));
    all.push(side);
  }
  return all;
}

/** @param {Frame} f */
function split(f) {
  const all = sides(f);
  const said = (side) =>
    side
      .map((m) => name(m.id))
      .sort()
      .join(' + ');
  return f.cuts.length && all.length > 1 ? [t('head.split', { sides: all.map(said).join(' | ') })] : [];
}

// oneWay names at most two directions: more would be no sentence.
/** @param {Frame} f */
function oneWay(f) {
  const all = f.cuts.filter(([from, to]) => !isCut(f, to, from));
  const said = all.slice(0, 2).map(([from, to]) => t('head.oneWay', { from: name(from), to: name(to) }));
  return all.length > 2 ? [t('head.oneWays', { n: all.length })] : said;
}

/**
 * @param {Frame} f
 * @param {Member[]} up
 */
function members(f, up) {
  const here = f.members.filter((m) => m.standing !== 'removed'),
    n = here.length,
    running = up.filter((m) => here.includes(m)).length;
  return running === n
    ? t('head.allUp', { n })
    : t('head.someDown', { up: running, all: n, what: list(notServing(here)) });
}
