// The page: what is chosen, what is shown. All that computes is in worker.js.

const $ = (id) => document.getElementById(id);
const LARGE = 1.5e6; // pixels after which the worker's memory is given back
let site, photo = null, paintings = [], shares = {}, count = 0, worker = null, waiting = new Map(), shown = [];

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const fail = (error) => { $("error").textContent = error ? error.message : ""; if (error) $("error").scrollIntoView({ block: "nearest" }); };

// The worker

function start() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data: { id, say, found, error } }) => {
    const asked = waiting.get(id);
    if (!asked) return;
    if (say) return asked.say(say);
    waiting.delete(id);
    if (error) asked.reject(new Error(error)); else asked.resolve(found);
  });
  worker.addEventListener("error", (event) => end(new Error(event.message || "the page's folder is not whole: worker.js does not load")));
}

/** End the worker, and with it what it does and holds. */
function end(error = Object.assign(new Error("stopped"), { stopped: true })) {
  worker.terminate();
  for (const asked of waiting.values()) asked.reject(error);
  waiting = new Map();
  start();
}

function ask(task, about = {}, say = () => {}, transfer = []) {
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject, say });
    worker.postMessage({ id: count, task, ...about }, transfer);
  });
}

// What is chosen

function chip(picture, remove, share = null) {
  const name = make("span", { textContent: picture.name });
  return make("li", {}, make("img", { src: picture.url, alt: "" }), share ? make("div", {}, name, share) : name,
    make("button", { type: "button", textContent: "×", title: `Remove ${picture.name}`, "aria-label": `Remove ${picture.name}`, onclick: remove }));
}

function slider(of, value, took) {
  const range = make("input", { type: "range", min: 0, max: 1, step: 0.05, value, "aria-label": `Share of ${of}` });
  range.addEventListener("input", () => took(Number(range.value)));
  return range;
}

function redraw() {
  $("photo").replaceChildren(...(photo ? [chip(photo, () => { photo = null; redraw(); })] : []));
  $("photo-drop").hidden = photo !== null;
  $("paintings").replaceChildren(...paintings.map((painting) => chip(painting,
    () => { paintings = paintings.filter((other) => other !== painting); redraw(); },
    paintings.length > 1 ? slider(painting.name, painting.share, (share) => { painting.share = share; }) : null)));
  for (const button of $("styles").children) button.setAttribute("aria-pressed", String(button.dataset.key in shares));
  const keys = Object.keys(shares);
  $("shares").replaceChildren(...(keys.length < 2 ? [] : keys).map((key) => make("li", {},
    make("span", { textContent: key.split(" ").slice(1).join(" ") }), slider(key.split(" ").slice(1).join(" "), shares[key], (share) => { shares[key] = share; }))));
}

const taken = (file) => ({ id: ++count, blob: file, name: file.name, url: URL.createObjectURL(file), share: 1 });

function drop(id, take) {
  const zone = $(id), input = zone.querySelector("input");
  const took = (files) => {
    fail(null);
    take([...files]);
    input.value = "";
    redraw();
    if (zone.hidden) zone.previousElementSibling.querySelector("button").focus(); // what had it is gone
  };
  input.addEventListener("change", () => took(input.files));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) took(event.dataTransfer.files);
  });
}

/** One network paints a picture, so that a choice of another one's styles, or of paintings, takes the place of these. */
function choose(key) {
  const model = key.split(" ")[0];
  if (key in shares) delete shares[key];
  else shares = { ...Object.fromEntries(Object.entries(shares).filter(([other]) => other.split(" ")[0] === model)), [key]: 1 };
  paintings = [];
  redraw();
}

const measuring = () => site.models.find(({ any }) => any);

function chosen() {
  if (!photo) throw new Error("a photograph is missing: drop one, or choose one");
  const keys = Object.keys(shares);
  if (paintings.length) return { model: measuring(), styles: paintings };
  if (!keys.length) throw new Error(`a ${measuring() ? "painting or a style" : "style"} is missing: choose one`);
  const model = site.models.find(({ name }) => name === keys[0].split(" ")[0]);
  return { model, styles: keys.map((key) => ({ name: key.split(" ").slice(1).join(" "), share: shares[key] })) };
}

// Painting

/** What a manifest says of a file. Pages that are not served by https know no hashes. */
async function named({ name, blob }) {
  if (!crypto.subtle) return { file: name };
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return { file: name, sha256: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
}

/** As the command writes it: `impasto again` paints it once more, and the studio takes its settings. */
async function manifest({ model, styles }, size, strength) {
  const job = { job: "stylize", content: await named(photo), quality: "instant", model: model.model, size, precision: "fp32" };
  if (styles[0].blob) job.style = await Promise.all(styles.map(named)); else job.style_name = styles.map(({ name }) => name);
  if (styles.length > 1) job.blend = styles.map(({ share }) => share);
  if (strength < 1) job.strength = strength;
  return { impasto: site.impasto, runtime: site.runtime, machine: "wasm", job };
}

function busy(is) {
  $("running").hidden = !is;
  $("paint").disabled = is;
}

async function paint() {
  fail(null);
  try {
    const choice = chosen(), size = Number($("size").value), strength = Number($("strength").value), before = photo;
    busy(true);
    const styles = choice.styles.map(({ id, blob, name, share }) => ({ id, blob, name, share }));
    const found = await ask("paint", { photo: { blob: photo.blob, name: photo.name }, styles, model: choice.model.name, strength, size,
      manifest: await manifest(choice, size, strength) }, (say) => { $("status").textContent = `${say}…`; });
    show(found, before, choice.styles);
    if (found.size[0] * found.size[1] > LARGE) end();
  } catch (error) {
    $("status").textContent = error.stopped ? "Stopped: nothing was painted." : "";
    if (!error.stopped) fail(error);
  } finally {
    busy(false);
  }
}

const stem = (name) => name.replace(/\.[^.]*$/, "");

function show({ png, size, seconds }, before, styles) {
  for (const url of shown) URL.revokeObjectURL(url);
  shown = [URL.createObjectURL(png), URL.createObjectURL(before.blob)];
  const [width, height] = size, names = styles.map(({ name }) => stem(name)).join("-");
  Object.assign($("after"), { src: shown[0], hidden: false, alt: `${before.name} in the style of ${names}` });
  Object.assign($("before"), { src: shown[1], hidden: false, alt: `${before.name}, the photograph` });
  $("stage").classList.add("filled");
  $("stage").style.aspectRatio = `${width} / ${height}`;
  $("stage").style.maxWidth = `min(100%, ${78 * width / height}vh)`;
  $("empty").hidden = true;
  $("compare").hidden = $("after-bar").hidden = false;
  Object.assign($("save"), { href: shown[0], download: `${stem(before.name)}-${names}.png` });
  $("status").textContent = `Painted in ${seconds.toFixed(1)} s: ${width} × ${height} pixels, ${(png.size / 1e6).toFixed(1)} MB.`;
  compare();
}

const compare = () => { $("before").style.clipPath = `inset(0 ${100 - $("slider").value}% 0 0)`; };

// The camera

let camera = null;

async function film() {
  const video = make("video", { muted: true, playsInline: true }), size = () => Number($("camera-size").value);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  camera = { stream, video };
  video.srcObject = stream;
  await video.play();
  $("frames").hidden = $("camera-take").hidden = false;
  $("camera-start").textContent = "Stop the camera";
  let last = performance.now();
  for (const own = camera; camera === own;) {
    const ratio = size() / Math.max(video.videoWidth, video.videoHeight), [model, ...style] = $("camera-style").value.split(" ");
    const bitmap = await createImageBitmap(video, { resizeWidth: Math.round(video.videoWidth * ratio), resizeHeight: Math.round(video.videoHeight * ratio), resizeQuality: "medium" });
    const { pixels, size: [width, height] } = await ask("frame", { bitmap, model, style: style.join(" ") }, () => {}, [bitmap]);
    if (camera !== own) break;
    if ($("frames").width !== width || $("frames").height !== height) Object.assign($("frames"), { width, height });
    $("frames").getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    const now = performance.now();
    $("rate").textContent = `${(1000 / (now - last)).toFixed(1)} pictures a second`;
    last = now;
  }
}

function cut() {
  for (const track of camera?.stream.getTracks() ?? []) track.stop();
  camera = null;
  $("camera-start").textContent = "Start the camera";
  $("camera-take").hidden = true;
  $("rate").textContent = "";
}

async function toggle() {
  if (camera) return cut();
  fail(null);
  try {
    await film();
  } catch (error) {
    cut();
    const known = { NotAllowedError: "the camera was not allowed", NotFoundError: "there is no camera" };
    if (!error.stopped) fail(new Error(known[error.name] ?? error.message));
  }
}

async function take() {
  const { video } = camera, canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  photo = taken(new File([await new Promise((resolve) => canvas.toBlob(resolve))], "camera.png", { type: "image/png" }));
  redraw();
}

// The first visit

/** Keep the page for later visits, and begin when all of it is there: nothing is fetched twice. */
async function keep() {
  if (!("serviceWorker" in navigator)) return "This address is not https: the page works, and is not kept for use without a network.";
  const registration = await navigator.serviceWorker.register("sw.js");
  const coming = registration.installing ?? registration.waiting;
  if (coming && !registration.active) await new Promise((resolve, reject) => {
    coming.addEventListener("statechange", () => {
      if (coming.state === "activated") resolve();
      if (coming.state === "redundant") reject(new Error("the page could not be kept"));
    });
  });
  if (!navigator.serviceWorker.controller) await new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, 3000); // a reload without caches has none
  });
  return "Ready, without a network, too.";
}

function fill() {
  const named = site.models.flatMap(({ name: model, styles }) => styles.map((style) => ({ ...style, model })));
  const twice = (name) => named.filter((style) => style.name === name).length > 1;
  const label = ({ name, model }) => twice(name) ? `${name} (${model})` : name;
  $("styles").replaceChildren(...named.map((style) => {
    const button = make("button", { type: "button", "aria-pressed": "false" },
      ...(style.thumbnail ? [make("img", { src: `data:image/jpeg;base64,${style.thumbnail}`, alt: "" })] : []), label(style));
    button.dataset.key = `${style.model} ${style.name}`;
    button.addEventListener("click", () => choose(button.dataset.key));
    return button;
  }));
  $("styles-field").hidden = !named.length;
  $("paintings-field").hidden = !measuring();
  const quick = [...named.filter(({ model }) => model === "live"), ...named.filter(({ model }) => model !== "live")];
  $("camera-style").replaceChildren(...quick.map((style) => make("option", { value: `${style.model} ${style.name}`, textContent: label(style) })));
  $("camera").hidden = !(quick.length && navigator.mediaDevices?.getUserMedia);
}

async function open() {
  drop("photo-drop", ([first]) => { photo = taken(first); });
  drop("paintings-drop", (files) => { paintings.push(...files.map(taken)); shares = {}; });
  $("form").addEventListener("submit", (event) => { event.preventDefault(); if (!$("paint").disabled) paint(); });
  $("strength").addEventListener("input", () => { $("strength-value").textContent = $("strength").value; });
  $("slider").addEventListener("input", compare);
  $("stop").addEventListener("click", () => end());
  $("camera-start").addEventListener("click", toggle);
  $("camera-take").addEventListener("click", take);
  $("paint").disabled = true;
  $("network").textContent = "Getting ready: 7 MB, once…";
  const said = await keep().catch((error) => `The page works, and is not kept for use without a network: ${error.message}.`);
  site = await (await fetch("site.json")).json();
  fill();
  start();
  $("network").textContent = said;
  $("paint").disabled = false;
}

open().catch(fail);
