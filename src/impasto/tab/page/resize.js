// Resizing as the command does it, antialiased, rows first: by Pillow's Lanczos filter in floating point (three lobes), and
// by torch's bicubic one.

const sinc = (x) => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
const LANCZOS = { reach: 3, kernel: (x) => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0 };
/** Keys' kernel with a = -0.5. */
const BICUBIC = { reach: 2, kernel(value) {
  const x = Math.abs(value);
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
} };

/** For each of `to` places: where its pixels begin, and their weights. */
function weights(from, to, { reach: lobes, kernel }) {
  const ratio = from / to, scale = Math.max(1, ratio), reach = lobes * scale;
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * ratio;
    const first = Math.max(0, Math.trunc(center - reach + 0.5)), end = Math.min(from, Math.trunc(center + reach + 0.5));
    const values = Float64Array.from({ length: end - first }, (_, i) => kernel((first + i - center + 0.5) / scale));
    const total = values.reduce((sum, value) => sum + value, 0);
    return { first, values: values.map((value) => value / total) };
  });
}

/** One channel of a picture at another size: every `step`th of `pixels` from `offset` on, times `factor`. */
function resampled(filter, pixels, offset, step, factor, [width, height], [toWidth, toHeight]) {
  let wide = new Float32Array(toWidth * height);
  if (toWidth === width) for (let i = 0; i < wide.length; i++) wide[i] = Math.fround(pixels[offset + i * step] * factor);
  else {
    const columns = weights(width, toWidth, filter), row = new Float32Array(width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) row[x] = pixels[offset + (y * width + x) * step] * factor;
      for (let x = 0; x < toWidth; x++) {
        const { first, values } = columns[x];
        let sum = 0;
        for (let i = 0; i < values.length; i++) sum += row[first + i] * values[i];
        wide[y * toWidth + x] = sum;
      }
    }
  }
  if (toHeight !== height) {
    const source = wide, line = new Float64Array(toWidth);
    wide = new Float32Array(toWidth * toHeight);
    weights(height, toHeight, filter).forEach(({ first, values }, y) => {
      line.fill(0);
      for (let i = 0; i < values.length; i++) {
        const start = (first + i) * toWidth, value = values[i];
        for (let x = 0; x < toWidth; x++) line[x] += source[start + x] * value;
      }
      wide.set(line, y * toWidth);
    });
  }
  return wide;
}

/** The same in [0, 1]. */
export function lanczos(...given) {
  const found = resampled(LANCZOS, ...given);
  for (let i = 0; i < found.length; i++) found[i] = Math.min(1, Math.max(0, found[i]));
  return found;
}

/** A plane, or a difference of two, at another size. */
export const bicubic = (plane, from, to) => resampled(BICUBIC, plane, 0, 1, 1, from, to);

/** Halves to the even number, as Python rounds. */
export const even = (x) => Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);

/** A size with its long side brought to so many pixels. */
export function scaled([width, height], side) {
  const ratio = side / Math.max(width, height);
  return [Math.max(1, even(width * ratio)), Math.max(1, even(height * ratio))];
}
