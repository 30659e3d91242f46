// Strokes that grow with the picture, as the command paints them (impasto/methods/growth.py): in passes, each about twice
// as large as the one before, of which it adds what is finer.
import { bicubic, even, lanczos } from "./resize.js";

/** Long side of the first pass; how much of a pass's own detail is taken. */
const FIRST = 512, SHARE = 0.6;

/** The size of each pass over a part of a picture, the last its own; a single one below about 725 pixels. */
export function passes(size, longSide) {
  const count = Math.max(0, Math.round(Math.log2(longSide / FIRST)));
  const ratios = Array.from({ length: count }, (_, k) => (FIRST / longSide) ** ((count - k) / count));
  return [...ratios.map((ratio) => size.map((side) => Math.max(1, even(side * ratio)))), size];
}

/** Three planes that `paint(planes, size)` has painted in `passes`. */
export async function grown(paint, picture, sizes) {
  const last = sizes.at(-1), at = (size) => planes((c) => lanczos(plane(picture, c), 0, 1, 1, last, size), size);
  if (sizes.length === 1) return paint(picture, last);
  let painted = await paint(at(sizes[0]), sizes[0]);
  for (const [i, size] of sizes.entries()) if (i) {
    const fine = await paint(over(painted, at(size), sizes[i - 1], size), size);
    painted = over(painted, fine, sizes[i - 1], size, SHARE);
  }
  return painted;
}

const plane = (whole, c) => whole.subarray(c * whole.length / 3, (c + 1) * whole.length / 3);

function planes(make, size) {
  const whole = new Float32Array(3 * size[0] * size[1]);
  for (let c = 0; c < 3; c++) plane(whole, c).set(make(c));
  return whole;
}

/** `fine`, changed in place to what `coarse` is when reduced to its size, with a share of its own detail, in [0, 1]. */
function over(coarse, fine, before, size, share = 1) {
  for (let c = 0; c < 3; c++) {
    const large = plane(fine, c), difference = bicubic(large, size, before), small = plane(coarse, c);
    for (let i = 0; i < difference.length; i++) difference[i] = small[i] - share * difference[i];
    const added = bicubic(difference, before, size);
    for (let i = 0; i < large.length; i++) large[i] = Math.min(1, Math.max(0, share * large[i] + added[i]));
  }
  return fine;
}
