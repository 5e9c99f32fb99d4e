// Who decides: voters, learners, the quorum, and a change that is on its way, in words.

import { name } from './format.js';
import { t } from './i18n.js';

// voters are the members that decide, as the leader has it; of a recording that does not tell, all.
/** @param {Frame} f */
export const voters = (f) => (f.conf?.by ? f.members.filter((m) => f.conf.voters.includes(m.id)) : f.members);

// quorum is how many voters decide. One of them may have left the ring already.
/** @param {Frame} f */
export const quorum = (f) => (f.conf?.by ? f.conf.quorum : Math.floor(f.members.length / 2) + 1);

/** @param {Frame} f */
export const electorate = (f) => (f.conf?.by ? f.conf.voters.length : f.members.length);

// quorumWords: 3 of 5 voters, and what that is about to become.
/**
 * @param {Frame} f
 * @param {string} [key]
 */
export function quorumWords(f, key = 'conf.quorum') {
  const now = t(key, { need: quorum(f), n: electorate(f) }),
    p = f.conf?.pending;
  if (!p) return now;
  return p.quorum === quorum(f) && p.voters === electorate(f)
    ? now
    : t('conf.soon', { now, need: p.quorum, n: p.voters, name: name(f.conf.by), index: p.index });
}

// pendingWords: which change is in the log and not applied, "" if none is.
/** @param {Frame} f */
export function pendingWords(f) {
  const p = f.conf?.pending;
  if (!p) return '';
  const what = t(p.kind ? `conf.${p.kind}` : 'conf.some', { name: name(p.member) });
  return t('conf.pending', { what, index: p.index, name: name(f.conf.by) });
}

// being is what a member is: its role, or what it is in the cluster where that says more.
/** @param {Member} m */
export function being(m) {
  const values = { term: m.term, state: t(`process.${m.process}`) };
  const what =
    m.standing === 'removed' ? 'removed' : m.joining ? 'joining' : m.standing === 'learner' ? 'learner' : m.role;
  if (m.process !== 'running')
    return what === m.role ? values.state : t('role.and', { what: t(`role.${what}`, values), ...values });
  return t(`role.${what}`, values);
}

// most is how many members a ring has room for.
const most = 9;

// notNow says why the members cannot be changed now, or nothing.
/** @param {Frame} f */
export function notNow(f) {
  if (!f.leader) return t('not.leader');
  const p = f.conf?.pending;
  return p ? t('not.changing', { index: p.index, name: name(f.conf.by) }) : '';
}

/** @param {Frame} f */
export const notMore = (f) => notNow(f) || (f.members.length >= most ? t('not.full', { n: most }) : '');

// nextMember is the number of the machine that comes next: those of the removed are used up.
/** @param {Frame} f */
export const nextMember = (f) => Math.max(0, ...(f.dials?.members ?? []).map((m) => m.id)) + 1;

// The reasons for which a cluster refuses a change, by etcd's words.
const reasons = [
  ['unhealthy cluster', 'unhealthy'],
  ['not enough started members', 'started'],
  ['in sync with leader', 'behind'],
  ['too many learner', 'learners'],
  ['can only promote a learner member', 'voter'],
  ['member not found', 'gone'],
];

// refusal says why a cluster has refused a change of its members, "" if it did not.
/**
 * @param {ClientRequest} r
 * @param {Frame} f
 */
export function refusal(r, f) {
  if (!r.op.startsWith('member-') || !r.error) return '';
  const [, why] = reasons.find(([words]) => r.error.includes(words)) ?? [];
  const b = r.behind;
  if (!why || (why === 'behind' && !b)) return '';
  return t(`refused.${why}`, {
    name: name(b?.member || r.member),
    leader: name(f.conf.by || f.leader),
    match: b?.match ?? 0,
    own: b?.own ?? 0,
    need: Math.ceil(((b?.own ?? 0) * 9) / 10),
  });
}
