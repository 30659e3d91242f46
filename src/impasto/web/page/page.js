// The studio's page: forms drawn from what the server tells of the jobs' fields, a picture that grows, a history.
import { paintRegions } from "./masks.js";

const $ = (id) => document.getElementById(id);
const ENDED = ["done", "stopped", "failed"];
const READS = "image/*,.heic,.heif,.avif,.tif,.tiff,.psd,.ora,.kra,.dng,.cr2,.cr3,.nef,.arw,.raf,.orf,.rw2";
let about, form, drafts = {}, widgets = {}, shown = null, stream = null, curve = [], seen = {};

/** An element with properties, attributes (`aria-…`, `for`, `role`) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An answer of the server as JSON; its one line as an error. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the studio does not answer: is it still running?");
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({ error: `the studio answered ${answer.status}` }));
  if (!answer.ok) throw Object.assign(new Error(found.error), { status: answer.status });
  return found;
}

export function upload(file, name = file.name) {
  if (file.size > about.upload) throw new Error(`${name} has ${Math.ceil(file.size / 1e6)} MB; the studio takes ${about.upload / 1e6}`);
  return ask("/api/pictures", { method: "POST", body: file, headers: { "x-name": encodeURIComponent(name) } });
}

function fail(error) {
  $("error").textContent = error ? error.message : "";
  if (error) $("error").scrollIntoView({ block: "nearest" });
}

async function guarded(work) {
  fail(null);
  try { return await work(); } catch (error) { fail(error); return undefined; }
}

// Widgets: each has an element, `get` (undefined: not given) and `set`.

const describe = (field) => make("small", { id: `help-${field.name}`, textContent: field.help });
const usual = (field) => field.default === "auto" ? `auto: ${field.auto}` : String(field.default ?? field.shown ?? "");

function labelled(field, input, shell = input) {
  input.id = `field-${field.name}`;
  input.setAttribute("aria-describedby", `help-${field.name}`);
  return make("div", { className: "field" }, make("label", { htmlFor: input.id, textContent: field.label }), shell, describe(field));
}

function choice(field) {
  const first = field.default === null || field.default === "" ? "—" : usual(field);
  const names = field.choices.filter((name) => name !== "auto");
  const input = make("select", {}, make("option", { value: "", textContent: first }),
    ...names.map((name) => make("option", { value: name, textContent: name })));
  return { element: labelled(field, input), get: () => input.value || undefined, set: (value) => { input.value = names.includes(value) ? value : ""; } };
}

function text(field) {
  const input = make("input", { type: "text", placeholder: usual(field), spellcheck: false, autocomplete: "off" });
  return { element: labelled(field, input), get: () => input.value.trim() || undefined,
    set: (value) => { input.value = value === undefined ? "" : Array.isArray(value) ? value.join(field.sides ? "x" : ",") : String(value); } };
}

function flag(field) {
  const input = make("input", { type: "checkbox", checked: field.default === true, id: `field-${field.name}` });
  input.setAttribute("aria-describedby", `help-${field.name}`);
  const element = make("div", { className: "field" }, make("label", {}, input, field.label), describe(field));
  return { element, get: () => input.checked === (field.default === true) ? undefined : input.checked,
    set: (value) => { input.checked = value ?? field.default === true; } };
}

function number(field) {
  const input = make("input", { type: "number", placeholder: usual(field), step: field.whole ? 1 : "any", inputMode: "decimal" });
  if (field.least !== null) input.min = field.least;
  if (field.most !== null) input.max = field.most;
  const start = typeof field.default === "number" && field.default > 0 ? field.default : null;
  let shell = input, range = null;
  if (start !== null && (field.first !== null || (field.least !== null && field.most !== null))) {
    const most = Math.min(field.most ?? Infinity, 4 * start), least = field.whole ? Math.max(field.least ?? 0, Math.ceil(most / 32)) : 0;
    range = make("input", { type: "range", min: least, max: most, step: field.whole ? Math.max(1, Math.round(most / 128)) : most / 100, value: start });
    range.setAttribute("aria-label", `${field.label}, slider`);
    range.addEventListener("input", () => { input.value = +(+range.value).toPrecision(6); changed(); });
    input.addEventListener("input", () => { range.value = input.value === "" ? start : input.value; });
    shell = make("div", { className: "pairing" }, range, input);
  }
  return { element: labelled(field, input, shell), get: () => input.value === "" ? undefined : Number(input.value),
    set: (value) => { input.value = value === undefined || value === "auto" ? "" : value; if (range) range.value = input.value || start; } };
}

/** Where pictures are dropped or chosen; `took` is called with each that the studio has taken. */
function dropzone(words, several, took) {
  const input = make("input", { type: "file", accept: READS, multiple: several });
  const label = make("span", { textContent: words });
  const zone = make("label", { className: "drop" }, label, input);
  const take = (files) => guarded(async () => {
    label.textContent = "Reading…";
    try { for (const file of [...files].slice(0, several ? 32 : 1)) took(await upload(file)); } finally { label.textContent = words; input.value = ""; }
  });
  input.addEventListener("change", () => take(input.files));
  droppable(zone, take);
  return zone;
}

function droppable(zone, take) {
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}

const bare = ({ file, name, width, height }) => ({ file, name, width, height });
const chip = (picture, middle, remove) => make("li", {}, make("img", { src: `/api/pictures/${picture.file}.jpg`, alt: "" }), middle,
  make("button", { type: "button", textContent: "×", title: `Remove ${picture.name}`, "aria-label": `Remove ${picture.name}`, onclick: remove }));

function fieldset(field, ...children) {
  return make("fieldset", { className: "field" }, make("legend", { textContent: field.label }), describe(field), ...children);
}

function pictures(field) {
  const several = field.widget === "pictures", list = make("ul", { className: "chips" });
  let held = [];
  const zone = dropzone(several ? "Drop pictures here, or choose" : "Drop a picture here, or choose", several, (picture) => {
    held = several ? [...held, { ...picture, share: 1 }] : [picture];
    redraw();
  });
  const shares = () => field.name === "style" && several && held.length > 1;
  function middle(picture) {
    const name = make("span", { textContent: picture.name });
    if (!shares()) return name;
    const range = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: picture.share, "aria-label": `Share of ${picture.name}` });
    range.addEventListener("input", () => { picture.share = Number(range.value); });
    return make("div", {}, name, range);
  }
  function redraw() {
    list.replaceChildren(...held.map((picture) => chip(picture, middle(picture), () => { held = held.filter((p) => p !== picture); redraw(); })));
    zone.hidden = !several && held.length > 0;
    changed();
  }
  return { element: fieldset(field, list, zone), held: () => held,
    get: () => held.length ? (several ? held.map(bare) : bare(held[0])) : undefined,
    blend: () => shares() && held.some((p) => p.share !== held[0].share) ? held.map((p) => p.share) : undefined,
    set: (value, blend) => {
      held = (value === undefined ? [] : several ? value : [value]).map((p, i) => ({ name: "a picture", ...p, share: blend?.[i] ?? 1 }));
      redraw();
    } };
}

function named(field) {
  const grid = make("div", { className: "styles" }), list = make("ul", { className: "chips" });
  let shares = {};
  const buttons = about.styles.map(({ name, thumbnail }) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, make("img", { src: `data:image/jpeg;base64,${thumbnail}`, alt: "" }), name);
    button.addEventListener("click", () => { if (name in shares) delete shares[name]; else shares[name] = 1; redraw(); });
    return button;
  });
  function redraw() {
    const names = Object.keys(shares);
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(about.styles[i].name in shares)));
    list.replaceChildren(...(names.length < 2 ? [] : names).map((name) => {
      const range = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: shares[name], "aria-label": `Share of ${name}` });
      range.addEventListener("input", () => { shares[name] = Number(range.value); });
      return make("li", {}, make("span", { textContent: name }), range);
    }));
    changed();
  }
  grid.append(...buttons);
  return { element: fieldset(field, grid, list), get: () => Object.keys(shares).length ? Object.keys(shares) : undefined,
    blend: () => new Set(Object.values(shares)).size > 1 ? Object.values(shares) : undefined,
    set: (value, blend) => { shares = Object.fromEntries((value ?? []).map((name, i) => [name, blend?.[i] ?? 1])); redraw(); } };
}

function masks(field) {
  const list = make("ul", { className: "chips" });
  let held = [], labels = null;
  const add = (picture, goes = 0) => { held.push({ ...picture, goes }); redraw(); };
  const zone = dropzone("Drop a mask here (white is the region), or choose", true, (picture) => add(picture, field.name === "masks" ? 0 : 1));
  const paint = make("button", { type: "button", textContent: "Paint regions…" });
  paint.addEventListener("click", () => guarded(async () => {
    const photo = widgets.content?.held()[0];
    if (!photo) throw new Error("regions are painted on the photograph: give it first");
    const done = await paintRegions(photo, regions(), labels?.of === photo.file ? labels.map : null);
    if (!done) return;
    held = held.filter((mask) => !mask.painted);
    for (const { goes, blob } of done.regions) held.push({ ...(await upload(blob, `mask-${goes}.png`)), goes, painted: true });
    labels = { of: photo.file, map: done.map };
    redraw();
  }));
  const regions = () => [...(field.name === "masks" ? ["leave as it is"] : []), ...(widgets.style?.held() ?? []).map((p) => p.name)];
  function redraw() {
    const from = field.name === "masks" ? 0 : 1;
    list.replaceChildren(...held.map((mask, at) => {
      const names = regions(), select = make("select", { "aria-label": `What goes where mask ${at + 1} is white` },
        ...names.map((name, i) => make("option", { value: i + from, textContent: name, selected: mask.goes === i + from })));
      select.addEventListener("change", () => { mask.goes = Number(select.value); });
      return chip(mask, select, () => { held = held.filter((m) => m !== mask); redraw(); });
    }));
  }
  return { element: fieldset(field, list, field.name === "masks" ? paint : null, zone), redraw,
    get: () => held.length ? held.map((mask) => [bare(mask), mask.goes]) : undefined,
    set: (value) => { held = (value ?? []).map(([picture, goes]) => ({ name: "mask", ...picture, goes })); labels = null; redraw(); } };
}

const WIDGETS = { choice, text, flag, number, picture: pictures, pictures, masks };

// The form

function draw(name, values = drafts[name] ?? {}) {
  form = about.forms.find((found) => found.name === name);
  widgets = {};
  for (const button of $("kinds").children) button.setAttribute("aria-pressed", String(button.textContent.toLowerCase() === name));
  $("about").textContent = form.about;
  const groups = {};
  const first = [];
  for (const field of form.fields) {
    if (field.name === "blend") continue;
    widgets[field.name] = (name === "stylize" && field.name === "style_name" ? named : WIDGETS[field.widget])(field);
    if (field.first !== null) first.push(field);
    else (groups[field.group] ??= []).push(widgets[field.name].element);
  }
  first.sort((a, b) => a.first - b.first);
  $("first").replaceChildren(...first.map((field) => widgets[field.name].element));
  $("groups").replaceChildren(...Object.entries(groups).map(([group, elements]) =>
    make("fieldset", { className: "group" }, make("legend", { textContent: group }), ...elements)));
  fill(values);
}

function fill(values) {
  for (const field of form.fields) if (widgets[field.name]) widgets[field.name].set(values[field.name], values.blend);
  changed();
}

/** Shows what has an effect in the quality chosen. */
function changed() {
  if (!form || Object.keys(widgets).length < form.fields.length - (form.fields.some((f) => f.name === "blend") ? 1 : 0)) return;
  const named = form.name === "stylize" && (widgets.style_name.get() || widgets.model.get());
  const mode = form.modes[widgets[form.selector]?.get() ?? (named ? "instant" : "")];
  for (const field of form.fields) {
    const widget = widgets[field.name];
    if (widget && mode && field.name !== "style_name" && field.name !== "model") widget.element.hidden = field.modes.length > 0 && !field.modes.includes(mode);
  }
  for (const group of $("groups").children) group.hidden = ![...group.children].some((c) => c.classList.contains("field") && !c.hidden);
  widgets.masks?.redraw();
  widgets.style_masks?.redraw();
  keep();
}

function values() {
  const found = {};
  for (const field of form.fields) {
    const widget = widgets[field.name];
    if (!widget || widget.element.hidden) continue;
    const value = widget.get();
    if (value !== undefined) found[field.name] = value;
  }
  const blend = found.style ? widgets.style?.blend?.() : widgets.style_name?.blend?.();
  if (blend) found.blend = blend;
  return found;
}

/** Keeps the form over a reload. */
function keep() {
  drafts[form.name] = values();
  try { sessionStorage.setItem("drafts", JSON.stringify({ name: form.name, drafts })); } catch { /* none then */ }
}

$("form").addEventListener("input", () => changed());
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    keep();
    $("paint").disabled = true;
    try {
      const ticket = await ask("/api/jobs", { method: "POST", body: JSON.stringify({ job: form.name, ...values() }) });
      go(ticket.id);
      $("work").focus({ preventScroll: true });
      $("title").scrollIntoView({ block: "nearest" });
    } finally { $("paint").disabled = false; }
  });
});
$("reset").addEventListener("click", () => { fail(null); draw(form.name, {}); });

// The picture

function go(id, push = true) {
  if (push) history.pushState({}, "", id ? `/job/${id}` : "/");
  stream?.close();
  [shown, curve, seen] = [id, [], {}];
  clear();
  if (id) watch(id);
}

function clear() {
  for (const id of ["after", "before", "compare", "running", "after-bar", "losses"]) $(id).hidden = true;
  $("empty").hidden = false;
  $("stage").classList.remove("filled");
  $("stage").style.aspectRatio = "";
  $("stage").style.maxWidth = "";
  $("title").textContent = "The picture";
  $("status").textContent = "";
  $("notes").replaceChildren();
  mark();
}

function watch(id) {
  stream = new EventSource(`/api/jobs/${id}/events`);
  stream.onmessage = (event) => {
    if (shown !== id) return;
    const ticket = JSON.parse(event.data);
    curve = [...curve.slice(0, ticket.from), ...ticket.curve];
    show(ticket);
    if (ENDED.includes(ticket.status)) stream.close();
  };
  stream.onerror = async () => {
    if (shown !== id) return;
    const closed = stream.readyState === EventSource.CLOSED;
    try {
      await ask(`/api/jobs/${id}`);
    } catch (error) {
      if (error.status === 404) { stream.close(); go(null); fail(error); return; }
      $("status").textContent = "The studio does not answer; trying again…";
    }
    if (closed) setTimeout(() => { if (shown === id) watch(id); }, 2000);
  };
}

const seconds = (s) => s < 1 ? "less than a second" : s < 90 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function sentence(ticket) {
  const { what, done, total } = ticket.progress;
  if (ticket.status === "waiting") return `Waiting: place ${ticket.place} in the queue.`;
  if (ticket.status === "failed") return `It could not be painted: ${ticket.error}`;
  if (ticket.status === "done") return `Painted in ${seconds(ticket.seconds)}, ${ticket.size?.join(" × ") ?? ""} pixels.`;
  if (ticket.status === "stopped") return ticket.has_result ? `Stopped after ${ticket.steps} steps; the picture is kept as it was.` : "Stopped before anything was painted.";
  if (ticket.stopping) return "Stopping…";
  const parts = [what || "Getting ready…", total ? `${Math.round(done)} of ${Math.round(total)}` : "", ticket.left ? `about ${seconds(ticket.left)} left` : ""];
  return parts.filter(Boolean).join(" · ");
}

function show(ticket) {
  const ended = ENDED.includes(ticket.status), fresh = seen.status !== ticket.status;
  $("title").textContent = ticket.title;
  document.title = `${ticket.status === "done" ? "" : `${ticket.status}: `}${ticket.title} – impasto studio`;
  $("status").textContent = sentence(ticket);
  $("running").hidden = ended;
  $("stop").disabled = ticket.stopping === true;
  const { done, total } = ticket.progress;
  if (total) $("progress").value = done / total; else $("progress").removeAttribute("value");
  $("notes").replaceChildren(...ticket.notes.map((note) => make("li", { textContent: note })));
  $("after-bar").hidden = !ended;
  $("go-on").hidden = !ticket.can_go_on;
  $("download").hidden = !ticket.has_result;
  $("download").href = `/api/jobs/${ticket.id}/result.png?download`;
  const source = ended && ticket.has_result ? `/api/jobs/${ticket.id}/result.png` : ticket.preview ? `/api/jobs/${ticket.id}/preview.jpg?${ticket.preview}` : "";
  if (source && source !== seen.source) place(ticket, source);
  if (!source) { $("after").hidden = $("before").hidden = $("compare").hidden = true; $("empty").hidden = false; }
  plot();
  const quarter = total ? Math.floor(4 * done / total) : 0;
  if (fresh || quarter > (seen.quarter ?? 0)) $("announce").textContent = sentence(ticket);
  if (fresh) list();
  seen = { status: ticket.status, source: source || seen.source, quarter, ticket };
}

function place(ticket, source) {
  const next = new Image();
  next.onload = () => {
    if (shown !== ticket.id) return;
    $("after").src = source;
    $("after").alt = `${ticket.title}, ${ticket.status === "painting" ? "as it is now" : "painted"}`;
    $("after").hidden = false;
    $("empty").hidden = true;
    const { naturalWidth: width, naturalHeight: height } = next;
    $("stage").classList.add("filled");
    $("stage").style.aspectRatio = `${width} / ${height}`;
    $("stage").style.maxWidth = `calc(78vh * ${width / height})`;
    const first = ticket.job.content ?? ticket.job.image;
    $("compare").hidden = $("before").hidden = !first;
    if (first && $("before").dataset.of !== first.file) {
      $("before").dataset.of = first.file;
      $("before").src = `/api/pictures/${first.file}.jpg`;
      $("before").alt = `${first.name ?? "the photograph"}, before`;
    }
    slide();
  };
  next.src = source;
}

function slide() { $("before").style.clipPath = `inset(0 ${100 - $("slider").value}% 0 0)`; }

function plot() {
  $("losses").hidden = curve.length < 2;
  if (curve.length < 2) return;
  const every = Math.ceil(curve.length / 400), points = curve.filter((_, i) => i % every === 0 || i === curve.length - 1);
  const scale = Math.min(...points) > 0 ? Math.log : (value) => value;
  const heights = points.map(scale), least = Math.min(...heights), span = Math.max(...heights) - least || 1;
  $("curve").firstElementChild.setAttribute("points", heights.map((h, i) => `${200 * i / (heights.length - 1)},${47 - 44 * (h - least) / span}`).join(" "));
  const told = `Loss: ${curve[0].toPrecision(3)} → ${curve.at(-1).toPrecision(3)} in ${curve.length} steps`;
  $("curve").setAttribute("aria-label", told);
  $("curve-text").textContent = told;
}

$("slider").addEventListener("input", slide);
$("stop").addEventListener("click", () => guarded(() => ask(`/api/jobs/${shown}/stop`, { method: "POST" })));
$("go-on").addEventListener("click", () => guarded(async () => {
  await ask(`/api/jobs/${shown}/go-on`, { method: "POST" });
  go(shown, false);
}));
$("remove").addEventListener("click", () => guarded(async () => {
  await ask(`/api/jobs/${shown}`, { method: "DELETE" });
  go(null);
  await list();
}));
$("reuse").addEventListener("click", () => {
  const { job, ...options } = seen.ticket.job;
  draw(job, options);
  $("form").scrollIntoView({ block: "start" });
  $("kinds").querySelector('[aria-pressed="true"]').focus({ preventScroll: true });
});

/** Settings from the manifest of a picture that impasto painted. */
function restore(files) {
  return guarded(async () => {
    const { form: found, lost } = await ask("/api/settings", { method: "POST", body: files[0] });
    const { job, ...options } = found;
    draw(job, options);
    if (lost.length) throw new Error(`the settings are back; give again: ${lost.join(", ").replaceAll("_", " ")}`);
  });
}
$("painted").addEventListener("change", () => { restore($("painted").files); });
droppable($("stage"), restore);
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

// The history

function mark() {
  for (const link of $("results").querySelectorAll("a")) {
    if (link.dataset.id === shown) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
}

async function list() {
  const tickets = await ask("/api/jobs").catch(() => null);
  if (!tickets) return;
  $("none").hidden = tickets.length > 0;
  $("results").replaceChildren(...tickets.map((ticket) => {
    const state = ticket.status === "done" ? "" : `, ${ticket.status}`;
    const thumb = ticket.has_result && ENDED.includes(ticket.status) ? make("img", { className: "thumb", src: `/api/jobs/${ticket.id}/thumbnail.jpg`, alt: "", loading: "lazy" })
      : make("span", { className: "thumb", textContent: capital(ticket.status), "aria-hidden": "true" });
    const link = make("a", { href: `/job/${ticket.id}` }, thumb, `${ticket.title}${state}`);
    link.dataset.id = ticket.id;
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(ticket.id);
      $("work").scrollIntoView({ block: "nearest" });
    });
    return make("li", {}, link);
  }));
  mark();
}

const job = () => location.pathname.match(/^\/job\/(\w+)$/)?.[1] ?? null;
addEventListener("popstate", () => go(job(), false));

// The beginning

async function begin() {
  if (location.search.includes("token=")) history.replaceState({}, "", location.pathname);
  about = await ask("/api/forms");
  $("kinds").append(...about.forms.map(({ name }) => make("button", { type: "button", textContent: capital(name), "aria-pressed": "false",
    onclick: () => { fail(null); draw(name); } })));
  let name = "stylize";
  try { ({ name, drafts } = JSON.parse(sessionStorage.getItem("drafts")) ?? { name, drafts }); } catch { /* none */ }
  draw(about.forms.some((found) => found.name === name) ? name : "stylize");
  go(job(), false);
  await list();
}

guarded(begin);
