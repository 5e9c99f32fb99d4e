// The stage alone: on the whole screen for a hall, or in a frame of another page; and
// which versions all this is of.

import { act, app, vitrine } from './app.js';
import { byId } from './dom.js';
import { text } from './format.js';
import { onLanguage, t } from './i18n.js';

const root = document.documentElement;
export const embedded = 'embed' in root.dataset;

export function start() {
  byId('full').addEventListener('click', () => whole(!('alone' in root.dataset)));
  document.addEventListener('fullscreenchange', () => whole(Boolean(document.fullscreenElement)));
  onLanguage(name);
  vitrine.ready.then(name, () => {});
  if (embedded) vitrine.ready.then(embed, () => {});
}

// whole shows the stage alone, on all of the screen if the browser lets it.
/** @param {boolean} on */
export function whole(on) {
  root.toggleAttribute('data-alone', on);
  byId('full').setAttribute('aria-pressed', String(on));
  if (on && !document.fullscreenElement) root.requestFullscreen?.().catch(() => {});
  if (!on && document.fullscreenElement) document.exitFullscreen();
}

// embed: a frame in a page of somebody else begins still, and leads to the whole page.
function embed() {
  act({ cmd: 'pause' });
  const link = byId('whole', HTMLAnchorElement),
    url = new URL(location.href);
  url.searchParams.delete('embed');
  link.href = url.href;
  link.hidden = false;
}

// commit is what the page was built from, "" if nobody knows.
const commit = () => document.querySelector('meta[name="commit"]')?.getAttribute('content') ?? '';

// versions in words: the commit, raft, the compiler.
export function versions() {
  const v = app.call()?.versions();
  return v
    ? t('version.text', { commit: commit() || t('version.unknown'), raft: v.raft, go: v.go, ebiten: v.ebiten })
    : '';
}

// name writes the chip that leads to what is real here.
function name() {
  const v = app.call()?.versions(),
    chip = byId('version');
  chip.hidden = !v;
  if (!v) return;
  text(chip, [commit(), `raft ${v.raft.replace(/^v/, '')}`].filter(Boolean).join(' · '));
  chip.title = versions();
  chip.setAttribute('aria-label', `${chip.textContent}: ${t('help.true')}`);
}
