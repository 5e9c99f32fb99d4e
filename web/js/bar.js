// Time, the dials of network and disks, and the choices at the top.

import { act, app, restyle, toast, recorded } from './app.js';
import { byId, every, input } from './dom.js';
import { clock, speed as speedText, span, text, able } from './format.js';
import { language, onLanguage, t, use } from './i18n.js';
import { passed } from './still.js';

const $ = (/** @type {string} */ id) => byId(id);
const narrow = globalThis.matchMedia?.('(max-width: 640px)') ?? { matches: false };
const field = (/** @type {string} */ id) => byId(id, HTMLInputElement);

// A dial maps a slider's place to a value and back. Most scales are logarithmic
// with a true zero at their left end.
/**
 * @param {number} low
 * @param {number} high
 */
const log = (low, high) => ({
  value: (x) => (x <= 0 ? 0 : low * (high / low) ** x),
  place: (v) => (v <= low ? (v > 0 ? 0.01 : 0) : Math.log(v / low) / Math.log(high / low)),
});
const dials = {
  latency: { ...log(0.1e6, 500e6), of: (d) => d.latency, show: span, send: (v) => `${Math.round(v)}ns` },
  fsync: { ...log(0.05e6, 2000e6), of: (d) => d.fsync, show: span, send: (v) => `${Math.round(v)}ns` },
  rate: {
    ...log(0.5, 500),
    of: (d) => d.rate,
    show: (v) => `${v < 10 ? Math.round(v * 10) / 10 : Math.round(v)}/s`,
    send: (v) => `${Math.round(v * 10) / 10}`,
  },
  loss: {
    value: (x) => x,
    place: (v) => v,
    of: (d) => d.loss,
    show: (v) => `${Math.round(v * 100)} %`,
    send: (v) => `${v}`,
  },
};

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  startTime();
  startDials();
  startTop();
  vitrine.subscribe(render);
  onLanguage(() => app.frame && render(app.frame));
}

function startTime() {
  $('play').addEventListener('click', togglePlay);
  $('step').addEventListener('click', step);
  $('speed').addEventListener('input', (e) => act({ cmd: 'speed', value: 10 ** Number(input(e).value) }));
  $('skip').addEventListener('change', (e) => act({ cmd: 'skip', on: input(e).checked }));
}

export function togglePlay() {
  passed();
  act({ cmd: app.frame?.playing ? 'pause' : 'play' });
}

// step goes to the next event of a kind, and says if none is near.
export function step() {
  const unit = byId('unit', HTMLSelectElement).value,
    from = app.frame?.now;
  if (act({ cmd: 'step', unit })?.missed)
    toast(t(`time.none.${unit}`, { span: span(app.frame.now - from), at: clock(app.frame.now) }), true);
}

// back makes the run again up to a moment before this one.
/** @param {number} [ns] how long before; without it, what one sees pass in a second */
export function back(ns = app.frame.speed * 1e9) {
  const f = app.frame;
  if (f.replay) toast(t('more.back.not'), true);
  else act({ cmd: 'seek', value: Math.max(0, f.now - ns) });
}

// faster moves the speed by one notch: 1, 2, 5, 10 ...
/** @param {number} direction */
export function faster(direction) {
  const notches = [];
  for (let e = -3; e <= 3; e++) for (const d of [1, 2, 5]) if (d * 10 ** e <= 1000) notches.push(d * 10 ** e);
  const now = app.frame?.speed ?? 0.02;
  const next = direction > 0 ? notches.find((n) => n > now * 1.01) : notches.findLast((n) => n < now * 0.99);
  if (next) act({ cmd: 'speed', value: next });
}

function startDials() {
  for (const [id, dial] of Object.entries(dials)) {
    $(id).addEventListener('input', (e) => {
      const v = dial.value(Number(input(e).value));
      text($(`${id}-out`), dial.show(v));
      act({ cmd: 'set', name: id, value: dial.send(v) });
    });
  }
}

function startTop() {
  for (const b of every('#members button'))
    b.addEventListener('click', () => again({ members: Number(b.dataset.members) }));
  $('seed-form').addEventListener('submit', (e) => {
    e.preventDefault();
    again({});
  });
  $('seed').addEventListener('change', () => again({}));
  $('reset').addEventListener('click', () => again({}));
  $('lang').addEventListener('click', () => use(language() === 'en' ? 'zh' : 'en'));
  $('theme').addEventListener('click', toggleTheme);
}

export function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === 'light' ? 'dark' : 'light';
  try {
    localStorage.setItem('vitrine.theme', root.dataset.theme);
  } catch {
    /* storage is off */
  }
  restyle();
}

// again starts a new world and writes its seed and size into the address.
/** @param {{ members?: number, election?: number, preVote?: boolean, checkQuorum?: boolean }} change */
export function again(change) {
  const typed = field('seed').value.trim(),
    seed = Number(typed);
  if (typed === '' || !Number.isSafeInteger(seed) || seed < 0) {
    // say so, and show the seed that is
    toast(t('top.badSeed', { text: typed.slice(0, 40) }));
    field('seed').value = String(app.frame.seed);
    field('seed').select();
    return;
  }
  const order = { cmd: 'reset', members: app.frame?.founded, ...change, seed };
  if (!act(order)) return;
  const address = new URL(location.href);
  address.searchParams.set('seed', String(order.seed));
  address.searchParams.set('members', String(order.members));
  history.replaceState(null, '', address);
}

/** @param {Frame} f */
function render(f) {
  for (const b of every('#members button'))
    b.setAttribute('aria-pressed', String(Number(b.dataset.members) === f.founded));
  document.documentElement.dataset.playing = String(f.playing);
  $('play').setAttribute('aria-label', t(f.playing ? 'time.pause' : 'time.play'));
  place(field('speed'), Math.log10(f.speed));
  say($('speed'), $('speed-out'), speedText(f.speed));
  const slow = lags(f);
  text(
    $('ratio'),
    t(narrow.matches ? 'time.ratioShort' : 'time.ratio', { span: span((slow ? f.pace : f.speed) * 1e9) }),
  );
  $('ratio').classList.toggle('lags', slow);
  $('ratio').title = slow ? t('time.behind.hint', { span: span(f.speed * 1e9) }) : '';
  text(
    $('boost'),
    slow ? (narrow.matches ? '' : t('time.behind')) : f.boost > 1.5 && f.playing ? `×${Math.round(f.boost)}` : '',
  );
  field('skip').checked = f.skip;
  $('skip')
    .closest('label')
    .classList.toggle('idle', f.speed > 0.5); // nothing is skipped where nothing can be followed by eye
  text($('now'), clock(f.now));
  text($('events'), t('time.events', { n: f.events.toLocaleString(language()) }));
  for (const [id, dial] of Object.entries(dials)) {
    if (!f.dials) {
      able($(id), recorded(f)); // what has happened has none
      continue;
    }
    const v = dial.of(f.dials),
      less = id === 'rate' ? overload(f, v) : null;
    able($(id), recorded(f), less?.why);
    if (document.activeElement !== $(id)) place(field(id), dial.place(v));
    say($(id), $(`${id}-out`), dial.show(less?.rate ?? v));
    $(`${id}-out`).classList.toggle('lags', Boolean(less));
  }
  if (document.activeElement !== $('seed') && f.source.acts) field('seed').value = String(f.seed);
  text($('lang'), language() === 'en' ? '中文' : 'EN');
  $('lang').lang = language() === 'en' ? 'zh' : 'en';
}

// What the clients have done: not long ago, and before that. A moment of the world, and a count.
let past = { now: 0, done: 0 },
  before = past,
  counted = ''; // in which world, and with which dial
const window = 2e9; // ns

// overload is what the clients come to where that is less than the dial asks for, and
// why: each of them waits for its answer before it asks again.
/**
 * @param {Frame} f
 * @param {number} want requests a second
 */
function overload(f, want) {
  const clients = f.clients.filter((c) => c.id),
    at = { now: f.now, done: clients.reduce((sum, c) => sum + c.done + c.failed, 0) };
  if (counted !== `${f.epoch}|${want}` || at.now < past.now) {
    counted = `${f.epoch}|${want}`;
    past = before = at;
  }
  if (at.now - past.now > window) [before, past] = [past, at];
  const passed = at.now - before.now,
    rate = ((at.done - before.done) / passed) * 1e9;
  if (want < 10 || passed < window / 2 || rate > 0.7 * want) return null;
  return { rate, why: t('dial.rate.hint', { want: dials.rate.show(want), n: clients.length }) };
}

// lags: less time passes than the speed says. What is said is then what passes.
/** @param {Frame} f */
const lags = (f) => f.playing && f.now > 0 && f.pace < 0.8 * f.speed && (f.behind || f.boost <= 1);

/**
 * @param {HTMLInputElement} slider
 * @param {number} v
 */
function place(slider, v) {
  if (document.activeElement !== slider || slider.id !== 'speed') slider.value = String(v);
}

// say shows the value of a slider, and tells it to a screen reader in the same
// words instead of the slider's own number.
/**
 * @param {HTMLElement} slider
 * @param {HTMLElement} output
 * @param {string} words
 */
function say(slider, output, words) {
  text(output, words);
  if (slider.getAttribute('aria-valuetext') !== words) slider.setAttribute('aria-valuetext', words);
}
