// What the cluster did, in numbers: before a moment that the visitor marks, and since.

import { act } from './app.js';
import { byId } from './dom.js';
import { able, element, stamp, text } from './format.js';
import { t } from './i18n.js';
import { again, show } from './menu.js';
import { rows } from './tally.js';

export function start() {
  byId('numbers').addEventListener('click', openNumbers);
}

// openNumbers shows the table over the stage while time goes on, or closes it.
export function openNumbers() {
  if (again('numbers')) return;
  const stage = document.body.getBoundingClientRect();
  /** @type {HTMLElement[][]} */
  let cells = [],
    head = [];
  const mark = element('button', { type: 'button', class: 'btn', id: 'numbers-mark' });
  mark.addEventListener('click', () => mark.getAttribute('aria-disabled') !== 'true' && act({ cmd: 'mark' }));
  show(
    {
      about: 'numbers',
      wide: true,
      key: () => `numbers ${t('numbers.title')}`,
      fill: () => {
        head = ['was', 'now'].map(() => element('th', { scope: 'col' }));
        cells = rows.map(() => [element('td', {}), element('td', {})]);
        return [
          element('h2', {}, t('numbers.title')),
          mark,
          element(
            'table',
            { id: 'numbers-table' },
            element('thead', {}, element('tr', {}, element('td'), ...head)),
            element(
              'tbody',
              {},
              ...rows.map(([key], i) =>
                element('tr', {}, element('th', { scope: 'row' }, t(`numbers.${key}`)), ...cells[i]),
              ),
            ),
          ),
          element('p', { class: 'hint' }, t('numbers.hint')),
        ];
      },
      update: ({ numbers: { was, now } }) => {
        text(mark, t('numbers.mark'));
        able(mark, now.over === 0 && t('numbers.fresh'));
        text(head[0], t('numbers.was'));
        text(head[1], t('numbers.now', { at: stamp(now.since) }));
        rows.forEach(([, say], i) => {
          text(cells[i][0], was ? say(was) : '–');
          text(cells[i][1], say(now));
        });
      },
    },
    { left: stage.left, right: stage.left, top: stage.top + 60 },
  );
  byId('menu').querySelector('button')?.focus();
}
