// What can be done to a member: one list for buttons and keys.

import { act, app, memberOf, shown, toast, recorded } from './app.js';
import { notNow, voters } from './conf.js';
import { name } from './format.js';
import { t } from './i18n.js';

/** @param {Member} m */
const dead = (m) => !m.alive && m.process !== 'starting';

/** @param {Member} m */
const voteless = (m) => (m.standing === 'learner' || m.standing === 'removed') && 'not.voteless';

// not is the key of the reason why an action is impossible now, or nothing.
/** @typedef {keyof typeof actions} ActionName */
export const actions = {
  crash: { key: 'K', not: (m) => dead(m) && 'not.down', run: (m) => act({ cmd: 'crash', member: m.id }) },
  kill: { key: 'D', not: (m) => dead(m) && 'not.down', run: (m) => act({ cmd: 'crash', member: m.id, keep: true }) },
  restart: { key: 'R', not: (m) => !dead(m) && 'not.runs', run: (m) => act({ cmd: 'restart', member: m.id }) },
  pause: {
    key: 'P',
    not: (m) => !m.alive && 'not.down',
    run: (m) => act({ cmd: m.process === 'paused' ? 'resume' : 'pause', member: m.id }),
  },
  isolate: {
    key: 'I',
    not: (m, f) => f.members.length < 2 && 'not.alone',
    run: (m, f) => act(isolated(m, f) ? { cmd: 'heal', member: m.id } : { cmd: 'isolate', member: m.id }),
  },
  timeout: {
    key: 'E',
    not: (m) => (m.process !== 'running' ? 'not.down' : m.role === 'leader' ? 'not.leads' : voteless(m)),
    run: (m) => act({ cmd: 'campaign', member: m.id }),
  },
  lead: {
    key: 'M',
    not: (m, f) =>
      m.process !== 'running' ? 'not.down' : !f.leader ? 'not.leader' : f.leader === m.id ? 'not.already' : voteless(m),
    run: (m) => act({ cmd: 'transfer', member: m.id }),
  },
  stall: { key: 'F', not: (m) => !m.alive && 'not.down', run: (m) => act({ cmd: 'stall', member: m.id, value: '2s' }) },
  promote: {
    key: 'U',
    not: (m) => (m.standing === 'removed' ? 'not.removed' : m.standing !== 'learner' && 'not.learner'),
    run: (m) => change({ cmd: 'promote', id: m.id }),
  },
  remove: {
    key: 'Q',
    not: (m, f) =>
      m.standing === 'removed' ? 'not.removed' : voters(f).length === 1 && m.standing === 'voter' && 'not.lastVoter',
    run: (m) => change({ cmd: 'remove', id: m.id }),
  },
};
const changes = ['promote', 'remove'];

/** All actions, in the order of their buttons. */
export const actionNames = /** @type {ActionName[]} */ (Object.keys(actions));

/** @type {Set<number>} */
export const asked = new Set(); // changes of the members that a control has asked for and that are not over

// change asks the leader for a change of the members, as who may do everything.
/** @param {Command} command */
export function change(command) {
  const answer = act({ ...command, member: app.frame.leader, as: 'root' });
  if (answer?.request) asked.add(answer.request);
}

// isolated: every link from and to m is cut.
/**
 * @param {Member} m
 * @param {Frame} f
 */
export function isolated(m, f) {
  return (
    f.members.length > 1 && f.cuts.filter((c) => c[0] === m.id || c[1] === m.id).length === 2 * (f.members.length - 1)
  );
}

// label is the key of an action's name, which depends on what it would do.
/**
 * @param {string} name
 * @param {Member} m
 * @param {Frame} f
 */
export function label(name, m, f) {
  if (name === 'pause' && m.process === 'paused') return 'act.resume';
  if (name === 'isolate' && isolated(m, f)) return 'act.rejoin';
  return `act.${name}`;
}

// whyNot says why an action is impossible now, in words, or nothing.
/**
 * @param {ActionName} action
 * @param {Member} m
 * @param {Frame} f
 */
export function whyNot(action, m, f) {
  const why = recorded(f);
  if (why) return why;
  const key = actions[action].not(m, f);
  return key ? t(key, { name: name(m.id) }) : changes.includes(action) ? notNow(f) : '';
}

/**
 * @param {ActionName} action
 * @param {Frame} f
 * @param {number} [id]
 */
export function doTo(action, f, id = shown(f)) {
  const m = memberOf(f, id);
  if (!m) return;
  const why = whyNot(action, m, f);
  if (why) toast(why, true);
  else actions[action].run(m, f);
}

/** @param {Frame} f */
export const noLeader = (f) => recorded(f) || (f.leader ? '' : t('not.leader'));

// fallen is the member that fell last and does not run: what ended it is taken back with
// one click. That is read from the world, which may be one that was made again.
/** @param {Frame} f */
export const fallen = (f) =>
  recorded(f)
    ? undefined
    : f.fallen
        .map((id) => memberOf(f, id))
        .filter((m) => m && dead(m))
        .at(-1);

/** @param {Frame} f */
export function crashLeader(f) {
  const why = noLeader(f);
  if (why) {
    toast(why, true);
    return;
  }
  act({ cmd: 'crash', member: f.leader });
}

/** @param {Frame} f */
export const down = (f) => f.members.filter(dead);

/** @param {Frame} f */
export function restartAll(f) {
  for (const m of down(f)) act({ cmd: 'restart', member: m.id });
}

// healAll heals every link, resumes the paused and restarts the dead.
/** @param {Frame} f */
export function healAll(f) {
  const why = healthy(f);
  if (why) {
    toast(why, true);
    return;
  }
  act({ cmd: 'heal-all' });
  restartAll(f);
}

/** @param {Frame} f */
export const healthy = (f) =>
  recorded(f) || (f.cuts.length > 0 || f.members.some((m) => m.process !== 'running') ? '' : t('not.hurt'));

// split cuts the leader and as many more as a minority has from the rest.
/** @param {Frame} f */
export function split(f) {
  const why = recorded(f);
  if (why) {
    toast(why, true);
    return;
  }
  if (f.members.length < 2) {
    toast(t('not.alone', { name: name(shown(f)) }), true);
    return;
  }
  // From the leader on, voters first: learners stay with the rest.
  const ids = voters(f).map((m) => m.id),
    at = Math.max(0, ids.indexOf(f.leader)),
    few = Math.max(1, Math.floor((ids.length - 1) / 2)),
    small = [...ids.slice(at), ...ids.slice(0, at)].slice(0, few);
  const rest = f.members.map((m) => m.id).filter((id) => !small.includes(id));
  act({ cmd: 'cut', from: small, to: rest });
}

// toggleLink cuts or heals one direction.
/**
 * @param {Frame} f
 * @param {number} from
 * @param {number} to
 * @param {boolean} cut
 */
export function toggleLink(f, from, to, cut) {
  act({ cmd: cut ? 'heal' : 'cut', from: [from], to: [to], oneway: true });
}
