// The invariants as lights, and the legend. A light tells its rule when pressed.

import { byId } from './dom.js';
import { toast } from './app.js';
import { element, icon, text } from './format.js';
import { has, onLanguage, t } from './i18n.js';

const shapes = ['app', 'ack', 'beat', 'prop', 'vote', 'prevote', 'read', 'snap'];
const checks = byId('checks');
const lights = new Map(); // by id: {button, name, ok}

// light gathers the invariants of watches, nine of them, into one.
/** @param {string} id */
const light = (id) => (/^I(19|2[0-5]|3[12])$/.test(id) ? 'watch' : id);

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  vitrine.subscribe((f) => {
    const seen = new Map();
    for (const i of f.invariants || []) {
      const id = light(i.id);
      seen.set(id, { name: i.name, ok: i.ok && (seen.get(id)?.ok ?? true) });
    }
    for (const [id, { name, ok }] of seen) show(id, name, ok);
    checks.hidden = seen.size === 0; // nobody judges a recording
    document.getElementById('not-judged').hidden = seen.size > 0;
  });
  checks.addEventListener('keydown', walk);
  const legend = byId('legend');
  const draw = () =>
    legend.replaceChildren(
      ...shapes.map((s) => element('li', {}, icon(`m-${s}`), element('span', {}, t(`legend.${s}`)))),
    );
  onLanguage(draw);
  draw();
}

/**
 * @param {string} id
 * @param {string} name
 * @param {boolean} ok
 */
function show(id, name, ok) {
  let button = lights.get(id);
  if (!button) {
    button = element(
      'button',
      { type: 'button', tabindex: lights.size ? -1 : 0, onclick: () => toast(button.title, true) },
      element('i'),
      element('span'),
    );
    lights.set(id, button);
    checks.append(element('li', {}, button));
  }
  const key = `rule.${id}`;
  text(button.lastChild, has(key) ? t(key) : name);
  button.classList.toggle('bad', !ok);
  const title = `${has(`${key}.hint`) ? t(`${key}.hint`) : name} ${t(ok ? 'rule.holds' : 'rule.broken', { id })}`;
  if (button.title !== title) button.title = title;
}

// walk moves between the lights with the arrow keys: they are one stop of Tab.
/** @param {KeyboardEvent} e */
function walk(e) {
  const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
  if (!way) return;
  e.preventDefault();
  const all = [...lights.values()],
    next = all[(all.indexOf(document.activeElement) + way + all.length) % all.length];
  for (const b of all) b.tabIndex = b === next ? 0 : -1;
  next.focus();
}
