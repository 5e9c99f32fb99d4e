// The canvas under the pointer and under the keyboard: choosing, cutting, acting,
// and the list of members that screen readers and the Tab key find in place of the
// drawing.

import { crashLeader, doTo, down, fallen, healAll, healthy, noLeader, split } from './actions.js';
import { act, app, shown, recorded } from './app.js';
import { open as openAsk } from './ask.js';
import { openEntry, openMessage } from './card.js';
import { being } from './conf.js';
import { cutCommands } from './cuts.js';
import { byId, every, where } from './dom.js';
import { able, element, hide, keepFocus, name, text } from './format.js';
import { nextFrame } from './frames.js';
import { onLanguage, row, t } from './i18n.js';
import { openLease, present as open } from './inspector.js';
import { closeMenu, openLink, openMember } from './menu.js';
import { sheet } from './sheet.js';
import * as tip from './tip.js';

const $ = (/** @type {string} */ id) => byId(id);
const longPress = 480; // ms

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  vitrine.ready.then(listen, () => {});
  startTools(vitrine);
  startMirror(vitrine);
}

// listen puts pointer listeners of our own on ebiten's canvas: ebiten looks at
// the mouse once a frame, and a quick tap would be lost.
function listen() {
  const canvas = app.canvas();
  canvas.setAttribute('aria-hidden', 'true');
  canvas.tabIndex = -1;
  let over = null; // the last place of a mouse that hovers
  const send = (kind, e) => {
    const r = canvas.getBoundingClientRect();
    return app.call().pointer(kind, e.clientX - r.left, e.clientY - r.top, e.pointerType === 'touch', e.altKey);
  };
  const hover = () => {
    const hit = send('move', over);
    canvas.style.cursor = !hit || hit.kind === 'none' ? (over.buttons ? 'crosshair' : 'default') : 'pointer';
    tip.show(over.buttons ? null : hit, over.clientX, over.clientY);
  };
  const press = held(canvas, (e) => {
    send('cancel', e);
    menuAt(send('move', e), e);
  });
  canvas.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return;
    canvas.setPointerCapture(e.pointerId);
    closeMenu();
    tip.hide();
    send('down', e);
    press.begin(e);
  });
  canvas.addEventListener('pointermove', (e) => {
    press.move(e);
    if (e.pointerType === 'touch') {
      send('move', e);
      return;
    }
    over = e;
    hover();
  });
  canvas.addEventListener('pointerup', (e) => {
    if (e.button === 0 && !press.end()) touched(send('up', e), e);
  });
  canvas.addEventListener('pointerleave', (e) => {
    over = null;
    if (e.pointerType !== 'touch') tip.hide();
    if (!e.buttons) send('leave', e);
  });
  canvas.addEventListener('pointercancel', (e) => {
    press.end();
    send('cancel', e);
  });
  canvas.addEventListener('contextmenu', (e) => {
    e.preventDefault();
    tip.hide();
    menuAt(send('move', e), e);
  });
  new ResizeObserver(follow).observe(document.body);
  globalThis.vitrine.subscribe(() => over && !over.buttons && hover()); // what it points at moves
}

// follow has the drawing follow the stage when that becomes larger or smaller.
// ebiten listens to the window alone, which stays as it is when the sheet moves.
function follow() {
  window.dispatchEvent(new Event('resize'));
  app.call().nudge();
  placeMirror();
}

// held tells a long press of a finger from a tap and from a stroke.
/**
 * @param {HTMLElement} canvas
 * @param {(e: PointerEvent) => void} run
 */
function held(canvas, run) {
  let timer = 0,
    done = false,
    from = null;
  return {
    begin(e) {
      done = false;
      from = e;
      clearTimeout(timer);
      if (e.pointerType === 'touch')
        timer = setTimeout(() => {
          done = true;
          run(e);
        }, longPress);
    },
    move(e) {
      if (from && Math.hypot(e.clientX - from.clientX, e.clientY - from.clientY) > 8) clearTimeout(timer);
    },
    end() {
      clearTimeout(timer);
      from = null;
      return done;
    },
  };
}

// menuAt opens the menu of what was pressed long, or with the second button.
/**
 * @param {Target} hit
 * @param {MouseEvent} e
 */
function menuAt(hit, e) {
  if (hit?.kind === 'member') openMember(hit.member);
  else if (hit?.kind === 'link') openLink(hit.link, e.clientX, e.clientY);
}

/**
 * @param {Target} hit
 * @param {PointerEvent} e
 */
function touched(hit, e) {
  switch (hit?.kind) {
    case 'member':
      act({ cmd: 'select', member: hit.member });
      sheet('member');
      break;
    case 'link':
      openLink(hit.link, e.clientX, e.clientY);
      break;
    case 'client':
      choseClient(hit.client);
      break;
    case 'lease':
      tip.hide();
      sheet('member');
      openLease(hit.member, hit.lease);
      break;
    case 'cut':
      for (const c of cutCommands(hit.links, hit.oneway)) act(c);
      break;
    case 'message':
      tip.hide();
      openMessage(hit.id, { left: e.clientX, right: e.clientX, top: e.clientY - 14 });
      break;
    case 'cell':
      tip.hide();
      openEntry(hit, { left: e.clientX, right: e.clientX, top: e.clientY - 14 });
      break;
    default:
      act({ cmd: 'select', member: 0 });
  }
}

/** @param {number} id */
function choseClient(id) {
  const last = app.frame.requests.filter((r) => r.client === id).at(-1);
  if (last) {
    act({ cmd: 'select', request: last.id });
    sheet('request');
  } else if (id === 0) openAsk();
}

/** @param {Vitrine} vitrine */
function startTools(vitrine) {
  const crash = $('tool-crash'),
    heal = $('tool-heal'),
    back = $('tool-back');
  crash.addEventListener('click', () => crashLeader(app.frame));
  // What the button did is taken back where it was done; the second click of a
  // double one is none.
  back.addEventListener('click', (e) => {
    const dead = fallen(app.frame);
    if (dead && e.detail < 2) doTo('restart', app.frame, dead.id);
  });
  $('tool-split').addEventListener('click', () => split(app.frame));
  heal.addEventListener('click', () => healAll(app.frame));
  const render = (f) => {
    text(crash.children[1], f.leader ? t('tools.crash', { name: name(f.leader) }) : t('tools.crashNone'));
    able(crash, noLeader(f));
    const dead = fallen(f);
    hide(back, !dead, crash);
    if (dead) text(back.children[1], t('tools.back', { name: name(dead.id) }));
    able($('tool-split'), recorded(f) || (f.members.length < 2 && t('not.alone', { name: name(shown(f)) })));
    able($('tool-links'), f.members.length < 2 && t('not.alone', { name: name(shown(f)) }));
    able(heal, healthy(f));
    text(heal.children[1], t(down(f).length && !f.cuts.length ? 'tools.restart' : 'tools.heal'));
  };
  vitrine.subscribe(render);
  onLanguage(() => app.frame && render(app.frame));
}

// The mirror: one real button a member, lying over its drawing.
/** @param {Vitrine} vitrine */
function startMirror(vitrine) {
  const ul = $('members-list');
  let present = '';
  vitrine.subscribe((f) => {
    const ids = f.members.map((m) => m.id).join();
    if (ids !== present) {
      present = ids;
      keepFocus(ul, () =>
        ul.replaceChildren(
          ...f.members.map((m) =>
            element(
              'li',
              {},
              element('button', {
                type: 'button',
                'data-member': m.id,
                'data-id': m.id,
                onclick: () => act({ cmd: 'select', member: m.id }),
              }),
            ),
          ),
        ),
      );
      placeMirror();
    }
    f.members.forEach((m, i) => {
      const b = every('button', ul)[i];
      text(
        b,
        t('a11y.member', {
          name: name(m.id),
          state: being(m),
          commit: m.commit,
          applied: m.applied,
          rev: m.revision,
        }),
      );
      b.setAttribute('aria-current', String(shown(f) === m.id));
    });
  });
  document.addEventListener('arranged', placeMirror);
  ul.addEventListener('contextmenu', mirrorMenu);
  mirrorLeases(vitrine);
}

// mirrorLeases does the same for the hourglasses.
/** @param {Vitrine} vitrine */
function mirrorLeases(vitrine) {
  const ul = byId('leases-list');
  let present = '';
  vitrine.subscribe((f) => {
    const all = f.leases?.leases ?? [],
      ids = JSON.stringify([f.leases?.member, all.map((l) => l.id)]);
    ul.hidden = !all.length;
    if (ids !== present) {
      present = ids;
      keepFocus(ul, () =>
        ul.replaceChildren(
          ...all.map(({ id }) => {
            const show = () => {
              sheet('member');
              openLease(app.frame.leases?.member ?? 0, id);
            };
            return element('li', {}, element('button', { type: 'button', 'data-id': `lease/${id}`, onclick: show }));
          }),
        ),
      );
    }
    every('button', ul).forEach((b, i) => {
      const what = row([t('lease.id', { id: all[i].id }), ...tip.promise(all[i], f)]);
      text(b, t('a11y.lease', { what, name: name(f.leases.member) }));
      b.setAttribute('aria-current', String(open(f, f.leases.member, 'leases')));
    });
    if (all.length) placeMirror();
  });
}

// The menu of a member, for the keyboard's context menu key.
/** @param {MouseEvent} e */
function mirrorMenu(e) {
  const id = Number(where(e).dataset?.member);
  if (!id) return;
  e.preventDefault();
  openMember(id);
  every('#menu button')[0]?.focus();
}

function placeMirror() {
  nextFrame(() => {
    for (const b of every('.mirror button')) {
      const r = app.call()?.rectOf(b.dataset.member ? `member/${b.dataset.member}` : b.dataset.id);
      if (!r) continue;
      Object.assign(b.parentElement.style, {
        left: `${r[0]}px`,
        top: `${r[1]}px`,
        width: `${r[2]}px`,
        height: `${r[3]}px`,
      });
    }
  });
}
