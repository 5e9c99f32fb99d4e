// What a random visitor (web/visitors_test.go) knows of the page: what can be
// acted on, whether anything has changed, and what is wrong with what is seen. The
// test runs this in the page; it acts on nothing.

(async () => {
  const main = /** @type {HTMLScriptElement} */ (document.querySelector('script[type="module"]')).src;
  const { app, refresh } = await import(new URL('app.js', main).href);
  const { clock } = await import(new URL('format.js', main).href);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Words that appear count as an answer, also the same ones once more.
  let toasts = 0;
  document.getElementById('toast').addEventListener('beforetoggle', (e) => (toasts += Number(e.newState === 'open')));
  let saved = 0;
  const made = URL.createObjectURL;
  URL.createObjectURL = (blob) => (saved++, made.call(URL, blob));

  // What is done to a replay is remembered by nobody: commands that were taken count.
  let taken = 0;
  const calls = app.call(),
    dispatch = calls.dispatch;
  calls.dispatch = (json) => {
    const answer = dispatch(json);
    if (app.frame.replay && !answer.error) taken++;
    return answer;
  };

  // How keys of words begin.
  const sentences = await (await fetch(new URL('../assets/messages/en.json', main).href)).json();
  const rooms = [...new Set(Object.keys(sentences).map((k) => k.split('.')[0]))].join('|');

  // What a visitor can act on. What takes the focus only to be scrolled is none.
  const scrolled = '#feed, #lane, #tabpanel, [role="tabpanel"]';
  const acting = `button, a[href], summary, select, input, textarea, [role="tab"], [tabindex="0"]:not(${scrolled})`;

  // place is where an element can be touched, or null if it cannot.
  function place(el) {
    if (el.closest('[inert], [hidden]')) return null;
    const open = all('dialog[open]').at(-1);
    if (open && !open.contains(el)) return null;
    const touched = el.matches('input[type="radio"], input[type="file"]') ? (el.closest('label') ?? el) : el;
    const style = getComputedStyle(touched);
    if (style.visibility !== 'visible' || style.pointerEvents === 'none') return null;
    let r = touched.getBoundingClientRect();
    if (r.width < 2 || r.height < 2) return null;
    touched.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    r = touched.getBoundingClientRect();
    const x = r.x + r.width / 2,
      y = r.y + r.height / 2,
      hit = document.elementFromPoint(x, y);
    return hit && (touched.contains(hit) || hit.contains(touched)) ? { x, y, left: r.left, width: r.width } : null;
  }

  function called(el) {
    const words = el.getAttribute('aria-label') || el.textContent || el.value || '';
    return (
      el.tagName.toLowerCase() +
      (el.id ? `#${el.id}` : '') +
      (el.name ? `[name=${el.name}]` : '') +
      (el.dataset.id ? `[data-id="${el.dataset.id}"]` : '') +
      ` "${words.trim().replace(/\s+/g, ' ').slice(0, 40)}"`
    );
  }

  // idle: acting on it again changes nothing, and need not.
  const idle = (el) =>
    (app.frame.playing && Boolean(el.closest('#feed'))) || // new lines move it away from under the pointer
    ['aria-selected', 'aria-current'].some((a) => el.getAttribute(a) === 'true') ||
    (el.getAttribute('aria-pressed') === 'true' && Boolean(el.closest('.seg, #picker, [data-id$=".wal"]'))) ||
    (el.type === 'radio' && el.checked) ||
    el.matches('.skip, input[type="file"]') ||
    (el.matches('.flying button') &&
      document.querySelector('#menu:not([hidden]) h3')?.textContent === el.textContent) ||
    (el.type === 'range' && Number(el.max) - Number(el.min) <= 5 * Number(el.step));

  // group: what there are many of counts as few.
  const group = (el) =>
    el.closest('#feed, #checks, #picker, #members-list, dialog, #menu, #more-body, #tabpanel, header, footer, #tools')
      ?.id ||
    el.closest('section, aside, header, footer, nav, main, dialog')?.className ||
    'page';

  // controls lists what can be acted on, by groups.
  function controls() {
    const list = [];
    all(acting).forEach((el, i) => {
      const why = el.getClientRects().length > 0;
      if (why) list.push({ el, i });
    });
    return list.map(({ el, i }) => ({
      i,
      name: called(el),
      group: group(el),
      kind: el.tagName === 'INPUT' ? el.type : el.tagName.toLowerCase(),
    }));
  }

  // aim brings one of them into view and says where it is, once it stays there, and what it is in for.
  async function aim(i) {
    const el = all(acting)[i];
    let at = el && place(el);
    for (let n = 0, before = null; at && n < 10 && (at.x !== before?.x || at.y !== before?.y); n++) {
      before = at;
      await new Promise((done) => setTimeout(done, 20));
      at = place(el);
    }
    if (!at) return null;
    return {
      ...at,
      idle: idle(el),
      off: el.getAttribute('aria-disabled') === 'true' || el.disabled === true,
      focused: document.activeElement === el,
      share: el.type === 'range' && Number(el.max) > Number(el.min) ? (el.value - el.min) / (el.max - el.min) : 0.5,
    };
  }

  const focusOn = (i) => all(acting)[i]?.focus();

  // world is what was done to the world and how it is looked at, without what time does.
  function world() {
    const m = JSON.parse(app.call().memory());
    if (app.frame.playing) delete m.now;
    return m;
  }

  // mark is all that an act can change. It differs after an act that did something.
  function mark() {
    const shown = (el) =>
      [el.hidden, el.open, el.checked, el.value, el.textContent?.length > 400 ? '' : el.className]
        .concat(
          ['aria-pressed', 'aria-selected', 'aria-expanded', 'aria-disabled', 'aria-current', 'data-key'].map((a) =>
            el.getAttribute(a),
          ),
        )
        .join();
    return JSON.stringify([
      world(),
      app.frame.epoch,
      toasts,
      taken,
      saved,
      location.href,
      { ...document.documentElement.dataset },
      document.documentElement.lang,
      document.activeElement?.tagName + document.activeElement?.id + document.activeElement?.dataset.id,
      all('dialog, .popover, details, .tip').map(shown),
      all('input, select, [role="tab"], [aria-pressed], [aria-expanded]').map(shown),
      document.querySelector('#feed [aria-current="true"]')?.dataset.id, // it leads to what is shown already
      all('.pager button, .records tbody th, .pairs summary').map((el) => el.textContent), // which page is shown
      all('#menu h2, #menu h3, #numbers-table th').map((el) => el.textContent), // what a card is about
      JSON.stringify(localStorage),
      all('*')
        .filter((el) => el.scrollTop || el.scrollLeft)
        .map((el) => `${el.scrollTop} ${el.scrollLeft}`),
    ]);
  }

  // changed waits until the mark is another one.
  async function changed(before, ms) {
    for (const end = performance.now() + ms; performance.now() < end; await new Promise((done) => setTimeout(done, 15)))
      if (mark() !== before) return true;
    return false;
  }

  // frame waits until the stage has been drawn again, or rests.
  async function frame(ms) {
    const n = app.call().frameStats().frames;
    app.call().nudge();
    for (const end = performance.now() + ms; performance.now() < end; await new Promise((done) => setTimeout(done, 10)))
      if (app.call().frameStats().frames > n) return true;
    return false;
  }

  const meet = ([ax, ay, aw, ah], [bx, by, bw, bh], slack = 1) =>
    ax + slack < bx + bw && bx + slack < ax + aw && ay + slack < by + bh && by + slack < ay + ah;
  const near = ([x, y, w, h], [, cx, cy, r]) => {
    const dx = Math.max(x - cx, cx - x - w, 0),
      dy = Math.max(y - cy, cy - y - h, 0);
    return Math.hypot(dx, dy) < r - 1;
  };

  // overlaps are words on the stage that lie on other words, or on members.
  function overlaps(d) {
    const bad = [];
    d.members.forEach((a, i) =>
      d.members.slice(0, i).forEach((b) => {
        if (Math.hypot(a[1] - b[1], a[2] - b[2]) < a[3] + b[3]) bad.push(`S${a[0]} lies on S${b[0]}`);
      }),
    );
    if (d.tight) return bad;
    d.captions.forEach((a, i) => {
      for (const b of d.captions.slice(0, i))
        if (a.member !== b.member && meet(a.rect, b.rect))
          bad.push(`the words of S${a.member} lie on those of S${b.member}`);
      for (const m of d.members)
        if (m[0] !== a.member && near(a.rect, m)) bad.push(`the words of S${a.member} lie on S${m[0]}`);
      for (const c of d.clients) if (meet(a.rect, c)) bad.push(`the words of S${a.member} lie on a client`);
      for (const l of d.leases) if (meet(a.rect, l)) bad.push(`a lease lies on the words of S${a.member}`);
    });
    d.leases.forEach((l) => {
      for (const m of d.members) if (near(l, m)) bad.push(`a lease lies on S${m[0]}`);
      for (const c of d.clients) if (meet(l, c)) bad.push('a lease lies on a client');
    });
    return bad;
  }

  // covered: what the document lays over the stage must not hide a member.
  function covered(d) {
    const canvas = app.canvas().getBoundingClientRect();
    const over = ['title', 'subtitle', 'showing'].map((id) => document.getElementById(id));
    return over.flatMap((el) => {
      const r =
        el.getClientRects().length && getComputedStyle(el).visibility === 'visible' ? el.getBoundingClientRect() : null;
      if (!r || !r.width || d.tight) return [];
      const range = document.createRange();
      range.selectNodeContents(el);
      const words = range.getBoundingClientRect();
      const box = [words.x - canvas.x, words.y - canvas.y, words.width, words.height];
      return d.members.filter((m) => near(box, m)).map((m) => `#${el.id} lies on S${m[0]}`);
    });
  }

  // differences between what is told by the panels, what is drawn, and what is.
  function differences() {
    refresh();
    const s = JSON.parse(app.call().state()),
      d = app.call().drawn(),
      bad = [],
      is = (what, got, want) => String(got) === String(want) || bad.push(`${what}: ${got}, but it is ${want}`);
    const text = (id) => document.getElementById(id).textContent;
    is('the clock', text('now'), clock(app.frame.now));
    is('data-playing', document.documentElement.dataset.playing, s.playing);
    const list = all('#members-list button');
    is('members to hear of', list.length, s.members.length);
    s.members.forEach((m, i) => {
      const numbers = (list[i]?.textContent.match(/\d+/g) ?? []).map(Number);
      if (![m.commit, m.applied, m.revision].every((n) => numbers.includes(n)))
        bad.push(`of ${m.name} one hears "${list[i]?.textContent}", but commit ${m.commit} applied ${m.applied}`);
    });
    if (!document.getElementById('title').textContent.trim()) bad.push('there is no headline');
    const shown = s.selected.member || s.leader || 1,
      m = s.members.find((m) => m.id === shown);
    const row = document.querySelector('#tabpanel[aria-labelledby="tab-raft"] table td');
    if (m && row) is('the term in the inspector', row.textContent, m.term);
    for (const b of all('#links-dialog[open] [data-id]')) {
      const [from, to] = b.dataset.id.split('-').map(Number);
      is(
        `link ${b.dataset.id}`,
        b.getAttribute('aria-pressed'),
        s.links.some((l) => l.cut && l.from === from && l.to === to),
      );
    }
    const words = document.body.innerText;
    for (const odd of ['undefined', 'NaN', '[object'])
      for (const line of words.split('\n')) if (line.includes(odd)) bad.push(`it says ${odd} in "${line}"`);
    const key = words.match(new RegExp(`(?<![\\w./-])(${rooms})\\.[a-z]+[A-Z]?\\w*`));
    if (key) bad.push(`a key instead of words: ${key[0]}`);
    return [...bad, ...drawnIs(s, d)];
  }

  // drawnIs holds the last picture against the state; a picture of an earlier moment
  // than that of the state is none to compare.
  function drawnIs(s, d) {
    if (d.broken) return [`the world has stopped: ${d.broken}`];
    if (d.now !== app.frame.now || d.members.length !== s.members.length) return [];
    return d.captions.flatMap((c) => {
      const m = s.members.find((m) => m.id === c.member);
      const same = m && m.role === c.role && m.commit === c.commit && m.applied === c.applied && m.term === c.term;
      return same ? [] : [`the picture of S${c.member} says ${JSON.stringify(c)}, the state ${JSON.stringify(m)}`];
    });
  }

  // look lists what is wrong with the page, and stays so: the document and the stage
  // follow one another within a frame or two.
  async function look() {
    let bad = [];
    for (let i = 0; i < 6; i++) {
      bad = await see();
      if (!bad.length) return bad;
      await new Promise((done) => setTimeout(done, 100));
    }
    return bad;
  }

  async function see() {
    const drawn = await frame(4000);
    const bad = drawn ? [] : ['no frame is drawn in 4 seconds'];
    const d = app.call().drawn(),
      stage = app.canvas().getBoundingClientRect();
    if (overlaps(d).length) bad.push(`on a stage of ${stage.width}x${stage.height}`);
    return [...bad, ...overlaps(d), ...covered(d), ...differences()];
  }

  const state = () => JSON.parse(app.call().state());

  // targets on the stage, as [id, x, y].
  function targets() {
    const s = state(),
      ids = [
        ...s.members.map((m) => `member/${m.id}`),
        ...s.links.filter((l) => l.from < l.to).map((l) => `link/${l.from}-${l.to}`),
        ...s.clients.map((c) => `client/${c.id}`),
        ...(app.frame.leases?.leases ?? []).map((l) => `lease/${l.id}`),
        ...s.messages.slice(-4).map((m) => `message/${m.id}`),
        ...s.members.flatMap((m) => (m.log ?? []).slice(-2).map((e) => `entry/${m.id}-${e.index}`)),
      ];
    return ids.flatMap((id) => {
      const r = globalThis.vitrine.rectOf(id),
        x = r && r.x + r.width / 2,
        y = r && r.y + r.height / 2;
      return r && document.elementFromPoint(x, y) === app.canvas() ? [{ id, x, y }] : [];
    });
  }

  // begin makes the page as a visitor finds it, with another world.
  async function begin(seed, members, speed, theme, lang) {
    for (const d of all('dialog[open]')) d.close();
    document.exitFullscreen?.().catch(() => {});
    document.documentElement.removeAttribute('data-alone');
    document.dispatchEvent(new Event('fullscreenchange'));
    document.activeElement.blur();
    const letters = document.getElementById('letters');
    if (letters && !letters.checked) letters.click();
    if (document.documentElement.lang !== lang) document.getElementById('lang').click();
    if (document.documentElement.dataset.theme !== theme) document.getElementById('theme').click();
    for (const d of all('details[open]')) d.open = false;
    document.getElementById('ask').reset();
    document.getElementById('ask').dispatchEvent(new Event('change'));
    document.getElementById('tab-raft').click();
    if (app.frame.replay || app.frame.source?.acts === false) globalThis.vitrine.dispatch({ cmd: 'close' });
    history.replaceState(null, '', location.pathname);
    for (const command of [
      { cmd: 'reset', seed, members, election: 0, preVote: true, checkQuorum: true },
      { cmd: 'speed', value: speed },
      { cmd: 'skip', on: true },
      { cmd: 'play' },
    ])
      globalThis.vitrine.dispatch(command);
    refresh();
    globalThis.vitrine.step(3e9);
    refresh();
    return frame(8000);
  }

  // about is what helps to see why nothing has come of an act.
  const about = () =>
    JSON.stringify({
      playing: app.frame.playing,
      chosen: app.frame.chosen,
      popover: !document.getElementById('menu').hidden,
      focus: document.activeElement.outerHTML.slice(0, 160),
    });

  globalThis.visitor = { about, aim, begin, changed, controls, focusOn, frame, look, mark, state, targets };
  return true;
})();
