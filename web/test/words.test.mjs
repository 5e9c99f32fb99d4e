// Unit tests of what needs no page: node --test --test-force-exit web/test

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

globalThis.document = { documentElement: { lang: 'en', dataset: {} }, querySelectorAll: () => [] };
globalThis.fetch = async (url) => ({
  ok: true,
  json: async () =>
    JSON.parse(readFileSync(new URL(`../../assets/messages/${url.split('/').at(-1)}`, import.meta.url))),
});

const i18n = await import('../js/i18n.js');
const { app } = await import('../js/app.js');
const { clock, span, stamp } = await import('../js/format.js');
const { headline } = await import('../js/headline.js');
const { being: beingOf, pendingWords, quorumWords, refusal } = await import('../js/conf.js');
const { joined, leads, words } = await import('../js/lines.js');
const { rows: numbers } = await import('../js/tally.js');
const { loadSaid, said: inWords } = await import('../js/said.js');
const { came, lack, order, remarksOf } = await import('../js/why.js');
const { prefixEnd } = await import('../js/prefix.js');
const { linkTo, shared } = await import('../js/share.js');
await i18n.load();

const bytes = (s) => Buffer.from(s, 'utf8');
test('the end of a prefix is behind every key that has it, and nothing is between', () => {
  for (const key of ['a', 'az', '键', '\u{d7ff}', '\u{103ff}', '\u{10fffe}', 'x\u{10ffff}', '~']) {
    const end = prefixEnd(key);
    assert.ok(end.isWellFormed(), key);
    for (const more of ['', 'a', '\u{10ffff}\u{10ffff}', '\u{e000}', '键']) {
      assert.ok(Buffer.compare(bytes(key + more), bytes(end)) < 0, `${key}${more} < ${end}`);
    }
    assert.ok(!end.startsWith(key));
  }
  assert.equal(prefixEnd('\u{d7ff}'), '\u{e000}');
  assert.equal(prefixEnd('\u{10ffff}'), '\0');
});

test('times are whole', () => {
  assert.equal(stamp(27.95e9), '0:27.95');
  assert.equal(stamp(628.3e9), '10:28.30');
  assert.equal(stamp(1984.36e9), '33:04.36');
  assert.equal(stamp(3661e9), '1:01:01.00');
  assert.equal(clock(3661.5e9), '1:01:01.500');
  assert.equal(span(85e3), '85 µs');
});

test('sentences count', () => {
  const one = { n: 1, first: 26, last: 26 },
    two = { n: 2, first: 26, last: 27 };
  assert.equal(i18n.t('store.replay', one), 'Entry 26 would be applied from the log, once known to be committed.');
  assert.equal(i18n.t('store.gone', two), 'Entries 26 to 27 are not synced here: this disk would not have them.');
  assert.equal(i18n.t('wal.atRisk', one), 'Entry 26 was at risk.');
  i18n.use('zh', false);
  assert.equal(i18n.t('wal.atRisk', one), '条目 26 可能丢失。');
  assert.equal(i18n.t('store.gone', two), '条目 26 到 27 在此尚未落盘：这块磁盘上不会有。');
  assert.equal(i18n.t('msg.MsgApp', { ...one, commit: 9 }), '携带条目 26');
  i18n.use('en', false);
  assert.equal(i18n.t('head.allUp', { n: 5 }), 'all 5 members up');
  assert.equal(i18n.t('head.allUp', { n: 1 }), 'its only member is up');
  assert.equal(i18n.t('head.is.paused', { names: 'S1 and S2', n: 2 }), 'S1 and S2 are paused');
});

// frame of five members, the first of which leads, changed by the test.
function frame(change) {
  const members = [1, 2, 3, 4, 5].map((id) => ({
    id,
    role: 'follower',
    process: 'running',
    alive: true,
    term: 2,
    disk: 'idle',
    diskUntil: 0,
    votes: [],
  }));
  Object.assign(members[0], { role: 'leader', quorumHeardAt: 1e9 });
  const f = { epoch: 1, now: 1e9, tick: 1e8, leader: 1, led: 1, commit: 9, members, cuts: [] };
  change?.(f, ...members);
  return f;
}

const said = (change) => {
  const { title, sub } = headline(frame(change));
  return `${title} | ${sub}`;
};
const crash = (f, s1) => {
  f.leader = 0;
  Object.assign(s1, { process: 'crashed', alive: false, role: 'follower' });
};

test('the headline names what is wrong', () => {
  app.frame = null;
  assert.equal(said(), 'S1 leads | term 2 · all 5 members up · 3 of 5 voters decide · 9 entries committed');
  assert.equal(
    said((f, s1, s2) => {
      s2.process = 'paused';
    }),
    'S1 leads | term 2 · 4 of 5 members up: S2 is paused · 3 of 5 voters decide · 9 entries committed',
  );
  assert.equal(
    said((f, s1) => Object.assign(s1, { disk: 'stalled', diskUntil: 2.4e9 })),
    'S1 leads | term 2 · all 5 members up · the disk of S1 hangs, 1.4 s more',
  );
  assert.equal(
    said((f) => {
      f.cuts = [[3, 1]];
    }),
    'S1 leads | term 2 · all 5 members up · nothing passes from S3 to S1',
  );
  assert.equal(
    said((f) => {
      f.cuts = [
        [3, 1],
        [1, 3],
      ];
    }),
    'S1 leads | term 2 · all 5 members up · S3 is cut off from the leader',
  );
});

test('who decides is what the leader has applied, and what is on its way is told as such', () => {
  const conf =
    (change) =>
    (f, ...members) => {
      for (const m of members) m.standing = 'voter';
      f.conf = { by: 1, index: 9, voters: [1, 2, 3, 4, 5], learners: [], quorum: 3 };
      change(f, ...members);
    };
  const learner = conf((f, s1, s2, s3, s4, s5) => {
    s5.standing = 'learner';
    f.conf = { by: 1, index: 9, voters: [1, 2, 3, 4], learners: [5], quorum: 3 };
    f.conf.pending = { kind: 'promote', member: 5, index: 12, quorum: 3, voters: 5 };
  });
  assert.equal(
    said(learner),
    'S1 leads | term 2 · all 5 members up · 3 of 4 voters decide, 3 of 5 once S1 has applied entry 12' +
      ' · 9 entries committed',
  );
  assert.equal(
    pendingWords(frame(learner)),
    'On its way: S5 becomes a voter. ' +
      'Entry 12 is in the log of S1, which has not applied it: until then the old majority decides.',
  );
  const lost = conf((f, s1, s2, s3, s4, s5) => {
    learner(f, s1, s2, s3, s4, s5);
    for (const m of [s2, s3]) Object.assign(m, { process: 'crashed', alive: false });
    f.leader = 0;
  });
  assert.match(said(lost), /^No majority: 2 of 4 voters are up/); // the learner is up, and counts for nothing
  assert.equal(quorumWords(frame()), '3 of 5 voters'); // a recording that tells of none
  const being = (change) => beingOf(Object.assign(frame().members[1], change));
  assert.match(being({ standing: 'learner' }), /^learner in term 2/);
  assert.match(being({ standing: 'removed', process: 'crashed' }), /^removed: .* · crashed/);
  assert.match(being({ standing: 'voter', joining: true }), /^joining/);
});

test('a refused change says why, by name', () => {
  const f = frame((f) => {
    f.conf = { by: 1, index: 9, voters: [1, 2, 3, 4, 5], learners: [], quorum: 3 };
  });
  const behind = {
    op: 'member-promote',
    status: 'error',
    error: 'etcdserver: can only promote a learner member which is in sync with leader',
    behind: { member: 6, match: 12, own: 401 },
  };
  assert.equal(
    refusal(behind, f),
    'S6 has the log up to 12, S1 up to 401: a learner is promoted from 90 % on, here from 361.',
  );
  assert.match(
    refusal({ op: 'member-add', status: 'error', error: 'etcdserver: unhealthy cluster' }, f),
    /S1 must have/,
  );
  assert.equal(refusal({ op: 'put', status: 'error', error: 'etcdserver: unhealthy cluster' }, f), '');
  for (const key of ['unhealthy', 'started', 'behind', 'learners', 'voter', 'gone'])
    assert.ok(i18n.has(`refused.${key}`), key);
});

test('and what follows from it', () => {
  const minority = (f) => {
    f.cuts = [3, 4, 5].flatMap(
      (id) =>
        /** @type {[number, number][]} */ ([
          [1, id],
          [id, 1],
        ]),
    );
  };
  assert.equal(
    said(minority),
    'S1 leads | term 2 · all 5 members up · S3, S4, and S5 are cut off from the leader' +
      ' · it reaches no majority: nothing is committed',
  );
  const hang = (f, ...members) =>
    members.slice(0, 3).forEach((m) => Object.assign(m, { disk: 'stalled', diskUntil: 2e9 }));
  assert.match(said(hang), / · the disks of S1, S2, and S3 hang, 1 s more · too few disks work: nothing is committed/);
  const halves = (f, s1) => {
    crash(f, s1);
    f.cuts = [2, 3].flatMap((a) =>
      [4, 5].flatMap(
        (b) =>
          /** @type {[number, number][]} */ ([
            [a, b],
            [b, a],
          ]),
      ),
    );
  };
  assert.equal(
    said(halves),
    'No majority: no side has 3 members | S1 crashed · the network is split: S2 + S3 | S4 + S5',
  );
  assert.match(said(crash), /^S1 crashed: no leader yet \| Everyone waits/);
  assert.equal(
    said((f, s1, s2, s3) => {
      crash(f, s1);
      Object.assign(s2, {
        role: 'candidate',
        term: 3,
        votes: [
          { id: 2, granted: true },
          { id: 4, granted: true },
        ],
      });
      Object.assign(s3, {
        role: 'candidate',
        term: 3,
        votes: [
          { id: 3, granted: true },
          { id: 5, granted: true },
        ],
      });
    }),
    'S2 and S3 ask for votes | S1 crashed · term 3 · S2 has 2 of 3 votes needed · S3 has 2 of 3 votes needed',
  );
});

test('and in Chinese', () => {
  i18n.use('zh', false);
  assert.equal(
    said((f, s1, s2) => {
      s2.process = 'paused';
    }),
    'S1 是领导者 | 任期 2 · 5 个成员中 4 个在线：S2 已暂停 · 5 个投票者中 3 个决定 · 已提交 9 个条目',
  );
  assert.match(said(crash), /^S1 已崩溃：还没有领导者/);
  i18n.use('en', false);
});

// feed joins lines as the page does, and says them.
const feed = (...lines) => {
  const out = [];
  for (const l of lines) {
    const one = out.length ? joined(out.at(-1), l) : null;
    if (one) out[out.length - 1] = one;
    else out.push(l);
  }
  return out.map((l) => words(l) + (l.times ? ` ${i18n.t('feed.times', { n: l.times })}` : ''));
};

test('a line of the feed names who and what, and leads there', () => {
  const failed = {
    kind: 'requestFailed',
    member: 3,
    request: 7,
    client: 2,
    asks: 'put k1',
    text: 'etcdserver: no leader',
  };
  assert.deepEqual(feed(failed), ["C2's put k1 at S3: etcdserver: no leader"]);
  const asked = { kind: 'asked', peer: 3, text: 'put k1 v' };
  assert.deepEqual(feed(asked, { ...asked, client: 2 }), ['you ask S3: put k1 v', 'C2 asks S3: put k1 v']);
  assert.deepEqual(feed({ ...failed, client: undefined, member: 0 }), ['your put k1: etcdserver: no leader']);
  assert.deepEqual(leads(failed), { request: 7 });
  assert.deepEqual(leads({ kind: 'cut', from: [1], to: [2, 3] }), { link: [1, 2] });
  assert.deepEqual(leads({ kind: 'crashed', member: 4 }), { member: 4 });
  assert.equal(leads({ kind: 'healAll' }), null);
  i18n.use('zh', false);
  assert.deepEqual(feed(failed), ['C2 在 S3 的 put k1：etcdserver: no leader']);
  i18n.use('en', false);
});

test('lines that belong together are one', () => {
  const compacted = (member) => ({ kind: 'compacted', member, rev: 1228 });
  assert.deepEqual(feed(compacted(1), compacted(1), compacted(2)), [
    'S1 compacted its history below revision 1228 × 2',
    'S2 compacted its history below revision 1228',
  ]);
  assert.deepEqual(feed(compacted(3), compacted(1), { ...compacted(2), rev: 1300 }), [
    'S1 and S3 compacted their history below revision 1228',
    'S2 compacted its history below revision 1300',
  ]);
  const drops = (member) => ({ kind: 'truncated', member, index: 18, term: 3 });
  assert.deepEqual(feed(drops(1), drops(2), { ...drops(4), index: 17 }), [
    'S1 and S2 drop entries from 18 on: another leader had others',
    'S4 drops entries from 17 on: another leader had others',
  ]);
  const set = (text) => ({ kind: 'set', name: 'jitter', text });
  assert.deepEqual(feed(set('20ms'), set('25.9ms')), ['jitter is now 25.9ms']);
  assert.deepEqual(feed({ kind: 'cut', at: 5, from: [1], to: [2, 3] }, { kind: 'cut', at: 5, from: [4], to: [3] }), [
    'the network is cut: S1 | S2 + S3, S4 | S3',
  ]);
  const ignored = (member) => ({ kind: 'voteIgnored', member, peer: 5, term: 2, from: [1] });
  assert.deepEqual(feed(ignored(2)), ['S2 does not answer S5, who asks for votes: it hears its leader S1']);
  const all = [ignored(3), ignored(1), ignored(2), ignored(4)];
  assert.deepEqual(feed(...all), [
    'S1, S2, S3, and S4 do not answer S5, who asks for votes: they hear their leader S1',
  ]);
  i18n.use('zh', false);
  assert.deepEqual(feed(...all), ['S1、S2、S3 和 S4 不理会 S5 的投票请求：仍能收到领导者 S1 的消息']);
  i18n.use('en', false);
});

test('why a member stopped is said once, and in both languages', async () => {
  await loadSaid();
  const full = {
      kind: 'stopped',
      member: 5,
      text: 'member 5 has stopped: wal: write: no space left on device (the log accepts nothing more)',
    },
    rotten = {
      kind: 'stopped',
      member: 4,
      text:
        'failed to open WAL: member: read marks: wal: member/wal/0-0.wal is corrupt at offset 512: ' +
        'the file is not a log: it begins with 22 08 0a',
    };
  assert.deepEqual(feed(full), ['S5 stopped: wal: write: no space left on device (the log accepts nothing more)']);
  i18n.use('zh', false);
  assert.deepEqual(feed(full, rotten), [
    'S5 停止：WAL write：磁盘空间不足（日志不再接受任何写入）',
    'S4 停止：无法打开 WAL：读取标记：member/wal/0-0.wal 在偏移 512 处损坏：文件不是日志：开头是 22 08 0a',
  ]);
  i18n.use('en', false);
});

test('what the core says is Chinese for who reads Chinese, and members have one name', async () => {
  await loadSaid();
  const texts = [
    'member 2 voted for 1 and for 3 in term 4',
    'operation 0 (put "a" = "5") read at revision 2, which the log never had',
    'member 3: the image lacks 1 changes, the first of "k" at revision 7.0',
    'etcdserver: request timed out, waiting for the applied index took too long',
    'failed: x = 2',
    'x = 1',
    'something else',
  ];
  assert.deepEqual(texts.map(inWords), [
    'S2 voted for 1 and for 3 in term 4',
    texts[1],
    'S3: the image lacks 1 changes, the first of "k" at revision 7.0',
    ...texts.slice(3),
  ]);
  i18n.use('zh', false);
  assert.deepEqual(texts.map(inWords), [
    'S2 在任期 4 既投给 S1 又投给 S3',
    '操作 0（put "a" = "5"）读到修订版本 2，日志从未有过它',
    'S3：磁盘上缺少 1 处改动，第一处是 "k"，修订 7.0',
    'etcdserver: request timed out, waiting for the applied index took too long（请求超时，等待应用索引过久）',
    '条件不成立，读到：x = 2',
    'x = 1',
    'something else',
  ]);
  i18n.use('en', false);
  assert.equal(inWords('members 1 and 2 are both leader of term 3'), 'S1 and S2 are both leader of term 3');
});

test('an answer says whether it was old, and what became of one that nobody has heard', () => {
  const read = {
    status: 'ok',
    result: 'x = old',
    revision: 2,
    issued: 5e9,
    missed: { text: 'x=new', revision: 3, at: 4e9 },
  };
  const lost = { status: 'unknown', error: 'connection reset', fate: 'happened', fateRevision: 9 };
  assert.deepEqual(remarksOf(read), [
    'Old: x=new was acknowledged at revision 3, 1 s before this read began.',
    'at revision 2',
  ]);
  assert.deepEqual(remarksOf(lost), ['The run knows what the client does not: it happened, at revision 9.']);
  assert.match(remarksOf({ ...lost, fate: 'never' })[0], /never will/);
  assert.match(remarksOf({ ...lost, fate: undefined })[0], /^Nobody knows/);
  const all = [
    { id: 1, client: 0 },
    { id: 2, client: 1 },
    { id: 3, client: 0 },
    { id: 4, client: 2 },
  ];
  assert.deepEqual(
    order(all).map((r) => r.id),
    [3, 1, 4, 2],
  );
  i18n.use('zh', false);
  assert.deepEqual(remarksOf(lost), ['客户端不知道，但这次运行知道：它已发生，在修订版本 9。']);
  assert.equal(came({ status: 'ok', result: 'failed: x = 2' }), '条件不成立，读到：x = 2');
  i18n.use('en', false);
});

test('a request says what it waits for, and why that does not come', () => {
  const f = frame((f, s1, s2) => {
    f.cuts = [
      [1, 3],
      [3, 1],
    ];
    s2.process = 'paused';
  });
  const waits = (l) => lack({ lack: l }, f);
  assert.equal(waits({ kind: 'apply', member: 1, index: 27, have: 24 }), 'S1 waits for applied 24 to reach 27.');
  assert.equal(
    waits({ kind: 'sync', for: 1, index: 25, need: 1, of: [2, 3, 4] }),
    'It waits for one more of S2, S3, and S4 to sync entry 25: S3 is cut off from S1; S2 is paused.',
  );
  assert.equal(waits({ kind: 'leader', member: 5 }), 'S5 knows no leader, and waits for an election: S2 is paused.');
  assert.equal(
    waits({ kind: 'leader', member: 3 }),
    'S3 knows no leader, and waits for an election: S1 is cut off from S3; S2 is paused.',
  );
  assert.equal(waits({ kind: '' }), '');
  for (const kind of ['connection', 'way', 'forward', 'turn', 'majority', 'lost', 'commit', 'return'])
    assert.doesNotMatch(waits({ kind, member: 4, for: 5, of: [] }), /lack\.|\{/);
  i18n.use('zh', false);
  assert.equal(
    waits({ kind: 'majority', member: 1, need: 2, of: [3, 4, 5] }),
    '正在询问多数派 S1 是否仍是领导者，还缺 S3、S4 和 S5 中 2 个答复：S3 与 S1 断开。',
  );
  i18n.use('en', false);
});

test('a link holds a run, and one that is no good says so', async () => {
  const memory = { world: { config: { Seed: 7 }, commands: [{ cmd: 'put', key: '键' }] }, now: 5e9, playing: true };
  const link = await linkTo(JSON.stringify(memory));
  assert.match(link, /^#run=[\w-]+$/);
  assert.deepEqual(JSON.parse(await shared(link)), { ...memory, playing: false });
  assert.equal(await shared('#elsewhere'), null);
  const bomb = await linkTo(JSON.stringify({ now: 0, world: 'x'.repeat(1 << 20) }));
  const late = await linkTo(JSON.stringify({ ...memory, now: 1e18 }));
  for (const bad of ['#run=', '#run=%', '#run=AAAA', link.slice(0, -9), bomb, late])
    await assert.rejects(shared(bad), bad.slice(0, 40));
});

test('numbers of which next to nothing is known are no numbers', () => {
  const answers = { count: 0, p50: 0, p99: 0 };
  const none = { over: 0, writes: answers, reads: answers, failed: 0, entries: 0, messages: 9, syncs: 3 };
  const tell = (n) =>
    Object.fromEntries(numbers.map(([key, say]) => [key, say({ elections: 0, leaderless: 0, ...n })]));
  const bare = tell(none);
  for (const key of ['writes', 'writeHalf', 'reads', 'entries', 'messages', 'syncs']) assert.equal(bare[key], '–', key);
  const some = tell({ ...none, over: 2e9, entries: 3, writes: { count: 1234, p50: 12_345_678, p99: 2_345_678_901 } });
  assert.deepEqual(
    [some.over, some.writes, some.writeHalf, some.write99, some.messages, some.syncs, some.reads],
    ['2 s', '617', '12 ms', '2.3 s', '3', '1', '0'],
  );
});

test('who led is in the title, and of the others nobody is forgotten', () => {
  assert.match(
    said((f, s1, s2) => {
      crash(f, s1);
      crash(f, s2);
    }),
    /^S1 crashed: no leader yet \| S2 crashed · Everyone waits/,
  );
  assert.match(
    said((f, s1, s2) => {
      crash(f, s2);
      s1.process = 'paused';
    }),
    /^S1 is paused: no leader yet \| S2 crashed · Everyone waits/,
  );
});

test('what stands in a row is parted as the language has it', () => {
  const two = frame((f, s1, s2, s3) => {
    Object.assign(s2, { process: 'paused' });
    Object.assign(s3, { process: 'crashed', alive: false });
  });
  const waits = () => lack({ lack: { kind: 'sync', for: 1, index: 25, need: 1, of: [2, 3] } }, two);
  assert.equal(waits(), 'It waits for one more of S2 and S3 to sync entry 25: S3 crashed; S2 is paused.');
  i18n.use('zh', false);
  assert.equal(waits(), '等待 S2 和 S3 中再有 1 个同步条目 25：S3 已崩溃；S2 已暂停。');
  assert.equal(i18n.row(['已同步', '已提交']), '已同步、已提交');
  i18n.use('en', false);
  assert.equal(i18n.row(['synced', 'committed']), 'synced, committed');
});
