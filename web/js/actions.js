// What can be done to a member: one list for buttons and keys.

import { act, memberOf, shown } from './app.js';

export const actions = {
  crash: { key: 'K', can: (m) => m.alive || m.process === 'starting', run: (m) => act({ cmd: 'crash', member: m.id }) },
  kill: { key: 'D', can: (m) => m.alive || m.process === 'starting', run: (m) => act({ cmd: 'crash', member: m.id, keep: true }) },
  restart: { key: 'R', can: (m) => !m.alive && m.process !== 'starting', run: (m) => act({ cmd: 'restart', member: m.id }) },
  pause: { key: 'P', can: (m) => m.alive, run: (m) => act({ cmd: m.process === 'paused' ? 'resume' : 'pause', member: m.id }) },
  isolate: { key: 'I', can: (m, f) => f.members.length > 1, run: (m, f) => act(isolated(m, f) ? { cmd: 'heal', member: m.id } : { cmd: 'isolate', member: m.id }) },
  timeout: { key: 'E', can: (m) => m.process === 'running' && m.role !== 'leader', run: (m) => act({ cmd: 'campaign', member: m.id }) },
};

// isolated: every link from and to m is cut.
export function isolated(m, f) { return f.cuts.filter((c) => c[0] === m.id || c[1] === m.id).length === 2 * (f.members.length - 1); }

// label is the key of an action's name, which depends on what it would do.
export function label(name, m, f) {
  if (name === 'pause' && m.process === 'paused') return 'act.resume';
  if (name === 'isolate' && isolated(m, f)) return 'act.rejoin';
  return `act.${name}`;
}

export function doTo(name, f, id = shown(f)) {
  const m = memberOf(f, id);
  if (m && actions[name].can(m, f)) actions[name].run(m, f);
}

export function crashLeader(f) {
  const id = f.leader || f.members.find((m) => m.alive)?.id;
  if (id) act({ cmd: 'crash', member: id });
}

export const down = (f) => f.members.filter((m) => !m.alive && m.process !== 'starting');

export function restartAll(f) { for (const m of down(f)) act({ cmd: 'restart', member: m.id }); }

// healAll heals every link, resumes the paused and restarts the dead.
export function healAll(f) { act({ cmd: 'heal-all' }); restartAll(f); }

export const hurt = (f) => f.cuts.length > 0 || f.members.some((m) => m.process !== 'running');

// split cuts the leader and as many more as a minority has from the rest.
export function split(f) {
  const n = f.members.length, first = f.leader || 1, small = [];
  for (let i = 0; i < Math.floor((n - 1) / 2) || i < 1; i++) small.push(((first - 1 + i) % n) + 1);
  const rest = f.members.map((m) => m.id).filter((id) => !small.includes(id));
  if (rest.length) act({ cmd: 'cut', from: small, to: rest });
}

// toggleLink cuts or heals one direction.
export function toggleLink(f, from, to, cut) { act({ cmd: cut ? 'heal' : 'cut', from: [from], to: [to], oneway: true }); }
