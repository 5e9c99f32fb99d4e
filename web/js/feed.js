// What happened, in words; the newest first. The same words go to the live
// region for those who listen.

import { byId } from './dom.js';
import { element, name, paint, stamp, termColor, client } from './format.js';
import { has, list, onLanguage, t } from './i18n.js';

const keep = 120;
const big = new Set([
  'leader',
  'crashed',
  'killed',
  'restarted',
  'paused',
  'resumed',
  'stepDown',
  'cut',
  'cutOneWay',
  'heal',
  'healOneWay',
  'healMember',
  'healAll',
  'isolated',
  'violated',
  'stopped',
  'snapshotInstalled',
  'truncated',
]);
const fault = new Set([
  'crashed',
  'killed',
  'paused',
  'cut',
  'cutOneWay',
  'isolated',
  'stopped',
  'logFailed',
  'stalled',
]);
const spoken = new Set([...big, 'candidate', 'requestFailed']);

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const ol = byId('feed'),
    narrator = byId('narrator');
  let items = [],
    epoch = -1,
    spokeAt = 0,
    waiting = [];
  vitrine.subscribe((f) => {
    if (f.epoch !== epoch) {
      epoch = f.epoch;
      items = [];
      ol.replaceChildren();
    }
    if (!f.feed?.length) return;
    for (const item of f.feed) {
      if (item.request) item.who = who(item.request, f);
      const last = items.at(-1);
      if (last && same(last, item)) {
        // a line that repeats is one line that counts
        items[items.length - 1] = { ...item, times: (last.times ?? 1) + 1 };
        ol.firstChild.replaceWith(line(items.at(-1)));
        continue;
      }
      items.push(item);
      ol.prepend(line(item));
      if (spoken.has(item.kind)) waiting.push(item);
    }
    items = items.slice(-keep);
    while (ol.childElementCount > keep) ol.lastChild.remove();
    // A listener hears at most one sentence in two seconds, the last ones.
    if (waiting.length && performance.now() - spokeAt > 2000) {
      narrator.textContent = waiting.slice(-2).map(words).join(' ');
      spokeAt = performance.now();
      waiting = [];
    }
  });
  onLanguage(() => ol.replaceChildren(...items.map(line).reverse()));
}

/** @param {Line} item */
function line(item) {
  const li = element('li', {
    class: [
      item.lit && 'lit',
      (item.lit || big.has(item.kind)) && 'big',
      fault.has(item.kind) && 'fault',
      item.kind === 'violated' && 'bad',
    ]
      .filter(Boolean)
      .join(' '),
  });
  const p = element('span');
  // Names of members stand out, terms have their color.
  for (const part of words(item).split(/(\bS\d\b|(?:term|任期) \d+)/)) {
    if (/^S\d$/.test(part)) p.append(element('b', {}, part));
    else if (/^(term|任期) \d+$/.test(part))
      p.append(paint(element('span', { class: 'term' }, part), termColor(Number(part.match(/\d+/)[0]))));
    else p.append(part);
  }
  if (item.times) p.append(' ', element('em', {}, t('feed.times', { n: item.times })));
  li.append(element('time', {}, stamp(item.at)), p);
  return li;
}

// who asked, what, and whom: the page knows the last requests only.
/**
 * @param {number} request
 * @param {Frame} f
 */
function who(request, f) {
  const r = (f.requests || []).find((r) => r.id === request);
  if (!r) return '';
  const by = client(r.client);
  return r.member
    ? t('feed.who', { client: by, text: r.text, member: name(r.member) })
    : t('feed.whoNowhere', { client: by, text: r.text });
}

/**
 * @param {Line} a
 * @param {Line} b
 */
const same = (a, b) => a.kind === b.kind && !a.lit && !b.lit && words(a) === words(b);

/** @param {Line} item */
export function words(item) {
  const key = `feed.${item.kind}`;
  if (!has(key)) return item.kind;
  const sides = item.kind === 'cut' || item.kind === 'heal';
  const names = (ids) => (sides ? (ids || []).map(name).join(' + ') : list((ids || []).map(name)));
  return t(key, {
    member: name(item.member || 0),
    peer: name(item.peer || 0),
    term: item.term ?? 0,
    index: item.index ?? 0,
    rev: item.rev ?? 0,
    from: names(item.from),
    to: names(item.to),
    n: Math.max(item.n || 0, (item.from || []).length),
    text: item.text || '',
    who: item.who || t('feed.someone'),
  });
}
