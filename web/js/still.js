// Time stands still while somebody reads: what a dialog explains must not have passed
// when it closes.

import { act, app } from './app.js';

/** @type {Map<HTMLDialogElement, number>} */
const stood = new Map(); // the dialogs for which time stands still, and in which world

// openStill opens a dialog and stops time; it goes on when the dialog closes.
/** @param {HTMLDialogElement} dialog */
export function openStill(dialog) {
  dialog.showModal();
  stand(dialog);
  dialog.addEventListener('close', () => goOn(dialog), { once: true });
}

/** @param {HTMLDialogElement} dialog */
function stand(dialog) {
  if (!app.frame?.playing) return;
  act({ cmd: 'pause' });
  stood.set(dialog, app.frame.epoch);
}

// goOn lets time go on, unless somebody has done so, or the world is another by now.
/** @param {HTMLDialogElement} dialog */
function goOn(dialog) {
  const epoch = stood.get(dialog);
  stood.delete(dialog);
  if (app.frame && epoch === app.frame.epoch && !app.frame.playing) act({ cmd: 'play' });
}

// passed lets time go on where a dialog is closed already: browsers tell of that a frame
// later, and a key may come before.
export function passed() {
  for (const dialog of stood.keys()) if (!dialog.open) goOn(dialog);
}

// leave runs what puts a guest in the place of the visitor's world, which is put aside as
// it was before the dialog opened. If it fails, the dialog stays.
/**
 * @param {HTMLDialogElement} dialog
 * @param {() => void} run
 */
export function leave(dialog, run) {
  goOn(dialog);
  try {
    run();
  } catch (err) {
    if (dialog.open) stand(dialog);
    throw err;
  }
}
