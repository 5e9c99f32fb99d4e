// The rows of the table of numbers, and what a tally says in each.

import { span } from './format.js';

/** @typedef {(n: Tally) => string} Row */

/** @param {number} n */
const short = (n) => String(Number(n.toPrecision(n < 1000 ? 3 : 4)));

// ratio of two numbers, nothing if there is nothing to divide by.
/**
 * @param {number} n
 * @param {number} by
 */
const ratio = (n, by) => (by > 0 ? short(n / by) : '–');

/** @type {(pick: (n: Tally) => number) => Row} */
const each = (pick) => (n) => ratio(pick(n), n.over / 1e9);

// took is how long answers took, as exactly as it is known.
/** @type {(pick: (n: Tally) => number) => Row} */
const took = (pick) => (n) => (pick(n) ? span(Number(pick(n).toPrecision(2))) : '–');

/** @type {[string, Row][]} */
export const rows = [
  ['over', (n) => span(n.over)],
  ['writes', each((n) => n.writes.count)],
  ['writeHalf', took((n) => n.writes.p50)],
  ['write99', took((n) => n.writes.p99)],
  ['reads', each((n) => n.reads.count)],
  ['readHalf', took((n) => n.reads.p50)],
  ['read99', took((n) => n.reads.p99)],
  ['failed', (n) => String(n.failed)],
  ['entries', each((n) => n.entries)],
  ['messages', (n) => ratio(n.messages, n.entries)],
  ['syncs', (n) => ratio(n.syncs, n.entries)],
  ['elections', (n) => String(n.elections)],
  ['leaderless', (n) => span(n.leaderless)],
];
