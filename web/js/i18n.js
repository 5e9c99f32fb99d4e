// Words. The catalogues are assets/messages/*.json: a key, and a sentence with
// {blanks} and plurals: {n, plural, one {# member} other {# members}}.

import { beside, every } from './dom.js';

const catalogues = {};
let lang = 'en';
const listeners = new Set();
const plurals = {};

export const language = () => lang;
/** @param {() => void} fn */
export const onLanguage = (fn) => listeners.add(fn);

export async function load() {
  const get = async (l) => {
    const response = await fetch(beside(`assets/messages/${l}.json`));
    if (!response.ok) throw new Error(`assets/messages/${l}.json: ${response.status}`);
    catalogues[l] = await response.json();
  };
  await Promise.all([get('en'), get('zh')]);
  use(document.documentElement.lang, false);
}

/**
 * @param {string} next
 * @param {boolean} [remember]
 */
export function use(next, remember = true) {
  lang = catalogues[next] ? next : 'en';
  document.documentElement.lang = lang;
  if (remember)
    try {
      localStorage.setItem('vitrine.lang', lang);
    } catch {
      /* storage is off */
    }
  apply(document);
  for (const fn of listeners) fn();
}

// apply puts the words into everything that names a key.
/** @param {ParentNode} root */
export function apply(root) {
  for (const el of every('[data-i18n]', root)) el.textContent = t(el.dataset.i18n);
  for (const el of every('[data-i18n-title]', root)) el.title = t(el.dataset.i18nTitle);
  for (const el of every('[data-i18n-label]', root)) {
    el.setAttribute('aria-label', t(el.dataset.i18nLabel));
    if (el.tagName === 'BUTTON' || el.tagName === 'SELECT') el.title = t(el.dataset.i18nLabel);
  }
}

/** @param {string} key */
export function has(key) {
  return key in (catalogues[lang] || {});
}

export function t(key, values = {}) {
  const text = catalogues[lang]?.[key] ?? catalogues.en?.[key];
  return text === undefined ? key : fill(text, values, key);
}

// fill replaces the blanks of a sentence; plural branches may hold blanks too.
/**
 * @param {string} text
 * @param {Record<string, unknown>} values
 * @param {string} key of the sentence
 */
function fill(text, values, key) {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '{') {
      out += text[i];
      continue;
    }
    let depth = 1,
      j = i + 1;
    for (; j < text.length && depth; j++) depth += text[j] === '{' ? 1 : text[j] === '}' ? -1 : 0;
    out += blank(text.slice(i + 1, j - 1), values, key);
    i = j - 1;
  }
  return out;
}

const told = new Set(); // what was complained of

/**
 * @param {string} inside
 * @param {Record<string, unknown>} values
 * @param {string} key
 */
function blank(inside, values, key) {
  const [, name, branches] = inside.match(/^\s*(\w+)\s*(?:,\s*plural\s*,\s*(.*))?$/s) ?? [null, inside, null];
  const value = values[name] ?? '';
  // A sentence with a hole in it is a mistake of whoever says it, and no test reads them all.
  if (values[name] === undefined && !told.has(`${key} ${name}`)) {
    told.add(`${key} ${name}`);
    console.warn(`${key}: nothing for {${name}}`);
  }
  if (!branches) return String(value);
  plurals[lang] ??= new Intl.PluralRules(lang);
  const rule = plurals[lang].select(Number(value));
  const options = Object.fromEntries(
    [...branches.matchAll(/(=?\w+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}/g)].map((m) => [m[1], m[2]]),
  );
  const branch = options[`=${value}`] ?? options[rule] ?? options.other ?? '';
  return fill(branch.replaceAll('#', String(value)), values, key);
}

// row puts parts beside each other: "synced, committed".
/** @param {string[]} parts */
export const row = (parts) => parts.join(lang === 'zh' ? '、' : ', ');

// list joins names: "S1, S2 and S3". In Chinese names in Latin letters stand apart.
/** @param {string[]} names */
export function list(names) {
  if (lang === 'zh') return names.length < 2 ? names.join('') : `${names.slice(0, -1).join('、')} 和 ${names.at(-1)}`;
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
}
