// The invariants as lights, and the legend.

import { element, icon, text } from './format.js';
import { has, onLanguage, t } from './i18n.js';

const shapes = ['app', 'ack', 'beat', 'prop', 'vote', 'prevote', 'read', 'snap'];

// light gathers the invariants of watches, seven of them, into one.
const light = (id) => (/^I(19|2[0-5])$/.test(id) ? 'watch' : id);

export function start(vitrine) {
  const checks = document.getElementById('checks');
  const lights = new Map();
  vitrine.subscribe((f) => {
    const seen = new Map();
    for (const i of f.invariants || []) {
      const id = light(i.id), before = seen.get(id);
      seen.set(id, { name: i.name, ok: i.ok && (before?.ok ?? true), checks: i.checks + (before?.checks ?? 0) });
    }
    for (const [id, i] of seen) {
      if (!lights.has(id)) {
        const li = element('li', {}, element('i'), element('span'));
        lights.set(id, li);
        checks.append(li);
      }
      const li = lights.get(id), key = `rule.${id}`;
      text(li.lastChild, has(key) ? t(key) : i.name);
      li.classList.toggle('bad', !i.ok);
      const title = `${has(`${key}.hint`) ? t(`${key}.hint`) : i.name} ${t(i.ok ? 'rule.holds' : 'rule.broken', { id, checks: i.checks })}`;
      if (li.title !== title) li.title = title;
    }
  });
  const legend = document.getElementById('legend');
  const draw = () => legend.replaceChildren(...shapes.map((s) => element('li', {}, icon(`m-${s}`), element('span', {}, t(`legend.${s}`)))));
  onLanguage(draw);
  draw();
}
