// Where something came from, in the words of the feed.

import { words } from './lines.js';
import { element, stamp } from './format.js';
import { t } from './i18n.js';
import { look } from './look.js';

// origin: from the first cause on, how something came about.
/**
 * @param {number} member
 * @param {object} query
 */
export function origin(member, query) {
  const o = look(member, 'why', query);
  if (o.error) return element('p', { class: 'hint' }, o.error);
  return element(
    'ol',
    { class: 'origin' },
    o.lost ? element('li', { class: 'lab' }, t('card.longAgo')) : null,
    ...o.lines.map((l) => element('li', {}, element('time', {}, stamp(l.at)), ` ${words(l)}`)),
  );
}
