// The menu that opens on the stage, at a link or at a member: one at a time.

import { byId } from './dom.js';
import { actionNames, actions, doTo, label, toggleLink, whyNot } from './actions.js';
import { act, app, isCut, memberOf } from './app.js';
import { able, element, keepFocus, name, text } from './format.js';
import { language, onLanguage, t } from './i18n.js';

const box = byId('menu');
let open = null; // what draws it: {key(frame), fill(frame)}
let drawn = '',
  back = null,
  wanted = 0; // the top that it would like

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  vitrine.subscribe((f) => open && draw(f));
  let tongue = language();
  onLanguage(() => {
    drawn = '';
    if (language() !== tongue) closeMenu();
    else if (open) draw(app.frame); // more of its words have arrived
    tongue = language();
  });
}

// show opens a menu beside something on the page, on its right if there is room.
/**
 * @typedef {object} Menu
 * @property {(f: Frame) => string} key
 * @property {(f: Frame) => Node[]} fill
 * @property {(f: Frame) => void} [update]
 * @property {() => void} [closed]
 * @property {boolean} [wide]
 * @property {string} [about] what, where the same button closes it
 */
/**
 * @param {Menu} menu
 * @param {{ left: number, right: number, top: number }} where
 */
export function show(menu, { left, right, top }) {
  open?.closed?.();
  back = document.activeElement === document.body ? null : document.activeElement;
  open = menu;
  drawn = '';
  box.hidden = false;
  box.classList.toggle('wide', Boolean(menu.wide));
  draw(app.frame);
  const area = document.body.getBoundingClientRect(),
    width = box.offsetWidth;
  const onRight = right - area.left + 12;
  const onLeft = Math.max(8, left - area.left - 12 - width);
  box.style.left = `${onRight + width + 8 <= area.width ? onRight : onLeft}px`;
  wanted = top - area.top;
  settle();
}

// settle keeps it on the stage, also when it grows.
function settle() {
  const room = document.body.getBoundingClientRect().height - box.offsetHeight - 8;
  box.style.top = `${Math.max(8, Math.min(wanted, room))}px`;
}

export function closeMenu() {
  if (!open) return false;
  const was = open;
  open = null;
  if (box.contains(document.activeElement)) (back ?? document.activeElement)[back ? 'focus' : 'blur']();
  box.hidden = true;
  act({ cmd: 'select', member: app.frame.chosen.member });
  was.closed?.();
  return true;
}

// again closes the menu if it is about this already: what opens it closes it, too.
/** @param {string} about */
export const again = (about) => open?.about === about && closeMenu();

/** @param {Frame} f */
function draw(f) {
  const key = open.key(f);
  if (key !== drawn) {
    drawn = key;
    keepFocus(box, () => box.replaceChildren(...open.fill(f)));
  }
  open.update?.(f);
  if (open) settle();
}

// openLink shows what can be done to a link, in both directions or one.
export function openLink([a, b], x, y) {
  act({ cmd: 'select', link: [a, b] });
  const one = (from, to, cut) =>
    element(
      'button',
      {
        type: 'button',
        class: 'btn',
        id: `link-${from}-${to}`,
        'aria-pressed': cut,
        onclick: () => toggleLink(app.frame, from, to, cut),
      },
      `${name(from)} → ${name(to)}`,
      element('span', { class: cut ? 'cut' : 'lab' }, t(cut ? 'links.isCut' : 'links.isOpen')),
    );
  show(
    {
      key: (f) => `${a}-${b}|${isCut(f, a, b)}|${isCut(f, b, a)}`,
      fill: (f) => {
        const there = isCut(f, a, b),
          back = isCut(f, b, a),
          cut = there && back;
        return [
          element('h2', {}, t('links.between', { a: name(a), b: name(b) })),
          element(
            'button',
            {
              type: 'button',
              class: 'btn strong',
              id: 'link-both',
              onclick: () => act({ cmd: cut ? 'heal' : 'cut', from: [a], to: [b] }),
            },
            t(cut ? 'links.healBoth' : 'links.cutBoth'),
          ),
          one(a, b, there),
          one(b, a, back),
        ];
      },
    },
    { left: x, right: x, top: y - 14 },
  );
}

// openMember shows what can be done to a member, where the member is.
/** @param {number} id */
export function openMember(id) {
  act({ cmd: 'select', member: id });
  let buttons = [];
  show(
    {
      key: () => `member ${id}`,
      fill: () => {
        buttons = actionNames.map((action) => [
          action,
          element(
            'button',
            {
              type: 'button',
              class: `btn${action === 'crash' ? ' strong' : ''}`,
              id: `menu-${action}`,
              onclick: () => {
                doTo(action, app.frame, id);
                closeMenu();
              },
            },
            element('span'),
            element('kbd', {}, actions[action].key),
          ),
        ]);
        return [element('h2', {}, name(id)), ...buttons.map(([, b]) => b)];
      },
      update: (f) => {
        const m = memberOf(f, id);
        if (!m) {
          closeMenu();
          return;
        }
        for (const [action, b] of buttons) {
          const key = label(action, m, f);
          text(b.firstChild, t(key));
          able(b, whyNot(action, m, f), t(`${key}.hint`, { name: name(id) }));
        }
      },
    },
    beside(`member/${id}`),
  );
}

/** @param {string} id */
function beside(id) {
  const r = globalThis.vitrine.rectOf(id);
  return { left: r.x, right: r.x + r.width, top: r.y };
}
