// The one sentence that says what the cluster is doing.

import { name, paint, termColor, text } from './format.js';
import { has, list, t } from './i18n.js';
import { app, isCut, serving } from './app.js';

export function start(vitrine) {
  const title = document.getElementById('title-text'), sub = document.getElementById('subtitle'), mark = document.getElementById('mark');
  vitrine.subscribe((f) => {
    const h = headline(f);
    text(title, h.title);
    title.classList.toggle('bad', Boolean(h.bad));
    text(sub, h.sub);
    mark.classList.toggle('leads', Boolean(h.leads));
    paint(mark, h.term ? termColor(h.term) : 'var(--strong)');
  });
}

export function headline(f) {
  if (app.broken?.epoch === f.epoch) return { title: t('head.stopped'), sub: app.broken.message, bad: true };
  const n = f.members.length, quorum = Math.floor(n / 2) + 1;
  const up = f.members.filter(serving);
  const leader = f.members.find((m) => m.id === f.leader);
  if (f.violation) return { title: t('head.violation', { number: f.violation.number }), sub: rule(f.violation), bad: true };
  if (leader && !deaf(f, leader)) {
    const others = f.members.filter((m) => m.role === 'leader' && m.alive && m.id !== leader.id);
    const away = up.filter((m) => m.id !== leader.id && isCut(f, leader.id, m.id));
    const parts = [t('head.term', { term: leader.term }), members(f, up)];
    if (others.length) parts.push(t('head.stale', { names: list(others.map((m) => name(m.id))), n: others.length }));
    else if (away.length) parts.push(t('head.away', { names: list(away.map((m) => name(m.id))), n: away.length }));
    else parts.push(t('head.committed', { n: f.commit }));
    return { title: t('head.leads', { name: name(leader.id) }), sub: parts.join(' · '), leads: true, term: leader.term };
  }
  if (up.length < quorum) return { title: t('head.noQuorum', { up: up.length, n }), sub: t('head.noQuorumSub', { missing: quorum - up.length }) };
  if (leader) return { title: t('head.deaf', { name: name(leader.id) }), sub: t('head.deafSub'), term: leader.term };
  const candidate = up.find((m) => m.role === 'candidate');
  if (candidate) {
    const votes = (candidate.votes || []).filter((v) => v.granted).length;
    return { title: t('head.candidate', { name: name(candidate.id) }), sub: t('head.candidateSub', { term: candidate.term, votes, quorum }), term: candidate.term };
  }
  const asking = up.find((m) => m.role === 'pre-candidate');
  if (asking) return { title: t('head.preCandidate', { name: name(asking.id) }), sub: t('head.preCandidateSub', { term: asking.term + 1 }), term: asking.term };
  return { title: t('head.none'), sub: t('head.noneSub') };
}

// rule says what should have held; the words of the checker are in the feed.
function rule(v) {
  const key = `rule.I${v.number}.hint`;
  return has(key) ? t(key) : v.text;
}

// deaf: a leader that has not heard from a majority for longer than an
// election takes.
function deaf(f, leader) { return leader.quorumHeardAt > 0 && f.now - leader.quorumHeardAt > 8 * f.tick; }

function members(f, up) {
  const n = f.members.length;
  if (up.length === n) return t('head.allUp', { n });
  const down = f.members.filter((m) => !serving(m)).map((m) => name(m.id));
  return t('head.someDown', { names: list(down), n: down.length, up: up.length, all: n });
}
