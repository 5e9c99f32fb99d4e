// The visitor as a client.

import { act, toast, recorded } from './app.js';
import { byId, every } from './dom.js';
import { element, name, able } from './format.js';
import { onLanguage, t } from './i18n.js';
import { prefixEnd } from './prefix.js';
import { sheet } from './sheet.js';

/** @param {Vitrine} vitrine */
export function start(vitrine) {
  const form = byId('ask', HTMLFormElement),
    member = byId('ask-member', HTMLSelectElement),
    hint = byId('ask-hint');
  const fields = /** @type {any} */ (form.elements);
  const op = () => fields.op.value;
  const show = () => {
    for (const el of every('[data-for]', form)) el.hidden = !el.dataset.for.split(' ').includes(op());
    form.querySelector('[data-op-label]').textContent = t(op() === 'txn' ? 'ask.then' : 'ask.value');
    hint.textContent = t(op() === 'get' ? `ask.hint.${fields.read.value}` : `ask.hint.${op()}`);
  };
  form.addEventListener('change', show);
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const long = tooLong(fields);
    if (long) {
      toast(t('ask.tooLong', { n: fieldLimit }));
      fields[long].focus();
      return;
    }
    const c = command(op(), fields);
    if (!c) {
      toast(t('ask.noKey'));
      fields.key.focus();
      return;
    }
    if (act(c) && op() === 'put') next(fields.value);
  });
  let count = '';
  const [send] = every('button[type="submit"], button:not([type])', form);
  vitrine.subscribe((f) => {
    able(send, recorded(f));
    const now = f.members.map((m) => name(m.id)).join();
    if (now === count) return;
    count = now;
    const chosen = member.value;
    member.replaceChildren(member.options[0], ...f.members.map((m) => element('option', { value: m.id }, name(m.id))));
    member.value = [...member.options].some((o) => o.value === chosen) ? chosen : '0';
  });
  onLanguage(show);
  show();
}

// next makes the following put differ from the last, so that it shows.
/** @param {HTMLInputElement} input */
function next(input) {
  const n = Number(input.value);
  if (input.value !== '' && Number.isInteger(n)) input.value = String(n + 1);
}

// tooLong says which field holds more than a request of a visitor should.
const fieldLimit = 4096; // characters
/** @param {any} fields */
function tooLong(fields) {
  return ['key', 'compare', 'value'].find((f) => [...fields[f].value].length > fieldLimit);
}

/**
 * @param {string} op
 * @param {any} fields
 */
function command(op, fields) {
  const key = fields.key.value;
  if (!key) return null;
  const base = { cmd: op, member: Number(fields.member.value), key };
  const range = fields.prefix.checked ? { end: prefixEnd(key) } : {};
  switch (op) {
    case 'put':
      return { ...base, value: fields.value.value };
    case 'get':
      return { ...base, serializable: fields.read.value === 'serializable' };
    case 'delete':
    case 'watch':
      return { ...base, ...range };
    case 'txn':
      return {
        cmd: 'txn',
        member: base.member,
        if: [{ target: 'value', key, op: '=', value: fields.compare.value }],
        then: [{ cmd: 'put', key, value: fields.value.value }],
        else: [{ cmd: 'get', key }],
      };
  }
  return null;
}

// open puts the cursor into the form.
export function open() {
  sheet('ask');
  const key = /** @type {HTMLInputElement} */ (document.querySelector('#ask [name="key"]'));
  key.select();
}
