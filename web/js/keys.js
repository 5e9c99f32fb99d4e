// Keys. Everything a mouse can do, a key can: these are the short ways, and
// every control is within reach of Tab besides.

import { crashLeader, doTo, healAll, split } from './actions.js';
import { act, app, memberOf, refresh, vitrine } from './app.js';
import { open as openAsk } from './ask.js';
import { back, faster, step, toggleTheme, togglePlay } from './bar.js';
import { byId, every, focused, input, where } from './dom.js';
import { element, icon } from './format.js';
import { onLanguage, t, use, language } from './i18n.js';
import { openLinks } from './links.js';
import { closeMenu } from './menu.js';
import { openMembers } from './members.js';
import { openNumbers } from './numbers.js';
import { gallery } from './replays.js';
import { sheet } from './sheet.js';
import { openStill } from './still.js';
import { embedded, versions, whole } from './views.js';

const keys = {
  ' ': togglePlay,
  '.': step,
  ',': () => back(),
  '[': () => faster(-1),
  ']': () => faster(1),
  k: (f) => (f.chosen.member ? doTo('crash', f) : crashLeader(f)),
  d: (f) => doTo('kill', f),
  r: (f) => doTo('restart', f),
  p: (f) => doTo('pause', f),
  i: (f) => doTo('isolate', f),
  e: (f) => doTo('timeout', f),
  m: (f) => doTo('lead', f),
  f: (f) => doTo('stall', f),
  u: (f) => doTo('promote', f),
  q: (f) => doTo('remove', f),
  n: openMembers,
  c: openNumbers,
  s: split,
  x: openLinks,
  h: healAll,
  g: gallery,
  '/': openAsk,
  a: openAsk,
  t: toggleTheme,
  l: () => use(language() === 'en' ? 'zh' : 'en'),
  v: () => whole(!('alone' in document.documentElement.dataset)),
  '?': help,
};
const figures = ['leader', 'follower', 'learner', 'candidate', 'down', 'arc', 'lamp'];
const rows = [
  ['Space', 'play'],
  ['.', 'step'],
  [',', 'back'],
  ['[ ]', 'speed'],
  ['1–9', 'select'],
  ['0 Esc', 'unselect'],
  ['K', 'crash'],
  ['D', 'kill'],
  ['R', 'restart'],
  ['P', 'pause'],
  ['I', 'isolate'],
  ['E', 'timeout'],
  ['M', 'lead'],
  ['F', 'stall'],
  ['N', 'members'],
  ['U', 'promote'],
  ['Q', 'remove'],
  ['S', 'split'],
  ['X', 'links'],
  ['H', 'heal'],
  ['G', 'gallery'],
  ['C', 'numbers'],
  ['A /', 'ask'],
  ['T', 'theme'],
  ['L', 'lang'],
  ['V', 'full'],
  ['?', 'help'],
];

export function start() {
  byId('help').addEventListener('click', help);
  byId('version').addEventListener('click', () => {
    help();
    every('[data-real]')[0].scrollIntoView({ block: 'start' });
  });
  document.addEventListener('keydown', pressed, true);
  // A click acts once: if the button kept the focus, the next Space would press it
  // again instead of playing, and crash the next leader. Who walks by Tab keeps it.
  // Before it acts: a dialog would give the focus back to it.
  document.addEventListener('click', (e) => e.detail > 0 && release(where(e)), true);
  document.addEventListener('change', (e) => {
    const el = where(e);
    if (el.matches('select') && !el.closest('form, dialog')) el.blur();
  });
  // A closed dialog would keep the focus until the next repaint, and a key
  // pressed before that would go to a button that nobody sees.
  for (const d of every('dialog'))
    d.addEventListener('close', () => {
      if (d.contains(document.activeElement)) focused().blur();
    });
  const body = byId('help-body');
  const draw = () =>
    body.replaceChildren(
      element('h3', {}, t('help.read')),
      element(
        'ul',
        { class: 'figures' },
        ...figures.map((k) => element('li', {}, icon(`m-${k}`), element('span', {}, t(`legend.${k}`)))),
      ),
      element('p', {}, t('help.hue')),
      element('p', {}, t('help.edges')),
      element('p', {}, t('help.lease')),
      element('h3', {}, t('help.keys')),
      lettersBox(),
      element(
        'div',
        { class: 'keys' },
        ...rows.map(([k, what]) => element('div', {}, element('kbd', {}, k), element('span', {}, t(`key.${what}`)))),
      ),
      element('h3', {}, t('help.mouse')),
      ...['help.click', 'help.card', 'help.drag', 'help.link'].map((k) => element('p', {}, t(k))),
      element('h3', { 'data-real': true }, t('help.true')),
      element('p', {}, t('help.trueText')),
      element('p', { class: 'mono' }, versions()),
    );
  onLanguage(draw);
  draw();
  vitrine.ready.then(draw, () => {});
}

// release takes the focus from a button that the pointer has pressed.
/** @param {HTMLElement} target */
function release(target) {
  /** @type {HTMLElement} */
  const el = target.closest?.('button, input[type="checkbox"], input[type="range"]');
  if (el && el === document.activeElement && !el.closest('dialog, #menu')) el.blur();
}

// Letters, digits and signs can be turned off: some who speak to their machine, or
// whose hand rests on the keys, press them without wanting to.
const lettersKey = 'vitrine.letters';
let letters = true;
try {
  letters = localStorage.getItem(lettersKey) !== 'off';
} catch {
  /* storage is off */
}

function lettersBox() {
  const set = (e) => {
    letters = input(e).checked;
    try {
      localStorage.setItem(lettersKey, letters ? 'on' : 'off');
    } catch {
      /* storage is off */
    }
  };
  return element(
    'label',
    { class: 'check' },
    element('input', { type: 'checkbox', id: 'letters', checked: letters, onchange: set }),
    element('span', {}, t('help.letters')),
  );
}

export function help() {
  const d = byId('help-dialog', HTMLDialogElement);
  if (!d.open) return openStill(d);
  d.close();
  if (d.contains(document.activeElement)) focused().blur();
}

// pressed runs in the capture phase: ebiten swallows every key that reaches
// its canvas, Tab and Escape too, and focus could never leave it.
/** @param {KeyboardEvent} e */
function pressed(e) {
  const onCanvas = e.target === app.canvas();
  if (onCanvas) e.stopImmediatePropagation();
  if (e.key === 'Escape') {
    escape(e);
    return;
  }
  if (e.key === 'Tab' || e.ctrlKey || e.metaKey || e.altKey) return;
  if (document.querySelector('dialog[open]') && e.key !== '?') return;
  const at = target(e);
  if (at.closest?.('input:not([type="range"]):not([type="radio"]):not([type="checkbox"]), select, textarea')) return;
  if (e.key === ' ' && at.closest?.('button, input:not([type="range"]), summary')) return;
  if (e.key !== ' ' && (!letters || embedded)) return;
  if (!app.frame) return;
  if (/^[0-9]$/.test(e.key)) {
    if (e.key === '0' || memberOf(app.frame, Number(e.key))) {
      act({ cmd: 'select', member: Number(e.key) });
      sheet('member');
    }
    e.preventDefault();
    return;
  }
  const run = keys[e.key] ?? keys[e.key.toLowerCase()];
  if (!run) return;
  e.preventDefault();
  refresh(); // a key acts on what is, not on what was shown a moment ago
  run(app.frame);
}

// target is what a key is meant for. A dialog that was closed a moment ago has the focus
// still, and is not seen.
/** @param {KeyboardEvent} e */
function target(e) {
  const at = where(e);
  if (!at.closest?.('dialog:not([open])')) return at;
  focused().blur();
  return document.body;
}

/** @param {KeyboardEvent} e */
function escape(e) {
  if (document.querySelector('dialog[open]')) return; // closes itself
  if (closeMenu()) {
    e.preventDefault();
    return;
  }
  if (document.activeElement && document.activeElement !== document.body) focused().blur();
  else if (app.frame?.chosen.member) act({ cmd: 'select', member: 0 });
}
