// Replay files: the gallery of planted bugs, files from the address, from a
// picker or dropped on the page, the strip that says what is being shown, and
// the visitor's own run as a file.

import { act, app, toast, vitrine, recorded, refresh } from './app.js';
import { cover } from './cover.js';
import { byId, input } from './dom.js';
import { able, bytes, clock, element, hide, icon, name, text } from './format.js';
import { has, language, onLanguage, t } from './i18n.js';
import { leave, openStill } from './still.js';

const $ = (/** @type {string} */ id) => byId(id);
const dialog = byId('gallery-dialog', HTMLDialogElement);
const sizeLimit = 100 << 10; // bytes, as the core has it
const moment = 3; // seconds before the end that "to the moment" leads to
const recordingMagic = 'vitrine-recording '; // as package trace writes it
let index = null; // assets/replays/index.json, once somebody asked
let drawn = '',
  shownBefore = false;

export function start() {
  $('gallery').addEventListener('click', gallery);
  $('replay-file').addEventListener('change', (e) => {
    const files = [...input(e).files];
    input(e).value = '';
    openFiles(files);
  });
  $('save-run').addEventListener('click', () => save(false));
  $('save-test').addEventListener('click', () => save(true));
  $('show-again').addEventListener('click', () => {
    if (app.frame.replay) replay({ correct: app.frame.replay.correct });
    else act({ cmd: 'seek', value: 0 });
  });
  $('seek').addEventListener('change', (e) => {
    const { value, max } = input(e);
    act(app.frame.replay ? { cmd: 'seek', share: Number(value) / Number(max) } : { cmd: 'seek', value: Number(value) });
  });
  $('show-skip').addEventListener('click', () => {
    act({ cmd: 'seek', share: Math.max(0, 1 - moment / app.frame.replay.seconds) });
    act({ cmd: 'play' });
  });
  new ResizeObserver(covered).observe($('showing'));
  document.addEventListener('arranged', covered);
  for (const correct of [false, true])
    $(correct ? 'show-correct' : 'show-bug').addEventListener('click', () => {
      const named = new URLSearchParams(location.search).get('replay');
      if (replay({ correct }) && named) address(named, correct);
    });
  $('show-close').addEventListener('click', () => act({ cmd: 'close' }));
  startDrop();
  vitrine.subscribe(strip);
  onLanguage(() => {
    drawn = '';
    if (app.frame) strip(app.frame);
    if (index) cards();
  });
  vitrine.ready.then(fromAddress, () => {});
}

// covered keeps what the strip lies on free of members and clients.
function covered() {
  const box = $('showing');
  cover('strip', box.hidden ? 0 : box.offsetTop + box.offsetHeight + 6);
}

// gallery opens the list of planted bugs.
export async function gallery() {
  if (dialog.open) {
    dialog.close();
    return;
  }
  openStill(dialog);
  if (await load()) cards();
}

async function load() {
  if (index) return true;
  try {
    index = JSON.parse(await fetched('assets/replays/index.json'));
    return true;
  } catch (err) {
    toast(err.message);
    return false;
  }
}

function cards() {
  const button = (x, correct, key, strong) =>
    element(
      'button',
      { type: 'button', class: `btn${strong ? ' strong' : ''}`, onclick: () => openName(x.mutant, correct) },
      icon(correct ? 'i-again' : 'i-play'),
      t(key),
    );
  $('gallery-list').replaceChildren(
    ...index.map((x) => {
      const words = x[language()] ?? x.en;
      return element(
        'li',
        { 'data-mutant': x.mutant },
        element('h3', {}, words.title),
        element('p', {}, words.text),
        element(
          'div',
          { class: 'row' },
          button(x, false, 'replay.watch', true),
          button(x, true, 'replay.watchCorrect'),
        ),
      );
    }),
  );
}

// openName opens a replay of the gallery and names it in the address.
/**
 * @param {string} name
 * @param {boolean} correct
 */
async function openName(name, correct) {
  try {
    const content = await fetched(`assets/replays/${name}.replay`);
    if (replay({ text: content, name, correct })) address(name, correct);
    else address(null);
  } catch (err) {
    address(null);
    toast(err.message);
  }
}

// openFiles opens one replay, or the recordings of one or several members.
/** @param {File[]} files */
async function openFiles(files) {
  if (!files.length) return;
  const begins = await Promise.all(files.map((f) => f.slice(0, recordingMagic.length).text()));
  if (!begins.includes(recordingMagic)) {
    openFile(files[0]);
    return;
  }
  try {
    const read = await Promise.all(files.map(async (f) => new Uint8Array(await f.arrayBuffer())));
    leave(dialog, () => vitrine.record(read));
    refresh();
    address(null);
    dialog.close();
  } catch (err) {
    toast(t('recording.broken', { text: err.message.replace(/^recording: /, '') }));
  }
}

/** @param {File} file */
async function openFile(file) {
  try {
    if (file.size > sizeLimit)
      throw new Error(t('replay.tooLarge', { name: file.name, n: Math.ceil(file.size / 1024) }));
    if (replay({ text: await file.text(), name: file.name.replace(/\.replay$/, ''), correct: false })) address(null);
  } catch (err) {
    toast(err.message);
  }
}

// replay opens a file, or what is shown again, and closes the gallery.
/** @param {object} order */
function replay(order) {
  try {
    leave(dialog, () => void vitrine.dispatch({ cmd: 'replay', ...order }));
  } catch (err) {
    toast(explained(err.message));
    return false;
  }
  dialog.close();
  return true;
}

// explained says the errors that a visitor can do something about in words.
/** @param {string} message */
function explained(message) {
  if (/not the same build/.test(message)) return `${t('replay.otherBuild')} (${message})`;
  if (/built without/.test(message)) return t('replay.noMutants');
  return t('replay.broken', { text: message.replace(/^(sim|replay): /, '') });
}

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(url).catch(() => null);
  if (!response) throw new Error(t('replay.unreachable', { name: url }));
  if (!response.ok) throw new Error(t('replay.missing', { name: url, status: response.status }));
  const body = await response.text();
  if (body.length > sizeLimit) throw new Error(t('replay.tooLarge', { name: url, n: Math.ceil(body.length / 1024) }));
  return body;
}

// fromAddress opens ?replay=NAME of the gallery, or ?replay=URL.
async function fromAddress() {
  const wanted = new URLSearchParams(location.search);
  const name = wanted.get('replay');
  if (!name || globalThis.vitrineHost.memory) return;
  const correct = wanted.has('correct');
  if (/^[a-z0-9-]+$/.test(name)) {
    await openName(name, correct);
    return;
  }
  try {
    const text = await fetched(name);
    if (!replay({ text, name: name.replace(/^.*\//, '').replace(/\.replay$/, ''), correct })) address(null);
  } catch (err) {
    address(null);
    toast(err.message);
  }
}

// address names what is shown; what cannot be shown is not named.
/**
 * @param {string | null} name
 * @param {boolean} [correct]
 */
function address(name, correct = false) {
  const url = new URL(location.href);
  url.searchParams.delete('correct');
  if (name) url.searchParams.set('replay', name);
  else url.searchParams.delete('replay');
  if (name && correct) url.searchParams.set('correct', '');
  history.replaceState(null, '', url.href.replace(/([?&]correct)=(?=&|$)/, '$1'));
}

// strip says which replay is on the stage, and what became of it.
/** @param {Frame} f */
function strip(f) {
  const r = f.replay,
    box = $('showing');
  for (const id of ['save-run', 'save-test']) able($(id), recorded(f));
  if (r) progress(r);
  if (f.source.kind === 'recording') {
    recording(f, box);
    return;
  }
  if (!r) {
    if (shownBefore) address(null);
    shownBefore = false;
    hide(box, true, $('gallery'));
    $('story').hidden = true;
    delete document.documentElement.dataset.replay;
    return;
  }
  shownBefore = true;
  const key = `${f.epoch}|${r.over}|${language()}|${index !== null}`;
  if (key === drawn) return;
  drawn = key;
  if (!index)
    load().then(() => {
      drawn = '';
    }); // for the title
  const words = index?.find((x) => x.mutant === r.name)?.[language()];
  const rule =
    r.violated && has(`rule.I${r.violated}`) ? `I${r.violated} ${t(`rule.I${r.violated}`)}` : `I${r.violated}`;
  box.hidden = false;
  document.documentElement.dataset.replay = '';
  $('story').hidden = !words;
  text($('story'), words?.text ?? '');
  text($('show-name'), words ? `${t('gallery.if')} ${words.title}` : brief(r.name) || t('replay.file'));
  let said = t('replay.same');
  if (r.correct) said = t(r.over ? 'replay.survived' : 'replay.correct', { rule });
  else if (r.violated) said = t(r.over ? 'replay.broke' : 'replay.willBreak', { rule });
  text($('show-state'), said);
  // Where the card stands in the place of the headline it says what went wrong, too.
  const wrong = `rule.I${r.violated}.wrong`;
  text($('show-wrong'), r.over && !r.correct && has(wrong) ? t(wrong) : '');
  box.classList.toggle('bad', r.over && !r.correct);
  box.classList.toggle('good', r.over && r.correct);
  const both = r.mutant !== undefined || r.correct;
  for (const [button, pressed] of /** @type {[HTMLElement, boolean][]} */ ([
    [$('show-bug'), !r.correct],
    [$('show-correct'), r.correct],
  ])) {
    hide(button, !both, $('show-again'));
    button.setAttribute('aria-pressed', String(pressed));
  }
}

// brief is the beginning of a name that somebody gave a file.
/** @param {string} name */
const brief = (name) => ([...name].length > 60 ? `${[...name].slice(0, 60).join('')}…` : name);

// progress says how long a replay is to be watched, and how far it has come.
/** @param {Show} r */
function progress(r) {
  const seek = byId('seek', HTMLInputElement),
    words = t('replay.seconds', { at: Math[r.over ? 'ceil' : 'floor'](r.at), n: Math.ceil(r.seconds) });
  seek.max = '1000';
  if (document.activeElement !== seek) seek.value = String(r.seconds ? Math.round((1000 * r.at) / r.seconds) : 0);
  seek.setAttribute('aria-label', t('replay.seek'));
  if (seek.getAttribute('aria-valuetext') !== words) seek.setAttribute('aria-valuetext', words);
  text($('show-time'), words);
  hide($('show-skip'), r.violated === 0 || r.over || r.seconds - r.at < moment, $('show-again'));
}

// recording says of what the stage shows a recording, and where in it the page is.
/**
 * @param {Frame} f
 * @param {HTMLElement} box
 */
function recording(f, box) {
  shownBefore = true;
  drawn = '';
  box.hidden = false;
  document.documentElement.dataset.replay = '';
  $('story').hidden = true;
  for (const id of ['show-bug', 'show-correct', 'show-skip']) hide($(id), true, $('show-again'));
  text($('show-time'), '');
  const names = [...new Set(f.source.files.map((x) => name(x.member)))];
  text($('show-name'), t('recording.title', { names: names.join(' ') }));
  text($('show-state'), t('recording.state', { at: clock(f.now), end: clock(f.source.end) }));
  box.classList.remove('bad', 'good');
  const seek = byId('seek', HTMLInputElement);
  seek.max = String(f.source.end);
  seek.setAttribute('aria-label', t('recording.seek'));
  seek.removeAttribute('aria-valuetext');
  if (document.activeElement !== seek) seek.value = String(f.now);
}

// save hands the visitor the run so far as a file, or as a Go test.
/** @param {boolean} test */
function save(test) {
  const why = recorded(app.frame);
  if (why) {
    toast(why, true);
    return;
  }
  const answer = app.call().save(test);
  if (answer.error) {
    toast(answer.error);
    return;
  }
  const file = new Blob([answer.text], { type: 'text/plain' }),
    url = URL.createObjectURL(file);
  const a = element('a', {
    href: url,
    download: test ? `seed${app.frame.seed}_test.go` : `vitrine-${app.frame.seed}.replay`,
  });
  document.body.append(a);
  a.click();
  a.remove();
  toast(t('replay.saved', { name: a.download, bytes: bytes(file.size) }), true);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// A file may be dropped anywhere.
function startDrop() {
  const root = document.documentElement;
  let depth = 0;
  const files = (e) => e.dataTransfer?.types.includes('Files');
  addEventListener('dragenter', (e) => {
    if (files(e)) {
      e.preventDefault();
      depth++;
      root.dataset.drop = 'true';
    }
  });
  addEventListener('dragover', (e) => {
    if (files(e)) e.preventDefault();
  });
  addEventListener('dragleave', (e) => {
    if (files(e) && --depth <= 0) {
      depth = 0;
      delete root.dataset.drop;
    }
  });
  addEventListener('drop', (e) => {
    if (!files(e)) return;
    e.preventDefault();
    depth = 0;
    delete root.dataset.drop;
    openFiles([...e.dataTransfer.files]);
  });
}
