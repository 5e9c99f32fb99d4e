// The atlas: every glyph, word and shape that the stage draws, rasterised once
// by the browser in white on nothing, at the resolution of the screen. So text
// on the canvas is as sharp as text in the document, in any language, and no
// font travels inside the WebAssembly file.

const sans = 'Inter, system-ui, "PingFang SC", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif';
const mono = '"JetBrains Mono", ui-monospace, "DejaVu Sans Mono", "PingFang SC", "WenQuanYi Micro Hei", monospace';
// Width of the sheet in device pixels; where pixels are small it is twice as wide, so as not to become too high.
const narrow = 1024;

// Shapes by name: size of their box in CSS pixels, and how to draw them around
// its middle. The names are those of wasm/scene.
const shapes = {
  white: [6, 6, (c) => c.fillRect(-3, -3, 6, 6)],
  app: [30, 20, (c) => c.fill(chevron())],
  appLine: [30, 20, (c) => stroke(c, chevron(), 1.9)],
  bead: [6, 6, (c) => c.fill(circle(2.1))],
  dot: [12, 12, (c) => c.fill(circle(4))],
  ring: [12, 12, (c) => stroke(c, circle(3.6), 1.7)],
  ballot: [22, 22, (c) => c.fill(box(16, 16, 3))],
  ballotLine: [22, 22, (c) => stroke(c, box(15.2, 15.2, 3), 1.8)],
  preBallot: [
    22,
    22,
    (c) => {
      c.setLineDash([3.4, 2.6]);
      stroke(c, box(15.2, 15.2, 3), 1.8);
    },
  ],
  check: [16, 16, (c) => stroke(c, new Path2D('M-4.5 .5l3 3.4 6-7.4'), 2.2)],
  cross: [16, 16, (c) => stroke(c, new Path2D('M-4 -4l8 8m0 -8l-8 8'), 2.2)],
  lozenge: [22, 20, (c) => c.fill(new Path2D('M-9 0L0 -7.5 9 0 0 7.5z'))],
  lozengeLine: [22, 20, (c) => stroke(c, new Path2D('M-8.4 0L0 -7 8.4 0 0 7z'), 1.8)],
  envelope: [24, 20, (c) => c.fill(box(20, 14, 2.5))],
  envelopeInk: [24, 20, (c) => stroke(c, new Path2D('M-8 -4.5L0 1.6 8 -4.5'), 1.7)],
  crate: [26, 24, (c) => c.fill(box(20, 18, 3))],
  crateInk: [26, 24, (c) => stroke(c, new Path2D('M-10 -2.5H10M-3 -9V-2.5M3 -9V-2.5'), 1.6)],
  bolt: [18, 24, (c) => c.fill(new Path2D('M2.5 -10L-6 2H-.8L-2.5 10 6 -2.4H.8z'))],
  baton: [28, 12, (c) => c.fill(box(22, 6, 3))],
  crown: [
    34,
    20,
    (c) => {
      c.fill(new Path2D('M-12.5 7.5L-14 -4.5-6.6 .6 0 -8 6.6 .6 14 -4.5 12.5 7.5z'));
    },
  ],
  glow: [96, 96, glow],
  scissors: [
    26,
    26,
    (c) => {
      stroke(c, circle(2.8, -6, 6), 1.7);
      stroke(c, circle(2.8, 6, 6), 1.7);
      stroke(c, new Path2D('M-4 4L6 -9M4 4L-6 -9'), 1.8);
    },
  ],
  diagonal: [
    112,
    112,
    (c) =>
      lines(c, 7, (d) => {
        c.moveTo(d - 56, -56);
        c.lineTo(d + 56, 56);
      }),
  ],
  dots: [
    112,
    112,
    (c) => {
      for (let y = -52; y <= 52; y += 6.5) for (let x = -52; x <= 52; x += 6.5) c.fill(circle(1.15, x, y));
    },
  ],
  grid: [
    112,
    112,
    (c) => {
      lines(c, 9, (d) => {
        c.moveTo(d - 56, -56);
        c.lineTo(d + 56, 56);
      });
      lines(c, 9, (d) => {
        c.moveTo(d - 56, 56);
        c.lineTo(d + 56, -56);
      });
    },
  ],
  bars: [
    112,
    112,
    (c) =>
      lines(c, 5.5, (d) => {
        c.moveTo(d, -56);
        c.lineTo(d, 56);
      }),
  ],
  rings: [
    112,
    112,
    (c) => {
      for (let r = 4; r < 56; r += 6) stroke(c, circle(r), 1.2);
    },
  ],
};

// lines strokes parallels at that distance; each is drawn around its offset.
/**
 * @param {CanvasRenderingContext2D} c
 * @param {number} distance
 * @param {(d: number) => void} line
 */
function lines(c, distance, line) {
  c.save();
  c.beginPath();
  c.rect(-56, -56, 112, 112);
  c.clip();
  c.beginPath();
  for (let d = -112; d <= 112; d += distance) line(d);
  c.lineWidth = 1.3;
  c.stroke();
  c.restore();
}

function chevron() {
  return new Path2D('M-11 -7.5H6L13 0 6 7.5H-11L-6 0z');
}
/**
 * @param {number} r
 * @param {number} [x]
 * @param {number} [y]
 */
function circle(r, x = 0, y = 0) {
  const p = new Path2D();
  p.arc(x, y, r, 0, 2 * Math.PI);
  return p;
}
/**
 * @param {number} w
 * @param {number} h
 * @param {number} r
 */
function box(w, h, r) {
  const p = new Path2D();
  p.roundRect(-w / 2, -h / 2, w, h, r);
  return p;
}
/**
 * @param {CanvasRenderingContext2D} c
 * @param {Path2D} path
 * @param {number} w
 */
function stroke(c, path, w) {
  c.lineWidth = w;
  c.stroke(path);
}
/** @param {CanvasRenderingContext2D} c */
function glow(c) {
  const g = c.createRadialGradient(0, 0, 0, 0, 0, 46);
  for (let i = 0; i <= 8; i++) {
    const f = i / 8;
    g.addColorStop(f, `rgba(255,255,255,${(1 - f) ** 2 * (1 + 2 * f)})`);
  }
  c.fillStyle = g;
  c.fillRect(-48, -48, 96, 96);
}

// shelf hands out places on the sheet, row by row.
class Shelf {
  /** @param {number} width */
  constructor(width) {
    this.width = width;
    this.x = 1;
    this.y = 1;
    this.row = 0;
  }
  place(w, h) {
    if (this.x + w + 1 > this.width) {
      this.x = 1;
      this.y += this.row + 1;
      this.row = 0;
    }
    const at = [this.x, this.y];
    this.x += w + 1;
    this.row = Math.max(this.row, h);
    return at;
  }
}

// rasterise draws what spec asks for: {fonts: [{mono, weight, size}], sprites:
// [name], words: [{text, font}], more: characters beyond ASCII}. The answer's
// array holds, for each glyph, word and sprite, and for each other character in
// each font: x, y, w, h, offsetX, offsetY, advance in device pixels.
/**
 * @param {Spec} spec
 * @param {number} scale
 */
export function rasterise(spec, scale) {
  const jobs = [];
  const shelf = new Shelf(scale > 2 ? 2 * narrow : narrow);
  const measure = document.createElement('canvas').getContext('2d');
  const font = (f) => `${f.weight} ${f.size * scale}px ${f.mono ? mono : sans}`;
  const text = (string, f) => {
    measure.font = font(f);
    const m = measure.measureText(string);
    const left = Math.ceil(m.actualBoundingBoxLeft) + 1,
      up = Math.ceil(m.actualBoundingBoxAscent) + 1;
    const w = Math.ceil(m.actualBoundingBoxRight) + left + 1,
      h = Math.ceil(m.actualBoundingBoxDescent) + up + 1;
    if (string === ' ') return [0, 0, 0, 0, 0, 0, m.width];
    const [x, y] = shelf.place(w, h);
    jobs.push((c) => {
      c.font = font(f);
      c.fillText(string, x + left, y + up);
    });
    return [x, y, w, h, -left, -up, m.width];
  };
  const sprite = (name) => {
    const [bw, bh, draw] = shapes[name];
    const w = Math.ceil(bw * scale),
      h = Math.ceil(bh * scale);
    const [x, y] = shelf.place(w, h);
    jobs.push((c) => {
      c.translate(x + w / 2, y + h / 2);
      c.scale(scale, scale);
      draw(c);
    });
    return [x, y, w, h, 0, 0, 0];
  };
  const glyphs = spec.fonts.map((f) => Array.from({ length: 95 }, (_, i) => text(String.fromCharCode(32 + i), f)));
  const words = spec.words.map((w) => text(w.text, spec.fonts[w.font]));
  const sprites = spec.sprites.map(sprite);
  const more = [...spec.more].map((r) => spec.fonts.map((f) => text(r, f)));

  const canvas = document.createElement('canvas');
  canvas.width = shelf.width;
  canvas.height = shelf.y + shelf.row + 2;
  const c = canvas.getContext('2d', { willReadFrequently: true });
  c.fillStyle = c.strokeStyle = '#fff';
  c.lineCap = c.lineJoin = 'round';
  for (const job of jobs) {
    c.save();
    job(c);
    c.restore();
  }
  const pixels = c.getImageData(0, 0, canvas.width, canvas.height).data;
  // Premultiplied white: every colour is the alpha.
  for (let i = 0; i < pixels.length; i += 4) pixels.fill(pixels[i + 3], i, i + 3);
  return {
    width: canvas.width,
    height: canvas.height,
    pixels,
    metrics: new Float32Array([...glyphs.flat(), ...words, ...sprites, ...more.flat()].flat()),
  };
}

// fontsReady waits for the two font files, but not for long.
export function fontsReady() {
  const load = Promise.all(
    ['450 12px Inter', '600 12px Inter', '450 12px "JetBrains Mono"'].map((f) => document.fonts.load(f)),
  );
  return Promise.race([load, new Promise((done) => setTimeout(done, 1200))]).catch(() => {});
}
