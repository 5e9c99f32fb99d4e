// Questions that depend on one another: what stands together may be asked in any
// order, what follows waits until all of that is answered.

import { act } from './app.js';

/** @type {Command[][]} */
let waves = [];
let asked = [],
  asking = false, // each question makes a frame
  epoch = 0;

// inOrder asks one list after the other; a world that ends takes the rest along.
/**
 * @param {Frame} f
 * @param {Command[][]} lists
 */
export function inOrder(f, lists) {
  if (f.epoch !== epoch) [waves, asked, epoch] = [[], [], f.epoch];
  waves.push(...lists.filter((l) => l.length));
  go(f);
}

// left is how many lists have yet to be asked.
export const left = () => waves.length;

/** @param {Frame} f */
function go(f) {
  if (!waves.length || asking) return;
  if (f.epoch !== epoch) {
    waves = [];
    return;
  }
  if (f.requests.some((r) => asked.includes(r.id) && r.status === 'pending')) return;
  asking = true;
  asked = [];
  for (const c of waves.shift()) {
    const answer = act(c);
    if (answer) asked.push(answer.request);
  }
  asking = false;
}

/** @param {Vitrine} vitrine */
export const start = (vitrine) => vitrine.subscribe(go);
