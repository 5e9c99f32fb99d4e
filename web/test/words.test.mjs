// Unit tests of what needs no page: node --test web/test

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

globalThis.document = { documentElement: { lang: 'en', dataset: {} }, querySelectorAll: () => [] };
globalThis.fetch = async (url) => ({
  ok: true,
  json: async () => JSON.parse(readFileSync(new URL(`../../${url}`, import.meta.url))),
});

const i18n = await import('../js/i18n.js');
const { app } = await import('../js/app.js');
const { clock, span, stamp } = await import('../js/format.js');
const { headline } = await import('../js/headline.js');
const { prefixEnd } = await import('../js/prefix.js');
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
  const f = { epoch: 1, now: 1e9, tick: 1e8, leader: 1, commit: 9, members, cuts: [] };
  change?.(f, ...members);
  return f;
}

const said = (change, led = 1) => {
  const { title, sub } = headline(frame(change), led);
  return `${title} | ${sub}`;
};
const crash = (f, s1) => {
  f.leader = 0;
  Object.assign(s1, { process: 'crashed', alive: false, role: 'follower' });
};

test('the headline names what is wrong', () => {
  app.frame = null;
  assert.equal(said(), 'S1 leads | term 2 · all 5 members up · 9 entries committed');
  assert.equal(
    said((f, s1, s2) => {
      s2.process = 'paused';
    }),
    'S1 leads | term 2 · 4 of 5 members up: S2 is paused · 9 entries committed',
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
    'S1 是领导者 | 任期 2 · 5 个成员中 4 个在线：S2 已暂停 · 已提交 9 个条目',
  );
  assert.match(said(crash), /^S1 已崩溃：还没有领导者/);
  i18n.use('en', false);
});
