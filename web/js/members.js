// The members of the cluster as such: who they are, how many decide, and what changes that. It opens beside the
// button below the actions of a member.

import { app, recorded, toast } from './app.js';
import { asked, change, doTo, whyNot } from './actions.js';
import { nextMember, notMore, pendingWords, quorumWords, refusal } from './conf.js';
import { byId } from './dom.js';
import { able, element, hide, icon, name, paint, termColor, text } from './format.js';
import { onLanguage, t } from './i18n.js';
import { again, show } from './menu.js';
import { said } from './said.js';

let open = /** @type {HTMLElement} */ (null); // the button

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  open = element('button', {
    type: 'button',
    class: 'btn more-members',
    id: 'members-open',
    'aria-haspopup': 'dialog',
    'aria-keyshortcuts': 'N',
    onclick: () => openMembers(),
  });
  byId('acts').append(open);
  const render = (f) => {
    if (!f) return;
    text(open, t('conf.open'));
    able(open, false, `${t('conf.open.hint', { quorum: quorumWords(f) })} (N)`);
    answers(f);
  };
  vitrine.subscribe(render);
  onLanguage(() => render(app.frame));
}

// answers says aloud why a change was refused.
/** @param {Frame} f */
function answers(f) {
  for (const r of f.requests.filter((r) => asked.has(r.id) && r.status !== 'pending')) {
    asked.delete(r.id);
    if (r.status !== 'ok') toast([said(r.error), refusal(r, f)].filter(Boolean).join(': '), true);
  }
}

/** @param {'add-learner' | 'add-member'} cmd */
function add(cmd) {
  const why = recorded(app.frame) || notMore(app.frame);
  if (why) toast(why, true);
  else change({ cmd, id: nextMember(app.frame) });
}

// openMembers shows them, beside what was pressed, or closes them.
export function openMembers() {
  if (again('members')) return;
  const at = open.getBoundingClientRect(),
    stage = document.body.getBoundingClientRect();
  let rows = /** @type {((f: Frame) => void)[]} */ ([]);
  show(
    {
      about: 'members',
      wide: true,
      key: (f) => `members ${f.members.map((m) => `${m.id}${m.standing}`).join()} ${t('conf.title')}`,
      fill: (f) => {
        rows = [];
        return contents(f, (update) => rows.push(update));
      },
      update: (f) => {
        for (const run of rows) run(f);
      },
    },
    { left: Math.min(at.left, stage.right), right: at.right, top: at.top - 60 }, // over the stage
  );
  byId('menu').querySelector('button')?.focus();
}

/**
 * @param {Frame} f
 * @param {(update: (f: Frame) => void) => void} later
 */
function contents(f, later) {
  const decides = element('p', {}),
    pending = element('p', { class: 'hint', role: 'status' });
  later((f) => {
    text(decides, t(f.leader ? 'conf.decide' : 'conf.decideNobody', { quorum: quorumWords(f), name: name(f.conf.by) }));
    text(pending, pendingWords(f) || t('conf.hint'));
  });
  const more = (cmd, key) => {
    const b = element('button', { type: 'button', class: 'btn', id: cmd, onclick: () => add(cmd) }, t(key));
    later((f) => able(b, recorded(f) || notMore(f), t(`${key}.hint`, { name: name(nextMember(f)) })));
    return b;
  };
  return [
    element('h2', {}, t('conf.title')),
    more('add-learner', 'conf.addLearner'),
    more('add-member', 'conf.addVoter'),
    decides,
    element('ul', { class: 'people roll' }, ...f.members.map((m) => row(m.id, later))),
    pending,
  ];
}

/**
 * @param {number} id
 * @param {(update: (f: Frame) => void) => void} later
 */
function row(id, later) {
  const sign = element('span'),
    what = element('span');
  const button = (action, key) =>
    element(
      'button',
      {
        type: 'button',
        class: 'tiny',
        'data-id': `${action}-${id}`,
        'data-action': action,
        onclick: () => doTo(action, app.frame, id),
      },
      t(key),
    );
  const promote = button('promote', 'act.promote'),
    remove = button('remove', 'act.remove');
  let shape = '';
  later((f) => {
    const m = f.members.find((m) => m.id === id);
    if (!m) return;
    const now = shapeOf(m);
    if (now !== shape) sign.replaceChildren(icon(`m-${(shape = now)}`));
    paint(sign, m.alive ? termColor(m.term) : 'var(--muted)');
    text(what, briefly(m));
    hide(promote, m.standing !== 'learner', remove);
    for (const b of [promote, remove]) {
      const action = /** @type {'promote' | 'remove'} */ (b.dataset.action),
        label = t(`act.${action}.of`, { name: name(id) });
      able(b, whyNot(action, m, f), label);
      if (b.getAttribute('aria-label') !== label) b.setAttribute('aria-label', label);
    }
  });
  return element('li', {}, sign, element('b', { class: 'mono' }, name(id)), what, promote, remove);
}

// briefly is what a member is, in the words of the stage.
/** @param {Member} m */
function briefly(m) {
  const role = m.role === 'pre-candidate' ? 'preCandidate' : m.role,
    what = m.standing === 'removed' ? 'removed' : m.joining ? 'joining' : m.standing === 'learner' ? 'learner' : role;
  return [t(`stage.${what}`), m.process === 'running' ? '' : t(`stage.${m.process}`)].filter(Boolean).join(' · ');
}

// shapeOf is the sign of a member on the stage.
/** @param {Member} m */
const shapeOf = (m) =>
  m.standing === 'learner'
    ? 'learner'
    : !m.alive || m.standing === 'removed'
      ? 'down'
      : m.role === 'pre-candidate'
        ? 'candidate'
        : m.role;
