// Users and roles of a member, and what changes them. It is asked of the leader as
// root, who may do everything once requests are checked.

import { act, app, recorded } from './app.js';
import { able, element, name, text } from './format.js';
import { inOrder, left } from './inorder.js';
import { hint, look, none, paced, rebuild } from './look.js';
import { t } from './i18n.js';
import { prefixEnd } from './prefix.js';

/**
 * @param {import('./look.js').Later} later
 * @param {Frame} f
 */
export function users(later, f) {
  const why = none(f);
  if (why) return why;
  const said = element('p', { class: 'hint', role: 'status' }),
    demo = element('button', { type: 'button', class: 'btn', id: 'users-demo' }, t('users.demo')),
    toggle = element('button', { type: 'button', class: 'btn', id: 'users-auth' }),
    people = element('ul', { class: 'people' }),
    roles = element('ul', { class: 'people' });
  let now = /** @type {any} */ (null);
  demo.addEventListener('click', () => {
    if (demo.getAttribute('aria-disabled') !== 'true') setUp(now);
  });
  toggle.addEventListener('click', () => {
    if (toggle.getAttribute('aria-disabled') !== 'true') ask({ cmd: 'auth', name: now.enabled ? 'disable' : 'enable' });
  });
  paced(later, (m, f) => {
    const p = look(m.id, 'users');
    if (p.error) return void text(said, p.error);
    now = p;
    const root = p.users.some((u) => u.name === 'root' && u.root);
    const busy = left() ? t('users.busy', { n: left() }) : '';
    text(toggle, t(p.enabled ? 'users.off' : 'users.on'));
    able(toggle, recorded(f) || busy || (!f.leader && t('not.leader')) || (!p.enabled && !root && t('users.noRoot')));
    able(demo, recorded(f) || busy || (!f.leader && t('not.leader')));
    text(said, busy || `${t(p.enabled ? 'users.checked' : 'users.open')} ${t('users.revision', { n: p.revision })}`);
    rebuild(people, p.users, () => p.users.map(userRow));
    rebuild(roles, p.roles, () => p.roles.map(roleRow));
  });
  return [
    element('p', { class: 'row' }, demo, toggle),
    said,
    element('h3', { class: 'part' }, t('users.users')),
    people,
    element('h3', { class: 'part' }, t('users.roles')),
    roles,
    form(),
    hint('users.hint'),
  ];
}

/** @param {any} u */
function userRow(u) {
  return element(
    'li',
    {},
    element('b', { class: 'mono' }, u.name),
    element('span', { class: 'mono chips' }, ...u.roles.map((r) => element('i', {}, r))),
    remove('user-delete', u.name),
  );
}

/** @param {any} r */
function roleRow(r) {
  return element(
    'li',
    {},
    element('b', { class: 'mono' }, r.name),
    element(
      'span',
      { class: 'mono chips' },
      ...r.permissions.map((p) => element('i', {}, `${t(`users.${p.kind}`)} ${range(p)}`)),
      r.more ? element('small', {}, t('inside.more', { n: r.more })) : null,
    ),
    remove('role-delete', r.name),
  );
}

/**
 * @param {string} cmd
 * @param {string} which
 */
function remove(cmd, which) {
  const label = t(`users.${cmd}`, { name: which });
  return element(
    'button',
    {
      type: 'button',
      class: 'tiny',
      'data-id': `${cmd}-${which}`,
      'aria-label': label,
      title: label,
      onclick: () => ask({ cmd, name: which }),
    },
    '✕',
  );
}

// range: x, x … y, or all from x on.
/** @param {any} p */
export const range = (p) => (p.rest ? `${p.key} …` : p.end ? `[${p.key}, ${p.end})` : p.key);

// form is the one for a change: what, and to whom.
function form() {
  const kinds = ['user-add', 'role-add', 'grant-role', 'revoke-role', 'grant', 'revoke'];
  const kind = element(
      'select',
      { name: 'what', 'aria-label': t('users.change') },
      ...kinds.map((k) => element('option', { value: k }, t(`users.${k}`))),
    ),
    write = (key) => element('input', { name: key, autocomplete: 'off', spellcheck: 'false' }),
    named = write('name'),
    role = write('role'),
    key = write('key'),
    access = element(
      'select',
      { name: 'access' },
      ...['readwrite', 'read', 'write'].map((k) => element('option', { value: k }, t(`users.${k}`))),
    ),
    prefix = element('input', { type: 'checkbox', name: 'prefix' }),
    label = (words, ...inside) => element('label', {}, element('span', { class: 'lab' }, t(words)), ...inside),
    roleField = label('users.role', role),
    permission = [
      label('ask.key', key),
      label('users.access', access),
      element('label', { class: 'check' }, prefix, t('ask.prefix')),
    ],
    send = element('button', { type: 'submit', class: 'btn', id: 'users-send' }, t('users.send'));
  const show = () => {
    roleField.hidden = !kind.value.endsWith('-role');
    for (const el of permission) el.hidden = !['grant', 'revoke'].includes(kind.value);
    permission[1].hidden ||= kind.value === 'revoke';
  };
  kind.addEventListener('change', show);
  show();
  const all = element(
    'form',
    { class: 'fields change' },
    kind,
    label('users.name', named),
    roleField,
    ...permission,
    send,
  );
  all.addEventListener('submit', (e) => {
    e.preventDefault();
    if (!named.value) return void named.focus();
    const end = prefix.checked && key.value ? { end: prefixEnd(key.value) } : {};
    const c = { cmd: kind.value, name: named.value };
    ask(
      kind.value.endsWith('-role')
        ? { ...c, value: role.value }
        : kind.value === 'grant'
          ? { ...c, key: key.value, value: access.value, ...end }
          : kind.value === 'revoke'
            ? { ...c, key: key.value, ...end }
            : c,
    );
  });
  return all;
}

// ask sends a change to the leader.
/** @param {Command} change */
const ask = (change) => act({ ...change, member: app.frame.leader, as: 'root' });

// The users of the demonstration: root, alice who may write what begins with a, bob
// who may read everything, and those of the simulated clients.
const clients = ['u1', 'u2', 'u3'];
const founding = () => [
  [
    ...['root', 'alice', 'bob', ...clients].map((name) => ({ cmd: 'user-add', name })),
    ...['writer-of-a', 'reader', 'clients'].map((name) => ({ cmd: 'role-add', name })),
  ],
  [
    { cmd: 'grant-role', name: 'root', value: 'root' },
    { cmd: 'grant', name: 'writer-of-a', key: 'a', end: 'b', value: 'readwrite' },
    { cmd: 'grant', name: 'reader', key: '\0', end: '\0', value: 'read' },
    { cmd: 'grant', name: 'clients', key: 'k', end: 'l', value: 'readwrite' },
    { cmd: 'grant-role', name: 'alice', value: 'writer-of-a' },
    { cmd: 'grant-role', name: 'bob', value: 'reader' },
    ...clients.map((name) => ({ cmd: 'grant-role', name, value: 'clients' })),
  ],
  [{ cmd: 'auth', name: 'enable' }],
];

// setUp asks for what is missing.
/** @param {any} have */
function setUp(have) {
  const known = [...have.users.map((u) => `user-add ${u.name}`), ...have.roles.map((r) => `role-add ${r.name}`)];
  const member = app.frame.leader;
  inOrder(
    app.frame,
    founding().map((wave) =>
      wave.filter((c) => !known.includes(`${c.cmd} ${c.name}`)).map((c) => ({ ...c, member, as: 'root' })),
    ),
  );
}

// denial says which permission a request lacked, and where that was judged.
/** @param {ClientRequest} r */
export function denial(r) {
  const d = r.denied;
  if (!d) return '';
  const keys = d.end ? range({ key: d.key, end: d.end, rest: d.end === '\0' }) : (d.key ?? '');
  return `${t(`denied.${d.lacks}`, { user: d.user, keys })} ${t(d.index ? 'denied.entry' : 'denied.before', {
    name: name(d.member),
    index: d.index,
  })}`;
}
