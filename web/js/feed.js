// What happened, in words; the newest first. The same words go to the live
// region for those who listen. A line leads to what it is about.

import { act } from './app.js';
import { byId } from './dom.js';
import { element, keepFocus, paint, stamp, termColor } from './format.js';
import { onLanguage, t } from './i18n.js';
import { joined, leads, reason, words } from './lines.js';
import { sheet } from './sheet.js';

const keep = 120;
const worldsKept = 60;
const big = new Set([
  'leader',
  'crashed',
  'killed',
  'restarted',
  'began',
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
  'leaseExpired',
  'leasesRefilled',
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
  'fails',
]);
const spoken = new Set([...big, 'candidate', 'requestFailed']);

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const ol = byId('feed'),
    narrator = byId('narrator');
  const others = new Map(); // lines of worlds that may come back, by epoch
  let items = [],
    epoch = -1,
    spokeAt = 0,
    waiting = [];
  vitrine.subscribe((f) => {
    if (f.epoch !== epoch) {
      others.set(epoch, items);
      epoch = f.epoch;
      followed = -1;
      items = others.get(epoch) ?? [];
      if (others.size > worldsKept) others.delete([...others.keys()].find((e) => e !== epoch));
      ol.replaceChildren(...items.map(line).reverse());
    }
    if (!f.feed?.length) return;
    for (const item of f.feed) {
      item.why = reason(item, f);
      item.asks = f.requests?.find((r) => r.id === item.request)?.text ?? item.asks;
      const one = items.length ? joined(items.at(-1), item) : null;
      if (one) {
        items[items.length - 1] = one;
        keepFocus(ol, () => ol.firstChild.replaceWith(line(one)));
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
  ol.addEventListener('keydown', walk);
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
  const goal = leads(item);
  const p = goal
    ? element('button', {
        type: 'button',
        tabindex: -1,
        'data-id': `line-${item.seq}`,
        'aria-current': item.seq === followed,
        onclick: () => follow(goal, item.seq),
      })
    : element('span');
  // Names of members stand out, terms have their color.
  for (const part of words(item).split(/(\bS\d+\b|(?:term|任期) \d+)/)) {
    if (/^S\d+$/.test(part)) p.append(element('b', {}, part));
    else if (/^(term|任期) \d+$/.test(part))
      p.append(paint(element('span', { class: 'term' }, part), termColor(Number(part.match(/\d+/)[0]))));
    else p.append(part);
  }
  if (item.times) p.append(' ', element('em', {}, t('feed.times', { n: item.times })));
  li.append(element('time', {}, stamp(item.at)), p);
  return li;
}

let followed = -1; // the line whose goal was looked at last

/**
 * @param {ReturnType<typeof leads>} goal
 * @param {number} seq
 */
function follow(goal, seq) {
  if (!act({ cmd: 'select', ...goal })) return;
  followed = seq;
  for (const b of byId('feed').querySelectorAll('button'))
    b.setAttribute('aria-current', String(b.dataset.id === `line-${seq}`));
  sheet(goal.request ? 'request' : 'member');
}

// walk moves between the lines with the arrow keys: they are one stop of Tab.
/** @param {KeyboardEvent} e */
function walk(e) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (!way) return;
  const ol = byId('feed'),
    all = [...ol.querySelectorAll('button')];
  const next = all[all.indexOf(/** @type {any} */ (document.activeElement)) + way];
  if (!next) return;
  e.preventDefault();
  next.focus();
}
