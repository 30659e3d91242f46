// Regions painted on the photograph: each pixel belongs to one region at most, as a number in a map.
import { make } from "./page.js";

const $ = (id) => document.getElementById(id);
const COLORS = [[91, 107, 140], [228, 87, 46], [23, 190, 187], [255, 201, 20], [118, 176, 65], [155, 93, 229]];
const MOST_UNDONE = 30;

/** Opens the dialog. Resolves to `{map, regions: [{goes, blob}]}`, or null if it was canceled. */
export async function paintRegions(photo, names, before) {
  const image = $("mask-photo"), canvas = $("canvas"), dialog = $("masks");
  image.src = `/api/pictures/${photo.file}.jpg`;
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  canvas.width = width;
  canvas.height = height;
  $("canvas-box").style.maxWidth = `calc(70vh * ${width / height})`;
  const state = { width, height, map: before?.slice() ?? new Uint8Array(width * height), undone: [], region: 1, erases: false, last: null,
    context: canvas.getContext("2d"), x: width / 2, y: height / 2, down: false };
  $("regions").replaceChildren(...names.map((name, at) => make("button", { type: "button", className: `color${at % COLORS.length}`,
    "aria-pressed": String(at === 0), textContent: name, onclick: (event) => choose(state, at + 1, event.currentTarget) })));
  erase(state, false);
  redraw(state);
  const stop = new AbortController();
  listen(state, stop.signal);
  dialog.showModal();
  canvas.focus();
  const done = await new Promise((resolve) => {
    const on = (element, kind, value) => element.addEventListener(kind, () => resolve(value), { signal: stop.signal });
    on($("masks-done"), "click", true);
    on($("masks-cancel"), "click", false);
    on(dialog, "cancel", false);
  });
  stop.abort();
  dialog.close();
  return done ? { map: state.map, regions: await cut(state, names.length) } : null;
}

function choose(state, region, button) {
  state.region = region;
  erase(state, false);
  for (const other of $("regions").children) other.setAttribute("aria-pressed", String(other === button));
}

function erase(state, erases) {
  state.erases = erases;
  $("eraser").setAttribute("aria-pressed", String(erases));
}

function remember(state) {
  state.undone.push(state.map.slice());
  if (state.undone.length > MOST_UNDONE) state.undone.shift();
}

/** A disc of the brush at a place. */
function dab(state, x, y) {
  const { width, height, map } = state, radius = Number($("brush").value) / 2 * Math.max(width, height) / 1000, value = state.erases ? 0 : state.region;
  const [top, bottom] = [Math.max(0, Math.floor(y - radius)), Math.min(height - 1, Math.ceil(y + radius))];
  for (let row = top; row <= bottom; row++) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row - y) ** 2));
    const [left, right] = [Math.max(0, Math.round(x - half)), Math.min(width, Math.round(x + half) + 1)];
    if (right > left) map.fill(value, row * width + left, row * width + right);
  }
  return radius;
}

function line(state, x, y) {
  const [fromX, fromY] = state.last ?? [x, y];
  const radius = dab(state, x, y), steps = Math.ceil(Math.hypot(x - fromX, y - fromY) / Math.max(1, radius / 3));
  for (let i = 0; i < steps; i++) dab(state, fromX + (x - fromX) * i / steps, fromY + (y - fromY) * i / steps);
  state.last = [x, y];
  redraw(state, Math.min(x, fromX) - radius - 2, Math.min(y, fromY) - radius - 2, Math.max(x, fromX) + radius + 2, Math.max(y, fromY) + radius + 2);
}

function redraw(state, left = 0, top = 0, right = state.width, bottom = state.height) {
  [left, top] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
  [right, bottom] = [Math.min(state.width, Math.ceil(right)), Math.min(state.height, Math.ceil(bottom))];
  if (right <= left || bottom <= top) return;
  const part = state.context.createImageData(right - left, bottom - top);
  for (let y = top, to = 0; y < bottom; y++) {
    for (let x = left; x < right; x++, to += 4) {
      const region = state.map[y * state.width + x];
      if (!region) continue;
      const color = COLORS[(region - 1) % COLORS.length];
      part.data.set([color[0], color[1], color[2], 160], to);
    }
  }
  state.context.putImageData(part, left, top);
}

function undo(state) {
  const before = state.undone.pop();
  if (before) state.map = before;
  redraw(state);
}

/** The brush of the keyboard, as a ring. */
function ring(state) {
  redraw(state);
  const { context } = state;
  const radius = Number($("brush").value) / 2 * Math.max(state.width, state.height) / 1000;
  for (const [style, thick] of [["#000", 4], ["#fff", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.beginPath();
    context.arc(state.x, state.y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  $("place").textContent = `${Math.round(100 * state.x / state.width)} % from the left, ${Math.round(100 * state.y / state.height)} % from the top${state.down ? ", painting" : ""}`;
}

function listen(state, signal) {
  const canvas = $("canvas"), on = (element, kind, act) => element.addEventListener(kind, act, { signal });
  const at = (event) => [event.offsetX * state.width / canvas.clientWidth, event.offsetY * state.height / canvas.clientHeight];
  on(canvas, "pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    remember(state);
    state.last = null;
    redraw(state);
    line(state, ...at(event));
  });
  on(canvas, "pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) line(state, ...at(event)); });
  on($("eraser"), "click", () => erase(state, !state.erases));
  on($("undo"), "click", () => undo(state));
  on($("clear"), "click", () => { remember(state); state.map.fill(0); redraw(state); });
  on($("fill"), "click", () => { remember(state); state.map = state.map.map((region) => region || state.region); redraw(state); });
  on($("masks"), "keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(state); }
  });
  on(canvas, "keydown", (event) => keyed(state, event));
  on(canvas, "blur", () => { state.down = false; redraw(state); });
}

function keyed(state, event) {
  const step = (event.shiftKey ? 5 : 1) * Math.max(state.width, state.height) / 100;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key === " ") {
    state.down = !state.down;
    if (state.down) remember(state);
  } else if (event.key in moves) {
    state.x = Math.min(state.width, Math.max(0, state.x + moves[event.key][0]));
    state.y = Math.min(state.height, Math.max(0, state.y + moves[event.key][1]));
  } else return;
  event.preventDefault();
  if (state.down) { state.last = null; dab(state, state.x, state.y); }
  ring(state);
}

/** Each region that has any pixel, as a black and white PNG. */
async function cut(state, count) {
  const found = [];
  for (let region = 1; region <= count; region++) {
    if (!state.map.includes(region)) continue;
    const canvas = make("canvas", { width: state.width, height: state.height }), context = canvas.getContext("2d");
    const part = context.createImageData(state.width, state.height);
    for (let i = 0; i < state.map.length; i++) part.data.set(state.map[i] === region ? [255, 255, 255, 255] : [0, 0, 0, 255], 4 * i);
    context.putImageData(part, 0, 0);
    found.push({ goes: region - 1, blob: await new Promise((resolve) => canvas.toBlob(resolve, "image/png")) });
  }
  return found;
}
