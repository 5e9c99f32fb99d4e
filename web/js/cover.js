// What the document lays over the top of the stage: the drawing keeps its members and
// clients below the lowest of it.

import { app } from './app.js';

const parts = new Map(); // by name: how far down it reaches, in CSS pixels of the stage

/**
 * @param {string} part
 * @param {number} bottom
 */
export function cover(part, bottom) {
  parts.set(part, bottom);
  app.call()?.cover(Math.max(...parts.values()));
}
