// Everything that computes: reads pictures, measures paintings, paints. One thread is enough.
import * as ort from "./ort.js";
import { XzReadableStream } from "./xz.js";
import { lanczos, scaled } from "./resize.js";
import { gaussian, withColors } from "./color.js";
import { grown, passes } from "./growth.js";
import { png } from "./png.js";

/** Long side at which paintings are measured, least side of a picture, and pixels painted around what is opaque. */
const MEASURED = 512, LEAST = 16, MARGIN = 16;
/** Chroma, in levels, below which a picture is gray; weights of its luma. */
const GRAY = 8, LUMA = [0.299, 0.587, 0.114];
const parts = new Map(), vectors = new Map();

/** What is made once and kept; what failed is tried again. */
function once(key, make) {
  if (!parts.has(key)) parts.set(key, make().catch((error) => { parts.delete(key); throw error; }));
  return parts.get(key);
}

async function file(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} is not there (${answer.status}): the page's folder is not whole`);
  return answer;
}

async function unpacked(name) {
  return new Uint8Array(await new Response(new XzReadableStream((await file(name)).body)).arrayBuffer());
}

/** Numbers of `width` bytes, of which all first bytes come first, then all second ones, …. */
function joined(planes, width) {
  const count = planes.length / width, found = new Uint8Array(planes.length);
  for (let byte = 0; byte < width; byte++) for (let i = 0; i < count; i++) found[i * width + byte] = planes[byte * count + i];
  return found;
}

const site = () => once("site", async () => (await file("site.json")).json());
const runtime = () => once("runtime", async () => {
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-threads.js", import.meta.url).href };
  ort.env.wasm.wasmBinary = await unpacked("ort.wasm.xz");
  ort.env.logLevel = "error";
});

/** The graph of a model that paints, or measures. */
const session = (model, kind = "") => once(`session ${model}${kind}`, async () => {
  await runtime();
  const [graph, halves] = await Promise.all([
    unpacked(`${model}${kind}.onnx.xz`),
    once(`weights ${model}`, async () => joined(await unpacked(`${model}.weights.xz`), 2)),
  ]);
  return ort.InferenceSession.create(graph, { executionProviders: ["wasm"], externalData: [{ path: `${model}.weights`, data: halves }] });
});

const styles = (model) => once(`styles ${model}`, async () => {
  const about = (await site()).models.find(({ name }) => name === model).styles;
  const values = new Float32Array(joined(await unpacked(`${model}.styles.xz`), 4).buffer), size = values.length / about.length;
  return Object.fromEntries(about.map(({ name }, i) => [name, values.slice(i * size, (i + 1) * size)]));
});

/** A picture's pixels, turned as it is to be seen, in sRGB; what is transparent lies over its own mean color. */
async function opened(blob, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} cannot be read by this browser: give a PNG or a JPEG`);
  }
  const size = [bitmap.width, bitmap.height];
  if (Math.min(...size) < LEAST) throw new Error(`${name} is ${size.join("x")} pixels; it needs at least ${LEAST} each way`);
  const context = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, ...size);
  let clear = false, total = 0;
  const sum = [0, 0, 0];
  for (let i = 3; i < data.length; i += 4) {
    clear ||= data[i] < 255;
    total += data[i];
    for (let c = 0; c < 3; c++) sum[c] += data[i] * data[i - 3 + c];
  }
  if (!total) throw new Error(`${name} is transparent everywhere: there is nothing to paint`);
  const mean = sum.map((value) => value / total);
  if (!clear) return { size, data, factor: 1 / 255, clear };
  const over = Float32Array.from(data);
  for (let i = 0; i < over.length; i += 4) for (let c = 0; c < 3; c++) over[i + c] = (over[i + c] * over[i + 3] + mean[c] * (255 - over[i + 3])) / 255;
  return { size, data: over, factor: 1 / 255, clear };
}

/** A picture's color planes at a size, `3 H W` numbers in [0, 1]. */
function resized(picture, size) {
  const found = new Float32Array(3 * size[0] * size[1]);
  for (let c = 0; c < 3; c++) found.set(lanczos(picture.data, c, 4, picture.factor, picture.size, size), c * size[0] * size[1]);
  return found;
}

function isGray({ data }) {
  for (let i = 0; i < data.length; i += 4) {
    const luma = LUMA[0] * data[i] + LUMA[1] * data[i + 1] + LUMA[2] * data[i + 2];
    if (Math.max(Math.abs(data[i] - luma), Math.abs(data[i + 1] - luma), Math.abs(data[i + 2] - luma)) >= GRAY) return false;
  }
  return true;
}

const tensor = (values, [width, height]) => new ort.Tensor("float32", values, [1, 3, height, width]);

/** A painting's style vector. */
async function measured(model, picture, name) {
  const size = scaled(picture.size, MEASURED);
  if (Math.min(...size) < LEAST) throw new Error(`${name} is too elongated: at ${MEASURED} pixels it is ${size.join("x")}, and needs ${LEAST} each way`);
  const { style } = await (await session(model, ".measure")).run({ paintings: tensor(resized(picture, size), size) });
  return style.data;
}

async function run(model, values, size, vector) {
  const { pictures } = await (await session(model)).run({ images: tensor(values, size), style: new ort.Tensor("float32", vector, [1, vector.length]) });
  return pictures.data;
}

function mixed(list, shares) {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (!(total > 0)) throw new Error("the shares sum to nothing; give at least one above 0");
  const found = new Float32Array(list[0].length);
  list.forEach((vector, n) => { for (let i = 0; i < found.length; i++) found[i] += vector[i] * (shares[n] / total); });
  return found;
}

function lerp(from, to, share) {
  return to.map((value, i) => from[i] + share * (value - from[i]));
}

/** Rows and columns around what is more than half opaque. */
function box(alpha, [width, height]) {
  const least = Math.min(0.5, 0.99 * alpha.reduce((a, b) => Math.max(a, b), 0));
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (alpha[y * width + x] <= least) continue;
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }
  return [Math.max(0, left - MARGIN), Math.max(0, top - MARGIN), Math.min(width, right + MARGIN), Math.min(height, bottom + MARGIN)];
}

/** Part of planes, or the whole with a part replaced. */
function cut(planes, [width, height], [left, top, right, bottom], part = null) {
  const wide = right - left, high = bottom - top, found = part ? planes.slice() : new Float32Array(3 * wide * high);
  for (let c = 0; c < 3; c++) for (let y = 0; y < high; y++) {
    const whole = (c * height + top + y) * width + left, own = (c * high + y) * wide;
    if (part) found.set(part.subarray(own, own + wide), whole);
    else found.set(planes.subarray(whole, whole + wide), own);
  }
  return found;
}

/** Planes as 8-bit pixels of 3 channels, or 4 with an opacity. */
function interleaved(planes, count, alpha = null, channels = alpha ? 4 : 3) {
  const found = new Uint8ClampedArray(channels * count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) found[channels * i + c] = planes[c * count + i] * 255;
    if (channels === 4) found[4 * i + 3] = alpha ? alpha[i] * 255 : 255;
  }
  return found;
}

async function paint({ photo, styles: chosen, model, strength, size: side, manifest }, say) {
  say("reading the photograph");
  const content = await opened(photo.blob, photo.name), size = scaled(content.size, side);
  if (Math.min(...size) < LEAST) throw new Error(`${photo.name} is too elongated: it would be ${size.join("x")} pixels; choose a larger size`);
  const list = [];
  let gray = chosen.every(({ blob }) => blob) && isGray(content);
  for (const style of chosen) {
    if (!style.blob) { list.push((await styles(model))[style.name]); continue; }
    const key = `${model} ${style.id}`;
    if (!vectors.has(key)) {
      say(`measuring ${style.name}`);
      const painting = await opened(style.blob, style.name);
      vectors.set(key, { gray: isGray(painting), vector: await measured(model, painting, style.name) });
    }
    gray &&= vectors.get(key).gray;
    list.push(vectors.get(key).vector);
  }
  let vector = mixed(list, chosen.map(({ share }) => share));
  const { any, colors } = (await site()).models.find(({ name }) => name === model), own = strength < 1 && any;
  if (own) {
    say("measuring the photograph");
    vector = lerp(await measured(model, content, photo.name), vector, strength);
  }
  say(`painting ${size.join(" × ")} pixels`);
  const picture = resized(content, size), alpha = content.clear ? lanczos(content.data, 3, 4, content.factor, content.size, size) : null;
  content.data = null;
  const place = alpha ? box(alpha, size) : [0, 0, ...size], area = [place[2] - place[0], place[3] - place[1]];
  const began = performance.now();
  const part = alpha ? cut(picture, size, place) : picture;
  let result = await grown((values, at) => run(model, values, at, vector), part, passes(area, Math.max(...size)));
  const seconds = (performance.now() - began) / 1000;
  if (alpha) result = cut(picture, size, place, result);
  if (colors !== null && strength === 1 && !gray) withColors(result, gaussian(vector.slice(colors, colors + 9)), alpha);
  if (own ? strength < 0.25 : strength < 1) result = lerp(picture, result, own ? 4 * strength : strength);
  const count = size[0] * size[1];
  if (gray) for (let i = 0; i < count; i++) {
    const luma = LUMA[0] * result[i] + LUMA[1] * result[count + i] + LUMA[2] * result[2 * count + i];
    result[i] = result[count + i] = result[2 * count + i] = luma;
  }
  const pixels = interleaved(result, count, alpha), about = { ...manifest, threads: ort.env.wasm.numThreads };
  return { png: await png(pixels, ...size, alpha ? 4 : 3, JSON.stringify(about)), size, seconds };
}

/** A camera's frame, painted. */
async function frame({ bitmap, model, style }) {
  const size = [bitmap.width, bitmap.height], context = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, ...size), count = size[0] * size[1], values = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) for (let c = 0; c < 3; c++) values[c * count + i] = data[4 * i + c] / 255;
  const painted = await run(model, values, size, (await styles(model))[style]);
  return { pixels: interleaved(painted, count, null, 4), size };
}

const tasks = { paint, frame, ready: async ({ model }) => { await session(model); return { threads: ort.env.wasm.numThreads }; } };
let last = Promise.resolve();
self.addEventListener("message", ({ data }) => {
  last = last.then(async () => {
    try {
      const found = await tasks[data.task](data, (say) => self.postMessage({ id: data.id, say }));
      self.postMessage({ id: data.id, found });
    } catch (error) {
      const message = /memory|allocat|out of bounds|aborted/i.test(String(error)) ? "this tab has not the memory for that: choose a smaller size" : error.message ?? String(error);
      self.postMessage({ id: data.id, error: message });
    }
  });
});
