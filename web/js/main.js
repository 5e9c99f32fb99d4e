// Starts the page: words and panels first, then the world.

import { rasterise, fontsReady } from './atlas.js';
import { patient, rest } from './frames.js';
import { app, attach, fail, publish, restyle, stopped, toast, vitrine } from './app.js';
import { beside, byId, every } from './dom.js';
import * as i18n from './i18n.js';
import { start as startHeadline } from './headline.js';
import { start as startInspector } from './inspector.js';
import { start as startMore } from './more.js';
import { start as startInOrder } from './inorder.js';
import { start as startRequests } from './requests.js';
import { start as startAsk } from './ask.js';
import { start as startRules } from './rules.js';
import { start as startFeed } from './feed.js';
import { start as startSaid } from './said.js';
import { start as startBar } from './bar.js';
import { start as startStage } from './stage.js';
import { start as startMenu } from './menu.js';
import { start as startMembers } from './members.js';
import { start as startNumbers } from './numbers.js';
import { start as startSheet } from './sheet.js';
import { start as startLinks } from './links.js';
import { start as startKeys } from './keys.js';
import { start as startReplays } from './replays.js';
import { shared, start as startShare } from './share.js';
import { embedded, start as startViews } from './views.js';

const address = new URLSearchParams(location.search);
const wrong = []; // parameters of the address that say nothing: [key, value, low, high]
/**
 * @param {string} key
 * @param {number} fallback
 * @param {number} low
 * @param {number} high
 * @param {boolean} [whole]
 */
const number = (key, fallback, low, high, whole) => {
  if (!address.has(key)) return fallback;
  const value = address.get(key),
    n = value.trim() === '' ? NaN : Number(value);
  if (n >= low && n <= high && (!whole || Number.isInteger(n))) return n;
  wrong.push([key, value, low, high]);
  return fallback;
};
export const settings = {
  seed: number('seed', 7, 0, 2 ** 53 - 1, true),
  members: number('members', 5, 1, 9, true),
  speed: number('speed', 0.02, 0.001, 1000),
};

for (const [key, values] of Object.entries({ theme: ['dark', 'light'], lang: ['en', 'zh'] }))
  if (address.has(key) && !values.includes(address.get(key))) wrong.push([key, address.get(key), values.join(', ')]);

// putRight says which parameters were left out, and takes them out of the address.
function putRight() {
  if (!wrong.length) return;
  const url = new URL(location.href);
  for (const [key] of wrong) url.searchParams.delete(key);
  history.replaceState(null, '', url);
  toast(
    wrong
      .map(([key, value, low, high]) =>
        i18n.t(high === undefined ? 'address.unknown' : 'address.wrong', { key, value: value.slice(0, 40), low, high }),
      )
      .join(' '),
  );
}

// The world of this visit survives the loss of the graphics context, upon
// which ebiten reloads the page: seed and commands make it again.
const lostKey = 'vitrine.lost',
  memoryKey = 'vitrine.memory';
function remembered() {
  try {
    const lost = sessionStorage.getItem(lostKey),
      memory = sessionStorage.getItem(memoryKey);
    sessionStorage.removeItem(lostKey);
    return lost ? memory : null;
  } catch {
    return null;
  }
}
function remember() {
  try {
    sessionStorage.setItem(memoryKey, app.call().memory());
    sessionStorage.setItem(lostKey, '1');
  } catch {
    /* storage is off */
  }
}

const still = matchMedia('(prefers-reduced-motion: reduce)');
// The document lays no buttons over the stage, as in style.css.
const compact = matchMedia('(max-width: 640px), (max-height: 520px)');

// refused says that the run which the address or the last visit holds cannot be made again.
/** @param {Error | string} why */
function refused(why) {
  vitrine.ready.then(
    () => toast(i18n.t('share.broken', { text: why instanceof Error ? why.message : why })),
    () => {},
  );
  return null;
}

globalThis.vitrineHost = {
  settings,
  memory: remembered(),
  rasterise,
  text: (key) => i18n.t(key),
  theme: () => document.documentElement.dataset.theme,
  reduced: () => still.matches,
  compact: () => embedded || compact.matches,
  publish,
  rest,
  attach,
  arranged: (matrixY, matrixH, zoom) => {
    document.body.style.setProperty('--matrix-y', `${matrixY}px`);
    document.body.style.setProperty('--zoom', String(zoom));
    document.documentElement.toggleAttribute('data-logless', matrixH === 0);
    document.dispatchEvent(new CustomEvent('arranged'));
  },
  refused,
  crowd: (n) => app.call().crowd(n), // a load for measuring the stage
  drawn: () => app.call().drawn(), // what lies where, for tests
  fail: (message) => {
    stopped(message);
    console.error(message);
    fail(new Error(message));
  },
};

i18n.onLanguage(restyle);
still.addEventListener('change', restyle);

async function world() {
  const go = new Go();
  patient(go.importObject.gojs);
  const module = await compiled(go.importObject);
  await words;
  globalThis.vitrineHost.memory ??= await shared(location.hash).catch(refused);
  await fontsReady();
  go.run(module.instance).then(() => failed(new Error(paints() ? 'the world ended' : i18n.t('head.noWebGL'))));
  app.canvas()?.addEventListener('webglcontextlost', remember, { capture: true });
}

/** @param {WebAssembly.Imports} imports */
async function compiled(imports) {
  const response = await fetched('vitrine.wasm');
  follow(response.clone());
  if (response.headers.get('Content-Type') === 'application/wasm')
    return WebAssembly.instantiateStreaming(response, imports);
  return WebAssembly.instantiate(await response.arrayBuffer(), imports); // a server that does not know the type
}

// follow tells how much of the program has come. A copy of the answer is counted:
// the browser compiles the answer itself, and keeps what it has compiled.
/** @param {Response} copy */
async function follow(copy) {
  const sizes = document.querySelector('meta[name="program-bytes"]')?.getAttribute('content') ?? '';
  const [total, travels] = sizes.split(' ').map(Number),
    sub = byId('subtitle'),
    mb = (/** @type {number} */ n) => (n / 1e6).toFixed(1);
  let got = 0;
  try {
    for (const reader = copy.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done || app.frame || !sub.dataset.i18n) return;
      got += value.length;
      if (total && i18n.has('head.progress'))
        sub.textContent = i18n.t('head.progress', {
          got: mb(Math.min(1, got / total) * travels),
          total: mb(travels),
          percent: Math.min(100, Math.floor((100 * got) / total)),
        });
    }
  } catch {
    /* the answer itself says what went wrong */
  }
}

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(beside(url));
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response;
}

const paints = () => Boolean(document.createElement('canvas').getContext('webgl2'));

// failed says that there is no world, and why, in the place of the stage.
/** @param {Error} err */
async function failed(err) {
  console.error(err);
  fail(err);
  await words.catch(() => {});
  // What is said now stays, in any language.
  for (const id of ['title-text', 'subtitle']) delete byId(id).dataset.i18n;
  byId('title-text').textContent = i18n.has('head.failed') ? i18n.t('head.failed') : 'The page could not start';
  byId('subtitle').textContent = err.message;
  document.documentElement.dataset.state = 'failed';
}

// alive takes the controls into use: before the world is there they would be dead.
function alive() {
  document.documentElement.dataset.state = 'ready';
  for (const el of every('[inert]')) el.inert = false;
  putRight();
}

/** @param {string} src */
function loadScript(src) {
  return new Promise((done, failed) => {
    const el = document.createElement('script');
    el.src = beside(src);
    el.onload = done;
    el.onerror = () => failed(new Error(`${src} did not load`));
    document.head.append(el);
  });
}

byId('reload').addEventListener('click', () => location.reload());
vitrine.ready.then(alive, () => {});
const words = i18n.load();
const runtime = loadScript('wasm_exec.js');
try {
  await runtime;
  const running = world();
  await words;
  for (const start of [
    startHeadline,
    startInspector,
    startInOrder,
    startMore,
    startRequests,
    startAsk,
    startRules,
    startFeed,
    startSaid,
    startBar,
    startStage,
    startMenu,
    startMembers,
    startLinks,
    startNumbers,
    startSheet,
    startReplays,
    startShare,
    startViews,
    startKeys,
  ])
    start(vitrine);
  await running;
} catch (err) {
  failed(err);
}
