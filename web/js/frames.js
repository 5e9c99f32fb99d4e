// Frames of the stage, only while there is something to draw.
//
// ebiten asks for the next animation frame in every frame, also when it has
// nothing to do: sixty times a second the browser would wake up for nothing. So it
// gets a requestAnimationFrame that waits while the stage rests. This module must
// run before the WebAssembly does.

export const nextFrame = globalThis.requestAnimationFrame.bind(globalThis);

let resting = false,
  waiting = [];
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
  waiting = [];
}
