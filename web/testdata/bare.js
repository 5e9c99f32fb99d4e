// What TestWordsForWhatIsNotTold (web/bare_test.go) does in the page: it gives every
// panel, card and tip things of which next to nothing is known, and reads what they
// say. The test runs this in the page; read(given, lang) lists what nobody should read.

(async () => {
  const main = /** @type {HTMLScriptElement} */ (document.querySelector('script[type="module"]')).src;
  const of = (file) => import(new URL(`${file}.js`, main).href);
  const [{ app, publish, refresh }, { use }, card, tip, lines, menu, members, numbers] = await Promise.all(
    ['app', 'i18n', 'card', 'tip', 'lines', 'menu', 'members', 'numbers'].map(of),
  );
  const words = await (await fetch(new URL('../assets/messages/en.json', main).href)).json();
  // keys are those of the sentences of a room: what there are kinds of.
  const keys = (room) =>
    Object.keys(words)
      .filter((k) => k.startsWith(`${room}.`))
      .map((k) => k.slice(room.length + 1));
  const all = (selector) => [...document.querySelectorAll(selector)];
  const copy = (value, change = {}) => Object.assign(structuredClone(value), change);
  const settled = () => new Promise((done) => setTimeout(done)); // events of what was unfolded have come
  const here = { left: 0, right: 0, top: 0 };

  // The world says what it is told to say.
  let given = null,
    frame = null,
    flights = [],
    epoch = 1e6;
  globalThis.vitrineHost.publish = () => {};
  Object.assign(app.call(), {
    frame: () => JSON.stringify(frame),
    messages: () => JSON.stringify(flights),
    log: () => JSON.stringify([given.entry]),
    inspect: (_, tab) => ({ text: JSON.stringify(given.inspect[tab]) }),
    dispatch: () => ({ request: 0 }),
  });

  // show has a frame shown, and reads the page.
  function show(where, change, from = given.frame) {
    const source = { ...from.source, kind: change.recorded ? 'recording' : 'simulation', acts: !change.recorded };
    frame = copy(from, { epoch: ++epoch, speed: 1, source, ...change });
    publish(JSON.stringify(frame));
    refresh();
    look(where);
  }

  const bad = new Map(), // what is said, and where first
    rooms = [...new Set(Object.keys(words).map((k) => k.split('.')[0]))].join('|');
  const odd = new RegExp(`\\b(undefined|NaN|Infinity)\\b|\\[object|(?<![\\w./-])(?:${rooms})\\.[a-z]+[A-Z]?\\w*`);
  function hear(where, text) {
    if (odd.test(text) && !bad.has(text)) bad.set(text, where);
  }
  function look(where) {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) hear(where, texts.currentNode.nodeValue);
    for (const el of all('[title], [aria-label], [aria-valuetext]'))
      for (const a of ['title', 'aria-label', 'aria-valuetext']) hear(`${where}, ${a}`, el.getAttribute(a) ?? '');
  }

  const ring = (change = {}) =>
    [1, 2, 3].map((id) => copy(given.frame.members[0], { id, name: `s${id}`, role: 'follower', ...change }));
  const somebody = { member: 1, link: [0, 0], request: 0 };
  // plain is a cluster that runs, and nothing else.
  function plain() {
    const running = ring({ process: 'running', alive: true, standing: 'voter' });
    running[0].role = 'leader';
    return { members: running, leader: 1, chosen: somebody };
  }

  function whoMembersAre() {
    for (const process of keys('process'))
      for (const role of ['follower', 'candidate', 'pre-candidate', 'leader'])
        for (const standing of ['', 'voter', 'learner', 'removed']) {
          const alive = process === 'running' || process === 'paused';
          const all = ring({ process, alive, standing, joining: standing === 'voter' && role === 'follower' });
          all[0].role = role;
          const leader = role === 'leader' && process === 'running' ? 1 : 0;
          show(`${process} ${role} ${standing}`, { members: all, leader, chosen: somebody });
        }
    for (const disk of keys('disk'))
      show(`disk ${disk}`, { ...plain(), members: plain().members.map((m) => copy(m, { disk, diskUntil: 9e9 })) });
  }

  async function unfold(where) {
    for (const d of all('#tabpanel details')) d.open = true;
    await settled();
    look(`${where}, unfolded`);
  }

  // Each tab, of a bare member and of one with all that there can be.
  async function whatMembersHold() {
    const { wal, kv, store } = given.inspect;
    wal.records[0].kind = 'entry';
    for (const from of [given.frame, given.whole])
      for (const b of all('#tabs [role="tab"]')) {
        const where = `tab ${b.dataset.tab}`;
        b.click();
        for (const leader of [0, 1]) show(where, { ...plain(), leader }, from);
        await unfold(where);
        show(`${where} of what does not run`, { ...plain(), members: ring({ process: 'crashed' }) }, from);
        show(`${where} of a recording`, { ...plain(), recorded: true }, from);
      }
    document.getElementById('tab-wal').click();
    for (const kind of keys('wal.kind')) show(`record ${(wal.records[0].kind = kind)}`, plain());
    for (const how of keys('wal.ended')) {
      Object.assign(wal.last, { how, started: true, torn: true });
      show(`ended ${how}`, plain());
    }
    Object.assign(kv.keys[0], { key: 'k', exists: true });
    kv.waiting = 1;
    store.frozen = store.front;
    for (const tab of ['kv', 'store']) {
      document.getElementById(`tab-${tab}`).click();
      show(`tab ${tab}, of what is there`, plain());
      await unfold(`tab ${tab}, of what is there`);
    }
  }

  // Messages: in the list, in a tip, and as a card.
  function whatFlies() {
    const types = [...new Set(keys('msg').map((k) => k.replace(/\.no$/, ''))), 'MsgOther'];
    document.getElementById('tab-messages').click();
    for (const type of types)
      for (const change of [{}, { reject: true }, { held: 1 }, ...keys('lost').map((lost) => ({ lost }))]) {
        const what = `${type} ${JSON.stringify(change)}`;
        flights = [copy(given.message, { id: 1, type, from: 1, to: 2, ...change })];
        show(what, plain());
        card.openMessage(1, here);
        tip.show({ kind: 'message', ...flights[0] }, 9, 9);
        look(`the card and the tip of ${what}`);
        menu.closeMenu();
      }
  }

  function whatIsPointedAt() {
    const entry = copy(given.entry, { member: 1 });
    for (const target of [
      { kind: 'cell', ...entry },
      { kind: 'link', link: [1, 2] },
      { kind: 'member', member: 2 },
      { kind: 'client', client: 0 },
      { kind: 'client', client: 1 },
      { kind: 'lease', lease: 0 },
    ])
      for (const from of [given.frame, given.whole]) {
        show('a plain cluster', plain(), from);
        tip.show(target, 9, 9);
        look(`the tip of ${JSON.stringify(target)}`);
      }
    tip.hide();
    card.openEntry(entry, here);
    look('the card of an entry');
    menu.closeMenu();
  }

  // asked shows the way of a request.
  function asked(where, change, from = given.frame) {
    const requests = [copy(from.requests[0], { id: 1, client: 0, text: 'put x', op: 'put', ...change })];
    show(where, { ...plain(), requests, chosen: { ...somebody, request: 1 } });
  }
  const refusals = [
    'unhealthy cluster',
    'not enough started members',
    'in sync with leader',
    'too many learner',
    'can only promote a learner member',
    'member not found',
  ];

  // Requests: each end of each kind, each station, and each reason to wait.
  function whatIsAsked() {
    const denied = (lacks) => copy(given.whole.requests[0].denied, { lacks });
    for (const status of ['pending', 'ok', 'error', 'unknown']) {
      for (const op of keys('op')) asked(`a ${op} that is ${status}`, { status, op });
      asked(`${status} in full`, { status, op: 'get', denied: denied('read') }, given.whole);
      for (const name of ['client', ...keys('station'), ...keys('note')])
        asked(`${status} at ${name}`, { status, stations: [{ name, at: 0, member: 1 }] });
    }
    for (const kind of [...new Set(keys('lack'))].filter((k) => !['because', 'alone', 'cut'].includes(k)))
      asked(`it lacks ${kind}`, { status: 'pending', lack: { kind } });
    for (const fate of keys('fate')) asked(`it ${fate}`, { status: 'unknown', fate });
    for (const lacks of ['read', 'write', 'root'])
      asked(`denied ${lacks}`, { status: 'error', denied: { user: '', lacks, member: 1 } });
    for (const error of refusals)
      for (const { behind } of [given.frame.requests[0], given.whole.requests[0]])
        asked(error, { status: 'error', op: 'member-promote', error, behind });
    for (const open of [true, false])
      show(`a watch, ${open}`, { ...plain(), watches: [copy(given.frame.watches[0], { id: 1, member: 1, open })] });
  }

  function whatHappens() {
    const parts = ['title', 'times', 'someone', 'who', 'whoNowhere', 'mine', 'mineNowhere'], // of sentences
      told = keys('feed').filter((k) => !parts.includes(k));
    for (const kind of told) hear(`feed.${kind}`, lines.words(copy(given.line, { kind })));
    const line = (kind, name, seq) => copy(given.line, { kind, name, seq });
    const feed = [
      ...told.map((kind) => [kind, '']),
      ...keys('set').map((name) => ['set', name]),
      ...keys('fail').map((name) => ['fails', name]),
    ].map(([kind, name], seq) => line(kind, name, seq));
    show('the feed', { ...plain(), feed });
    numbers.openNumbers();
    for (const from of [given.frame, given.whole]) show('in numbers', plain(), from);
    members.openMembers();
    for (const kind of ['', 'add', 'remove', 'update', 'learner', 'promote'])
      for (const by of [0, 1]) {
        const pending = { ...given.whole.conf.pending, kind };
        show(`a change ${kind}`, { ...plain(), conf: { ...given.frame.conf, by, voters: [1], pending } });
      }
    menu.closeMenu();
    show('a broken rule', { ...plain(), violation: copy(given.whole.violation, { number: 1 }) });
    show('a replay', { ...plain(), replay: given.whole.replay }, given.whole);
  }

  async function read(what, lang) {
    given = what;
    frame = copy(given.frame);
    bad.clear();
    use(lang, false);
    document.getElementById('more').setAttribute('open', '');
    whoMembersAre();
    await whatMembersHold();
    whatFlies();
    whatIsPointedAt();
    whatIsAsked();
    whatHappens();
    return [...bad].map(([text, where]) => `${where}: "${text.slice(0, 300)}"`);
  }

  globalThis.bare = { read };
  return true;
})();
