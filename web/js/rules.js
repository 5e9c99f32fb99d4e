// The invariants as lights, and the legend.

import { element, icon, text } from './format.js';
import { has, onLanguage, t } from './i18n.js';

const shapes = ['app', 'ack', 'beat', 'prop', 'vote', 'prevote', 'read', 'snap'];

export function start(vitrine) {
  const checks = document.getElementById('checks');
  const lights = new Map();
  const label = (i) => (has(`rule.${i.id}`) ? t(`rule.${i.id}`) : i.name);
  vitrine.subscribe((f) => {
    for (const i of f.invariants || []) {
      if (!lights.has(i.id)) {
        const li = element('li', {}, element('i'), element('span'));
        lights.set(i.id, li);
        checks.append(li);
      }
      const li = lights.get(i.id);
      text(li.lastChild, label(i));
      li.classList.toggle('bad', !i.ok);
      const title = t(i.ok ? 'rule.holds' : 'rule.broken', { id: i.id, name: i.name, checks: i.checks });
      if (li.title !== title) li.title = title;
    }
  });
  const legend = document.getElementById('legend');
  const draw = () => legend.replaceChildren(...shapes.map((s) => element('li', {}, icon(`m-${s}`), element('span', {}, t(`legend.${s}`)))));
  onLanguage(draw);
  draw();
}
