// The canvas under the pointer and under the keyboard: choosing, cutting, the
// menu of a link, and the list of members that screen readers and the Tab key
// find in place of the drawing.

import { crashLeader, down, healAll, healthy, noLeader, split, toggleLink } from './actions.js';
import { act, app, isCut, shown } from './app.js';
import { able, element, name, text } from './format.js';
import { onLanguage, t } from './i18n.js';
import { sheet } from './bar.js';

const $ = (id) => document.getElementById(id);
const menu = $('link-menu');
let link = null, drawn = '';

export function start(vitrine) {
  vitrine.ready.then(listen, () => {});
  startTools(vitrine);
  startMirror(vitrine);
  vitrine.subscribe((f) => link && drawMenu(f));
  $('tool-links').addEventListener('click', openLinks);
  vitrine.subscribe((f) => $('links-dialog').open && drawGrid(f));
  onLanguage(() => { drawn = ''; closeMenu(); });
}

// listen puts pointer listeners of our own on ebiten's canvas: ebiten looks at
// the mouse once a frame, and a quick tap would be lost.
function listen() {
  const canvas = app.canvas();
  canvas.setAttribute('aria-hidden', 'true');
  canvas.tabIndex = -1;
  const send = (kind, e) => {
    const r = canvas.getBoundingClientRect();
    return app.call().pointer(kind, e.clientX - r.left, e.clientY - r.top, e.pointerType === 'touch');
  };
  canvas.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return;
    canvas.setPointerCapture(e.pointerId);
    closeMenu();
    send('down', e);
  });
  canvas.addEventListener('pointermove', (e) => {
    const hit = send('move', e);
    canvas.style.cursor = !hit || hit.kind === 'none' ? (e.buttons ? 'crosshair' : 'default') : 'pointer';
  });
  canvas.addEventListener('pointerup', (e) => { if (e.button === 0) touched(send('up', e), e); });
  canvas.addEventListener('pointerleave', (e) => { if (!e.buttons) send('leave', e); });
  canvas.addEventListener('pointercancel', (e) => send('cancel', e));
  window.addEventListener('resize', placeMirror);
}

function touched(hit, e) {
  switch (hit?.kind) {
    case 'member': act({ cmd: 'select', member: hit.member }); sheet('member'); break;
    case 'link': openMenu(hit.link, e.clientX, e.clientY); break;
    case 'client': choseClient(hit.client); break;
    case 'cut': cutAll(hit.links); break;
    default: act({ cmd: 'select', member: 0 });
  }
}

// cutAll cuts links in as few commands as they can be said in: "all from S1 to
// S2, S3 and S4" is one.
function cutAll(links) {
  while (links.length) {
    const count = {};
    for (const id of links.flat()) count[id] = (count[id] || 0) + 1;
    const hub = Number(Object.entries(count).sort((a, b) => b[1] - a[1])[0][0]);
    act({ cmd: 'cut', from: [hub], to: links.filter((l) => l.includes(hub)).map(([a, b]) => (a === hub ? b : a)) });
    links = links.filter((l) => !l.includes(hub));
  }
}

function choseClient(id) {
  const mine = app.frame.requests.filter((r) => r.client === id);
  if (mine.length) { act({ cmd: 'select', request: mine[mine.length - 1].id }); sheet('request'); }
}

// The menu of one link.
export function openMenu(ends, x, y) {
  link = ends;
  drawn = '';
  act({ cmd: 'select', link: ends });
  menu.hidden = false;
  drawMenu(app.frame);
  const area = document.body.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(x - area.left + 10, area.width - 242))}px`;
  menu.style.top = `${Math.max(8, Math.min(y - area.top + 10, area.height - menu.offsetHeight - 8))}px`;
}

export function closeMenu() {
  if (!link) return false;
  link = null;
  menu.hidden = true;
  act({ cmd: 'select', member: app.frame.chosen.member });
  return true;
}

function drawMenu(f) {
  const [a, b] = link, there = isCut(f, a, b), back = isCut(f, b, a);
  const key = `${a}-${b}|${there}|${back}`;
  if (key === drawn) return;
  drawn = key;
  const one = (from, to, cut) => element('button', { type: 'button', class: 'btn', 'aria-pressed': cut, onclick: () => toggleLink(app.frame, from, to, cut) }, `${name(from)} → ${name(to)}`, element('span', { class: cut ? 'cut' : 'lab' }, t(cut ? 'links.isCut' : 'links.isOpen')));
  const cut = there && back;
  menu.replaceChildren(
    element('h3', {}, t('links.between', { a: name(a), b: name(b) })),
    element('button', { type: 'button', class: 'btn strong', id: 'link-both', onclick: () => act({ cmd: cut ? 'heal' : 'cut', from: [a], to: [b] }) }, t(cut ? 'links.healBoth' : 'links.cutBoth')),
    one(a, b, there), one(b, a, back));
}

// The grid of all links: every direction in one place, for mouse and keyboard.
export function openLinks() { $('links-body').dataset.key = ''; drawGrid(app.frame); $('links-dialog').showModal(); }

function drawGrid(f) {
  const box = $('links-body'), key = `${f.members.length}|${f.cuts.join(';')}`;
  if (box.dataset.key === key) return;
  const focus = document.activeElement?.dataset?.link;
  box.dataset.key = key;
  const ids = f.members.map((m) => m.id);
  const square = (from, to) => {
    const cut = isCut(f, from, to);
    return element('button', { type: 'button', class: 'tiny', 'aria-pressed': cut, 'data-link': `${from}-${to}`, 'aria-label': t(cut ? 'links.heal' : 'links.cut', { from: name(from), to: name(to) }), onclick: () => toggleLink(app.frame, from, to, cut) }, cut ? '✕' : '→');
  };
  box.replaceChildren(
    element('table', { class: 'grid' },
      element('thead', {}, element('tr', {}, element('td'), ...ids.map((to) => element('th', { scope: 'col' }, name(to))))),
      element('tbody', {}, ...ids.map((from) => element('tr', {}, element('th', { scope: 'row' }, name(from)), ...ids.map((to) => element('td', {}, from === to ? '' : square(from, to))))))),
    element('p', {}, element('button', { type: 'button', class: 'btn', onclick: () => act({ cmd: 'heal-all' }) }, t('links.healAll'))));
  if (focus) box.querySelector(`[data-link="${focus}"]`)?.focus();
}

function startTools(vitrine) {
  const crash = $('tool-crash'), heal = $('tool-heal');
  crash.addEventListener('click', () => crashLeader(app.frame));
  $('tool-split').addEventListener('click', () => split(app.frame));
  heal.addEventListener('click', () => healAll(app.frame));
  const render = (f) => {
    text(crash.children[1], f.leader ? t('tools.crash', { name: name(f.leader) }) : t('tools.crashNone'));
    able(crash, noLeader(f));
    able($('tool-split'), f.members.length < 2 && t('not.alone', { name: name(1) }));
    able(heal, healthy(f));
    text(heal.children[1], t(down(f).length && !f.cuts.length ? 'tools.restart' : 'tools.heal'));
  };
  vitrine.subscribe(render);
  onLanguage(() => app.frame && render(app.frame));
}

// The mirror: one real button a member, lying over its drawing.
function startMirror(vitrine) {
  const ul = $('members-list');
  vitrine.subscribe((f) => {
    if (ul.childElementCount !== f.members.length) {
      ul.replaceChildren(...f.members.map((m) => element('li', {}, element('button', { type: 'button', 'data-member': m.id, onclick: () => act({ cmd: 'select', member: m.id }) }))));
      placeMirror();
    }
    f.members.forEach((m, i) => {
      const b = ul.children[i].firstChild;
      text(b, t('a11y.member', { name: name(m.id), state: m.process === 'running' ? t(`role.${m.role}`, { term: m.term }) : t(`process.${m.process}`), commit: m.commit, applied: m.applied, rev: m.revision }));
      b.setAttribute('aria-current', shown(f) === m.id);
    });
  });
  document.addEventListener('arranged', placeMirror);
}

function placeMirror() {
  requestAnimationFrame(() => {
    for (const b of document.querySelectorAll('#members-list button')) {
      const r = app.call()?.rectOf(`member/${b.dataset.member}`);
      if (!r) continue;
      Object.assign(b.parentElement.style, { left: `${r[0]}px`, top: `${r[1]}px`, width: `${r[2]}px`, height: `${r[3]}px` });
    }
  });
}

