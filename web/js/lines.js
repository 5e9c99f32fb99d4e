// Lines of the feed: what they say, what they lead to, and which of them are one.

import { client, name } from './format.js';
import { has, list, row, t } from './i18n.js';
import { said } from './said.js';

// joined is one line for two that follow one another, or nothing: one that repeats
// counts, a dial that is turned shows where it stands, a stroke of the mouse is one
// cut, and members that refuse the same candidate, or do the same to their logs or
// histories, do so together.
/**
 * @param {Line} a
 * @param {Line} b
 */
export function joined(a, b) {
  if (a.kind !== b.kind || a.lit || b.lit) return null;
  if (a.kind === 'set' && a.name === b.name) return b;
  if (a.kind in strokes && a.at === b.at) return { ...a, more: [...(a.more ?? []), b] };
  if (
    alike.has(a.kind) &&
    !a.times &&
    a.peer === b.peer &&
    a.term === b.term &&
    a.rev === b.rev &&
    a.index === b.index &&
    a.why === b.why &&
    String(a.from) === String(b.from)
  ) {
    const members = [...new Set([...(a.members ?? [a.member]), b.member])].sort((x, y) => x - y);
    if (members.length > (a.members?.length ?? 1)) return { ...b, members };
  }
  return words(a) === words({ ...b, members: a.members })
    ? { ...b, members: a.members, times: (a.times ?? 1) + 1 }
    : null;
}
const strokes = { cut: '|', cutOneWay: '→', heal: '–', healOneWay: '→' };
const refusals = new Set(['voteIgnored', 'voteRefused']);
const alike = new Set([...refusals, 'compacted', 'truncated']); // what several members do, one after another

// leads is what a line is about: a request, a link, or a member.
/** @param {Line} item */
export function leads(item) {
  const [from, to] = [item.from?.[0], item.to?.[0]];
  if (item.request) return { request: item.request };
  if (from && to) return { link: [from, to] };
  return item.member ? { member: item.member } : null;
}

// who asked, what, and whom.
/** @param {Line} item */
function who(item) {
  if (!item.asks) return t('feed.someone');
  const whose = item.client ? 'who' : 'mine';
  return t(`feed.${whose}${item.member ? '' : 'Nowhere'}`, {
    client: client(item.client ?? 0),
    text: item.asks,
    member: name(item.member || 0),
  });
}

// reason is why a vote was refused, as the picture knows it.
/**
 * @param {Line} item
 * @param {Frame} f
 */
export function reason(item, f) {
  const r =
    item.kind === 'voteRefused' &&
    f.members.find((m) => m.id === item.peer)?.refusals?.find((r) => r.id === item.member);
  return r && has(`why.${r.why}`) ? t(`why.${r.why}`, { name: name(r.for) }) : '';
}

/** @param {Line} item */
export function words(item) {
  const key = item.kind === 'asked' && !item.client ? 'feed.asked.mine' : `feed.${item.kind}`;
  if (!has(key)) return item.kind;
  const sides = item.kind === 'cut' || item.kind === 'heal';
  const names = (ids) => (sides ? (ids || []).map(name).join(' + ') : list((ids || []).map(name)));
  const members = item.members ?? [item.member || 0];
  return t(key, {
    member: list(members.map(name)),
    peer: name(item.peer || 0),
    term: item.term ?? 0,
    index: item.index ?? 0,
    rev: item.rev ?? 0,
    from: names(item.from),
    to: names(item.to),
    links: row([item, ...(item.more ?? [])].map((l) => `${names(l.from)} ${strokes[item.kind]} ${names(l.to)}`)),
    n: alike.has(item.kind) ? members.length : Math.max(item.n || 0, (item.from || []).length),
    text: said(item.kind === 'stopped' ? item.text?.replace(/^member [0-9a-f]+ has stopped: /, '') : item.text),
    name: item.name || '',
    what: item.name ? t(`${item.kind === 'fails' ? 'fail' : 'set'}.${item.name}`) : '',
    why: item.why || '',
    who: item.kind === 'asked' ? client(item.client ?? 0) : who(item),
  });
}
