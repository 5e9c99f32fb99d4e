// The grid of all links: every direction in one place, for mouse and keyboard.

import { toggleLink } from './actions.js';
import { act, app, isCut, shown, toast } from './app.js';
import { byId } from './dom.js';
import { element, keepFocus, name } from './format.js';
import { t } from './i18n.js';

const dialog = byId('links-dialog', HTMLDialogElement),
  box = byId('links-body');

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  byId('tool-links').addEventListener('click', openLinks);
  vitrine.subscribe((f) => dialog.open && draw(f));
}

export function openLinks() {
  if (app.frame.members.length < 2) {
    toast(t('not.alone', { name: name(shown(app.frame)) }), true);
    return;
  }
  box.dataset.key = '';
  draw(app.frame);
  dialog.showModal();
}

/** @param {Frame} f */
function draw(f) {
  const key = `${f.members.map((m) => m.id)}|${f.cuts.join(';')}`;
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const ids = f.members.map((m) => m.id);
  keepFocus(box, () =>
    box.replaceChildren(
      element(
        'table',
        { class: 'grid' },
        element(
          'thead',
          {},
          element('tr', {}, element('td'), ...ids.map((to) => element('th', { scope: 'col' }, name(to)))),
        ),
        element(
          'tbody',
          {},
          ...ids.map((from) =>
            element(
              'tr',
              {},
              element('th', { scope: 'row' }, name(from)),
              ...ids.map((to) => element('td', {}, from === to ? '' : square(f, from, to))),
            ),
          ),
        ),
      ),
      element(
        'p',
        {},
        element(
          'button',
          { type: 'button', class: 'btn', onclick: () => act({ cmd: 'heal-all' }) },
          t('links.healAll'),
        ),
      ),
    ),
  );
}

/**
 * @param {Frame} f
 * @param {number} from
 * @param {number} to
 */
function square(f, from, to) {
  const cut = isCut(f, from, to);
  return element(
    'button',
    {
      type: 'button',
      class: 'tiny',
      'aria-pressed': cut,
      'data-id': `${from}-${to}`,
      'aria-label': t(cut ? 'links.heal' : 'links.cut', { from: name(from), to: name(to) }),
      onclick: () => toggleLink(app.frame, from, to, cut),
    },
    cut ? '✕' : '→',
  );
}
