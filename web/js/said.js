// What the core says, for people: sentences of its checkers, errors, answers. The
// core speaks English; assets/messages/said.json has each of its sentences, as the
// format that it is made from, in Chinese: {1} is the first thing that was filled in,
// {0} the whole, where etcd's own words must stay.

import { beside } from './dom.js';
import { name } from './format.js';
import { language, onLanguage, use } from './i18n.js';

let patterns = []; // [format as a regular expression, Chinese]

// start fetches the table when somebody reads Chinese, and has all be said again.
export function start() {
  const need = () => {
    if (language() === 'zh' && !patterns.length) loadSaid().then(() => use('zh', false), console.warn);
  };
  onLanguage(need);
  need();
}

// loadSaid fetches the table; only readers of Chinese need it.
export async function loadSaid() {
  if (patterns.length) return;
  const response = await fetch(beside('assets/messages/said.json'));
  if (!response.ok) throw new Error(`assets/messages/said.json: ${response.status}`);
  const table = Object.entries(await response.json());
  // What says most by itself is tried first: "%s: %v" fits nearly everything.
  table.sort(([a], [b]) => plain(b) - plain(a));
  patterns = table.map(([format, zh]) => [compile(format), zh]);
}

const verb = /%[-+# 0]*\d*(?:\.\d+)?[a-z]/g;
/** @param {string} format */
const plain = (format) => format.replace(verb, '').length;

const kinds = { d: '(-?\\d+)', x: '([0-9a-f]+)', t: '(true|false)', q: '("(?:[^"\\\\]|\\\\.)*"|\\[[^\\]]*\\])' };

// compile makes of a format what it matches.
/** @param {string} format */
function compile(format) {
  const quoted = format.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\.40q', '.40q');
  return new RegExp(`^${quoted.replace(verb, (v) => (v === '% x' ? '([0-9a-f ]+)' : kinds[v.at(-1)]) ?? '([^]*?)')}$`);
}

// said is a text of the core in the reader's language, with members called as the
// page calls them.
/** @param {string} text */
export function said(text) {
  if (!text) return '';
  return language() === 'zh' && patterns.length ? chinese(text) : members(text);
}

const depth = 7; // sentences within sentences
/**
 * @param {string} text
 * @param {number} [left]
 */
function chinese(text, left = depth) {
  for (const [pattern, zh] of left ? patterns : []) {
    const m = pattern.exec(text);
    if (m) return zh.replace(/\{(\d+)\}/g, (_, i) => (i === '0' || !m[i] ? m[i] : chinese(m[i], left - 1)));
  }
  return text;
}

/** @param {string} text */
const members = (text) =>
  text.replace(/\bmembers? (\d{1,3})\b(?: and (\d{1,3})\b)?/g, (_, a, b) =>
    b ? `${name(+a)} and ${name(+b)}` : name(+a),
  );
