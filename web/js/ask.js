// The visitor as a client.

import { act, app, toast, recorded } from './app.js';
import { byId, every } from './dom.js';
import { element, name, able } from './format.js';
import { onLanguage, t } from './i18n.js';
import { inOrder } from './inorder.js';
import { look } from './look.js';
import { free } from './leases.js';
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
    for (const el of every('[data-for]', form))
      el.hidden = !el.dataset.for.split(' ').includes(op()) || (el.dataset.when === 'users' && !users.length);
    form.querySelector('[data-op-label]').textContent = t(op() === 'txn' ? 'ask.then' : 'ask.value');
    const of = { get: fields.read.value, lease: fields.what.value };
    hint.textContent = t(`ask.hint.${of[op()] ?? op()}`);
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
      toast(t(op() === 'lease' ? 'ask.noLeaseYet' : 'ask.noKey'), op() === 'lease');
      fields[op() === 'lease' ? 'which' : 'key'].focus();
      return;
    }
    if (send(c, fields) && op() === 'put') next(fields.value);
  });
  let count = '';
  startHeld(vitrine, fields, show);
  const [button] = every('button[type="submit"], button:not([type])', form);
  vitrine.subscribe((f) => {
    able(button, recorded(f));
    const now = f.members.map((m) => name(m.id)).join();
    if (now === count) return;
    count = now;
    const chosen = member.value;
    member.replaceChildren(member.options[0], ...f.members.map((m) => element('option', { value: m.id }, name(m.id))));
    member.value = [...member.options].some((o) => o.value === chosen) ? chosen : '0';
  });
  onLanguage(() => {
    held = '';
    show();
  });
  show();
}

// What leases and users there are, as a member that is up knows them.
let leases = [],
  users = [],
  held = '';
const news = 400; // ms

/**
 * @param {Vitrine} vitrine
 * @param {any} fields
 * @param {() => void} show
 */
function startHeld(vitrine, fields, show) {
  let last = 0;
  vitrine.subscribe((f) => {
    if (f.playing && performance.now() - last < news) return;
    last = performance.now();
    const m = f.members.find((m) => m.id === f.leader) ?? f.members.find((m) => m.alive);
    [leases, users] = [[], []];
    if (m && !recorded(f)) {
      leases = look(m.id, 'leases').leases?.map((l) => l.id) ?? [];
      users = look(m.id, 'users').users?.map((u) => u.name) ?? [];
    }
    const now = JSON.stringify([leases, users]);
    if (now === held) return;
    held = now;
    options(fields.lease, [
      ['', t('ask.noLease')],
      ...leases.map((id) => [String(id), t('lease.id', { id })]),
      ...newTTLs.map((ttl) => [`+${ttl}`, t('ask.newLease', { ttl })]),
    ]);
    options(
      fields.which,
      leases.length ? leases.map((id) => [String(id), t('lease.id', { id })]) : [['', t('ask.noLease')]],
    );
    options(fields.as, [['', t('ask.root')], ...users.filter((u) => u !== 'root').map((u) => [u, u])]);
    show();
  });
}

const newTTLs = [5, 20, 60]; // seconds

/**
 * @param {HTMLSelectElement} select
 * @param {string[][]} list
 */
function options(select, list) {
  const chosen = select.value;
  select.replaceChildren(...list.map(([value, label]) => element('option', { value }, label)));
  select.value = list.some(([value]) => value === chosen) ? chosen : list[0][0];
}

// send asks, as whom and with which lease; a new one must be granted before.
/**
 * @param {Command} c
 * @param {any} fields
 */
function send(c, fields) {
  const as = fields.as.value ? { as: fields.as.value } : {};
  const lease = c.cmd === 'put' ? fields.lease.value : '';
  if (!lease.startsWith('+')) return act({ ...c, ...as, ...(lease ? { lease: Number(lease) } : {}) });
  const id = free(leases);
  inOrder(app.frame, [
    [{ cmd: 'lease-grant', lease: id, ttl: Number(lease.slice(1)), member: c.member }],
    [{ ...c, ...as, lease: id }],
  ]);
  leases.push(id);
  fields.lease.add(element('option', { value: id }, t('lease.id', { id })), 1);
  fields.lease.value = String(id);
  return true;
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
  if (op === 'lease')
    return fields.which.value
      ? { cmd: fields.what.value, member: Number(fields.member.value), lease: Number(fields.which.value) }
      : null;
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
