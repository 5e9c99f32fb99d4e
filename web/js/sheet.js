// The sheet of small screens: one panel at a time, at one of three heights.

import { byId, every } from './dom.js';

const root = document.documentElement,
  tabs = byId('sheet-tabs');
const heights = ['peek', 'half', 'full'];
const slop = 6; // px that a finger may move without meaning it

export function start() {
  if (globalThis.matchMedia('(max-height: 340px) and (max-width: 559px)').matches) snap('peek'); // the stage first
  for (const b of every('[data-sheet]', tabs)) b.addEventListener('click', () => chose(b.dataset.sheet));
  byId('grip').addEventListener('click', () => snap(heights[(heights.indexOf(root.dataset.snap) + 1) % 3]));
  tabs.addEventListener('pointerdown', drag);
}

// sheet shows a panel, where there is a sheet.
/** @param {string} which */
export function sheet(which) {
  root.dataset.sheet = which;
  if (root.dataset.snap === 'peek') snap('half');
  for (const b of every('[data-sheet]', tabs)) b.setAttribute('aria-pressed', String(b.dataset.sheet === which));
}

// chose: the tab of the panel that is there already makes it larger or smaller.
/** @param {string} which */
function chose(which) {
  if (root.dataset.sheet === which && root.dataset.snap !== 'peek')
    snap(root.dataset.snap === 'half' ? 'full' : 'half');
  else sheet(which);
}

/** @param {string} height */
function snap(height) {
  root.dataset.snap = height;
}

// drag has the sheet follow a finger, and lets it go to the nearest height.
/** @param {PointerEvent} down */
function drag(down) {
  const style = (el, property) => Number.parseFloat(getComputedStyle(el)[property]);
  const begin = style(tabs, 'bottom') - style(document.querySelector('.bar'), 'height');
  const listening = new AbortController();
  let moved = false,
    height = begin;
  const move = (e) => {
    const way = down.clientY - e.clientY;
    if (!moved && Math.abs(way) < slop) return;
    moved = true;
    root.dataset.dragging = '';
    height = Math.max(0, begin + way);
    root.style.setProperty('--sheet', `${height}px`);
  };
  const up = () => {
    listening.abort();
    if (!moved) return;
    root.style.removeProperty('--sheet');
    delete root.dataset.dragging;
    const share = height / innerHeight;
    snap(share < 0.16 ? 'peek' : share < 0.5 ? 'half' : 'full');
    dragged = performance.now();
  };
  const { signal } = listening;
  addEventListener('pointermove', move, { signal });
  addEventListener('pointerup', up, { signal });
  addEventListener('pointercancel', up, { signal });
}

// The click that ends a drag is none.
let dragged = -1000;
tabs.addEventListener(
  'click',
  (e) => {
    if (performance.now() - dragged < 80) e.stopPropagation();
  },
  { capture: true },
);
