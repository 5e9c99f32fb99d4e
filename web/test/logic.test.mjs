// Unit tests of what the scripts decide without a page: node --test --test-force-exit web/test

import assert from 'node:assert/strict';
import test from 'node:test';

globalThis.document = {
  documentElement: { lang: 'en', dataset: {} },
  querySelectorAll: () => [],
  getElementById: () => null,
};
const waiting = [];
globalThis.requestAnimationFrame = (fn) => waiting.push(fn);

const { actionNames, fallen, healthy, isolated, label, whyNot } = await import('../js/actions.js');
const { attach, isCut, memberOf, publish, shown, vitrine } = await import('../js/app.js');
const { cutCommands } = await import('../js/cuts.js');
const { bytes, speed, termColor } = await import('../js/format.js');
const { rest } = await import('../js/frames.js');
const { range } = await import('../js/watches.js');

const member = (id, change = {}) => ({ id, role: 'follower', process: 'running', alive: true, term: 2, ...change });
const frame = (change = {}) => ({
  leader: 1,
  cuts: [],
  chosen: { member: 0 },
  members: [1, 2, 3].map((i) => member(i)),
  ...change,
});

test('what can be taken back is the last that fell', () => {
  const dead = { alive: false, process: 'crashed' };
  const f = frame({ fallen: [3, 1], members: [member(1, dead), member(2), member(3, dead)] });
  assert.equal(fallen(f).id, 1);
  f.members[0] = member(1, { alive: false, process: 'starting' });
  assert.equal(fallen(f).id, 3);
  f.members.pop(); // it is no member any more
  assert.equal(fallen(f), undefined);
  assert.equal(fallen({ ...f, fallen: [], source: { acts: true } }), undefined);
});

test('cuts are said in few commands', () => {
  assert.deepEqual(
    cutCommands(
      [
        [1, 2],
        [1, 3],
        [4, 1],
      ],
      false,
    ),
    [{ cmd: 'cut', from: [1], to: [2, 3, 4], oneway: false }],
  );
  assert.deepEqual(
    cutCommands(
      [
        [1, 2],
        [3, 2],
      ],
      true,
    ),
    [
      { cmd: 'cut', from: [1], to: [2], oneway: true },
      { cmd: 'cut', from: [3], to: [2], oneway: true },
    ],
  );
  assert.deepEqual(cutCommands([], false), []);
  const all = [
    [1, 2],
    [1, 3],
    [2, 3],
  ];
  const told = cutCommands(all, false).flatMap((c) => c.to.map((to) => [c.from[0], to].sort().join()));
  assert.deepEqual(told.sort(), all.map((l) => l.join()).sort());
});

test('an action that can do nothing says so', () => {
  const dead = member(2, { process: 'crashed', alive: false });
  const possible = (m, f = frame()) => actionNames.filter((n) => !whyNot(n, m, f));
  assert.deepEqual(possible(dead), ['restart', 'isolate', 'remove']);
  assert.deepEqual(possible(member(1, { role: 'leader' })), ['crash', 'kill', 'pause', 'isolate', 'stall', 'remove']);
  assert.deepEqual(possible(member(2)), ['crash', 'kill', 'pause', 'isolate', 'timeout', 'lead', 'stall', 'remove']);
  const conf = { by: 1, index: 4, voters: [1], learners: [2], quorum: 1 };
  const two = [member(1, { role: 'leader', standing: 'voter' }), member(2, { standing: 'learner' })];
  assert.ok(possible(two[1], frame({ members: two, conf })).includes('promote'));
  assert.ok(!possible(two[0], frame({ members: two, conf })).includes('remove')); // the last voter
  assert.ok(possible(two[1], frame({ members: two, conf })).includes('remove'));
  const busy = { ...conf, pending: { kind: 'promote', member: 2, index: 5, quorum: 2, voters: 2 } };
  assert.ok(!possible(two[1], frame({ members: two, conf: busy })).includes('promote')); // one at a time
  assert.ok(!possible(member(2, { standing: 'removed' })).includes('remove'));
  assert.ok(!possible(member(1), frame({ members: [member(1)] })).includes('isolate'));
});

test('an action is named by what it would do', () => {
  const alone = frame({
    cuts: [
      [1, 2],
      [2, 1],
      [2, 3],
      [3, 2],
    ],
  });
  assert.ok(isolated(member(2), alone));
  assert.ok(!isolated(member(1), alone));
  assert.equal(label('isolate', member(2), alone), 'act.rejoin');
  assert.equal(label('pause', member(2, { process: 'paused' }), frame()), 'act.resume');
  assert.equal(label('crash', member(2), frame()), 'act.crash');
});

test('a cluster that is whole has nothing to heal', () => {
  assert.notEqual(healthy(frame()), '');
  assert.equal(healthy(frame({ cuts: [[1, 2]] })), '');
  assert.equal(healthy(frame({ members: [member(1), member(2, { process: 'paused' })] })), '');
});

test('the inspector shows the chosen member, else the leader, else the first', () => {
  assert.equal(shown(frame({ chosen: { member: 3 } })), 3);
  assert.equal(shown(frame()), 1);
  assert.equal(shown(frame({ leader: 0 })), 1);
  assert.equal(memberOf(frame(), 2).id, 2);
  assert.ok(isCut(frame({ cuts: [[1, 2]] }), 1, 2));
  assert.ok(!isCut(frame({ cuts: [[1, 2]] }), 2, 1));
});

test('figures have units', () => {
  assert.equal(bytes(1023), '1023 B');
  assert.equal(bytes(1536), '1.5 KiB');
  assert.equal(bytes(3 << 20), '3 MiB');
  assert.equal(speed(0.02), '0.02x');
  assert.equal(speed(250.4), '250x');
  assert.equal(termColor(0), 'var(--muted)');
  assert.equal(termColor(7), termColor(1));
});

test('a watch is on a key, a prefix, or all from a key on', () => {
  assert.equal(range({ key: 'a' }), 'a');
  assert.equal(range({ key: 'a', end: 'b' }), 'a*');
  assert.equal(range({ key: 'a', end: '\0' }), 'a…');
});

test('frames wait while the stage rests', () => {
  rest(true);
  const ran = [];
  globalThis.requestAnimationFrame(() => ran.push(1));
  assert.equal(waiting.length, 0);
  rest(false);
  assert.equal(waiting.length, 1);
  waiting.pop()();
  assert.deepEqual(ran, [1]);
});

test('a frame that is replaced leaves its lines to the next, unless the world is another', async () => {
  const told = [];
  const end = vitrine.subscribe((f) => told.push(f.feed.map((l) => l.kind)));
  publish('{"epoch":1,"members":[],"feed":[{"kind":"old"}]}');
  publish('{"epoch":2,"members":[],"feed":[{"kind":"crashed"}]}');
  publish('{"epoch":2,"members":[],"feed":[{"kind":"restarted"}]}');
  await vitrine.ready;
  end();
  assert.deepEqual(told, [['crashed', 'restarted']]);
});

test('a command is an object, and its error is thrown', () => {
  assert.throws(() => vitrine.step(1), /not ready/);
  attach({
    dispatch: (json) => (JSON.parse(json).cmd === 'put' ? { request: 7, missed: false } : { error: 'no such command' }),
  });
  assert.deepEqual(vitrine.dispatch({ cmd: 'put' }), { request: 7, missed: false });
  assert.throws(() => vitrine.dispatch({ cmd: 'x' }), /no such command/);
  assert.throws(() => vitrine.dispatch('put'), /an object/);
});
