// The sheet of small screens: one panel at a time, at one of three heights.

const root = document.documentElement, tabs = document.getElementById('sheet-tabs');
const heights = ['peek', 'half', 'full'];
const slop = 6; // px that a finger may move without meaning it

export function start() {
  for (const b of tabs.querySelectorAll('[data-sheet]')) b.addEventListener('click', () => chose(b.dataset.sheet));
  document.getElementById('grip').addEventListener('click', () => snap(heights[(heights.indexOf(root.dataset.snap) + 1) % 3]));
  tabs.addEventListener('pointerdown', drag);
}

// sheet shows a panel, where there is a sheet.
export function sheet(which) {
  root.dataset.sheet = which;
  if (root.dataset.snap === 'peek') snap('half');
  for (const b of tabs.querySelectorAll('[data-sheet]')) b.setAttribute('aria-pressed', b.dataset.sheet === which);
}

// chose: the tab of the panel that is there already makes it larger or smaller.
function chose(which) {
  if (root.dataset.sheet === which && root.dataset.snap !== 'peek') snap(root.dataset.snap === 'half' ? 'full' : 'half');
  else sheet(which);
}

function snap(height) { root.dataset.snap = height; }

// drag has the sheet follow a finger, and lets it go to the nearest height.
function drag(down) {
  const bottom = () => Number.parseFloat(getComputedStyle(tabs).bottom);
  const bar = Number.parseFloat(getComputedStyle(document.querySelector('.bar')).height), begin = bottom() - bar;
  let moved = false, height = begin;
  const move = (e) => {
    const way = down.clientY - e.clientY;
    if (!moved && Math.abs(way) < slop) return;
    if (!moved) { moved = true; root.dataset.dragging = ''; tabs.setPointerCapture(down.pointerId); }
    height = Math.max(0, begin + way);
    root.style.setProperty('--sheet', `${height}px`);
  };
  const up = () => {
    tabs.removeEventListener('pointermove', move);
    if (!moved) return;
    root.style.removeProperty('--sheet');
    delete root.dataset.dragging;
    const share = height / innerHeight;
    snap(share < 0.16 ? 'peek' : share < 0.5 ? 'half' : 'full');
    tabs.addEventListener('click', (e) => { e.stopPropagation(); e.preventDefault(); }, { capture: true, once: true });
    setTimeout(() => tabs.dispatchEvent(new Event('click')), 0); // no click may come: then this one is caught
  };
  tabs.addEventListener('pointermove', move);
  tabs.addEventListener('pointerup', up, { once: true });
  tabs.addEventListener('pointercancel', up, { once: true });
}
