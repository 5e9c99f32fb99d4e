// Frames of the stage, only while there is something to draw.
//
// ebiten asks for the next animation frame in every frame, also when it has
// nothing to do: sixty times a second the browser would wake up for nothing. So it
// gets a requestAnimationFrame that waits while the stage rests. This module must
// run before the WebAssembly does.
//
// Besides, ebiten looks ten times a second whether the tab is hidden, for the sake of
// a sound that this page has not, and has no switch for that. Each look wakes all of Go's
// runtime, which together is most of what a page at rest costs. Nothing else of the
// program waits for time: the world has a clock of its own, and what is asked of it comes
// as a call. So the timers of the program wait, too, while the stage rests. Whatever is called
// meanwhile finds them overdue, as after any long task of a browser.

export const nextFrame = globalThis.requestAnimationFrame.bind(globalThis);
const later = globalThis.setTimeout.bind(globalThis);

let resting = false,
  waiting = [],
  overdue = [];
globalThis.requestAnimationFrame = (fn) => {
  if (!resting) return nextFrame(fn);
  waiting.push(fn);
  return 0;
};

/** @param {boolean} on */
export function rest(on) {
  resting = on;
  if (on) return;
  for (const fn of waiting) nextFrame(fn);
  // Not at once: it may be the program that says so, and it must not be called from within itself.
  for (const fn of overdue) later(fn, 0);
  waiting = [];
  overdue = [];
}

// patient has the timers of a Go program wait while the stage rests. Its runtime sets them by an import of the
// WebAssembly, within which setTimeout is another one.
/** @param {WebAssembly.ModuleImports} imports */
export function patient(imports) {
  const name = 'runtime.scheduleTimeoutEvent',
    schedule = /** @type {(sp: number) => void} */ (imports[name]),
    own = globalThis.setTimeout;
  const withheld = (fn, ms) => later(() => (resting ? overdue.push(fn) : fn()), ms);
  imports[name] = (/** @type {number} */ sp) => {
    globalThis.setTimeout = /** @type {typeof setTimeout} */ (/** @type {unknown} */ (withheld));
    try {
      schedule(sp);
    } finally {
      globalThis.setTimeout = own;
    }
  };
}
