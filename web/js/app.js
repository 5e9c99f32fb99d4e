// The public interface, window.vitrine, and the page's own view of it.
//
// It exists from the first moment; what needs the world waits for ready, or
// fails before it.

import { byId } from './dom.js';
import { callThem } from './format.js';
import { t } from './i18n.js';
import { said } from './said.js';

let go = null; // what wasm/bridge attached
let settle;
const subscribers = new Set();

export const app = {
  frame: null, // the newest frame, see wasm/player/frame.go
  broken: null, // why the world of which epoch has stopped
  call: () => go,
  canvas: () => document.querySelector('canvas'),
};

function world() {
  if (!go) throw new Error('vitrine is not ready yet: await vitrine.ready');
  return go;
}

// run sends a command and throws its error.
/** @param {Command} command */
function dispatch(command) {
  if (command === null || typeof command !== 'object')
    throw new Error('dispatch: a command is an object such as { cmd: "crash", member: 1 }');
  const answer = world().dispatch(JSON.stringify(command));
  if (answer.error) throw new Error(answer.error);
  return { request: answer.request || 0, missed: Boolean(answer.missed) };
}

/** @param {string} id */
function rectOf(id) {
  const r = world().rectOf(id);
  if (!r) return null;
  const c = app.canvas().getBoundingClientRect();
  return { x: c.left + r[0], y: c.top + r[1], width: r[2], height: r[3] };
}

export const vitrine = {
  version: 1,
  ready: new Promise((done, failed) => {
    settle = { done, failed };
  }),
  dispatch,
  step(ns) {
    const answer = world().step(ns);
    if (answer.error) throw new Error(answer.error);
  },
  hash: () => world().hash(),
  state: () => JSON.parse(world().state()),
  subscribe(fn) {
    if (typeof fn !== 'function')
      throw new Error('subscribe: it calls a function with each new frame, and this is none');
    subscribers.add(fn);
    if (app.frame) fn(app.frame);
    return () => subscribers.delete(fn);
  },
  // record plays recordings of a real cluster, a list of Uint8Array: files of GET /debug/flight.
  /** @param {Uint8Array[]} files */
  record(files) {
    const answer = world().record(files);
    if (answer.error) throw new Error(answer.error);
  },
  // inspect looks into a member: tab is kv, wal, store, leases, users or raft, query says which part.
  /**
   * @param {number} member
   * @param {string} tab
   * @param {object} [query]
   */
  inspect(member, tab, query = {}) {
    const answer = world().inspect(member, tab, JSON.stringify(query));
    if (answer.error) throw new Error(answer.error);
    return JSON.parse(answer.text);
  },
  rectOf,
  frameStats: () => world().frameStats(),
};
globalThis.vitrine = vitrine;

/** @param {Calls} calls */
export function attach(calls) {
  go = calls;
}

// publish takes a frame from the world and hands it to everyone after the
// stage has been drawn: the panels must not make the stage stutter.
let waiting = null;
const later = new MessageChannel();
later.port1.onmessage = () => {
  const frames = waiting;
  waiting = null;
  if (frames) show(frames);
};
/** @param {string} json */
export function publish(json) {
  if (waiting === null) later.port2.postMessage(0);
  // Lines of the feed are sent once: a frame that replaces one takes them along.
  waiting = waiting === null ? [json] : [...waiting, json];
}

// show hands a frame to everyone; the first one makes the page ready.
/** @param {string[]} frames */
function show(frames) {
  const parsed = frames.map((f) => JSON.parse(f));
  app.frame = parsed.pop();
  const same = parsed.filter((f) => f.epoch === app.frame.epoch);
  app.frame.feed = [...same.flatMap((f) => f.feed || []), ...(app.frame.feed || [])];
  callThem(app.frame.members);
  for (const fn of subscribers) {
    try {
      fn(app.frame);
    } catch (err) {
      console.error(err);
    }
  }
  settle.done(vitrine);
}

/** @param {Error} err */
export function fail(err) {
  settle.failed(err);
  vitrine.ready.catch(() => {});
}

// stopped notes why the world does not go on. A new one will.
/** @param {string} message */
export function stopped(message) {
  app.broken = { message, epoch: app.frame?.epoch };
  toast(message);
}

// refresh shows the world as it is at this moment.
export function refresh() {
  if (!go) return;
  const frames = [...(waiting ?? []), go.frame()];
  waiting = null;
  show(frames);
}

// The page's own commands; all others act on the cluster.
const own = ['play', 'step', 'speed', 'skip', 'reset', 'replay', 'select', 'seek', 'close', 'mark'];
/** @param {Command} command */
const acts = (command) => !own.includes(command.cmd) && !(command.cmd === 'pause' && !command.member);

// recorded says why nothing can be done to what is shown, or nothing.
/** @param {Frame} f */
export const recorded = (f) => (f?.source?.acts === false ? t('not.recording') : '');

// act is dispatch for the page's own controls: an error becomes a toast.
/** @param {Command} command */
export function act(command) {
  const why = acts(command) && recorded(app.frame);
  if (why) {
    toast(why, true);
    return null;
  }
  try {
    const answer = dispatch(command);
    refresh(); // the next key or click must find the new state
    return answer;
  } catch (err) {
    toast(said(err.message));
    return null;
  }
}

// toast says something for a few seconds, above everything else: it moves into the
// open dialog, outside of which nothing is heard, and is shown anew each time.
const toastLimit = 300; // characters: an error may quote what a file holds
let toastTimer;
/**
 * @param {string} message
 * @param {boolean} [hint]
 */
export function toast(message, hint = false) {
  const el = byId('toast');
  const characters = [...String(message)];
  el.textContent = characters.length > toastLimit ? `${characters.slice(0, toastLimit).join('')}…` : message;
  el.classList.toggle('hint', hint); // no error: it says why nothing happens
  if (el.matches(':popover-open')) el.hidePopover();
  ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(el);
  el.showPopover();
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => el.hidePopover(), 5000 + 20 * Math.min(characters.length, toastLimit));
}

// shown is the member that the inspector shows and the keys act on: the chosen
// one, else the leader, else the first.
/** @param {Frame} frame */
export function shown(frame) {
  return frame.chosen.member || frame.leader || frame.members[0]?.id || 1;
}

/**
 * @param {Frame} frame
 * @param {number} id
 */
export const memberOf = (frame, id) => frame.members.find((m) => m.id === id);
/** @param {Member} m */
export const serving = (m) => m.process === 'running';
/**
 * @param {Frame} frame
 * @param {number} from
 * @param {number} to
 */
export const isCut = (frame, from, to) => frame.cuts.some((c) => c[0] === from && c[1] === to);

// restyle has the stage follow a change of theme, language or motion.
export function restyle() {
  go?.restyle();
}
