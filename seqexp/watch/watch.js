"use strict";
// Follows a study: asks for what is new every two seconds, and shows it.
import { canBeLog, draw, element, isWide, number, whole } from "./plot.js";

const EVERY = 2000; // ms between questions
const PATIENCE = 10000; // ms for an answer
const FIRST = 40; // runs that are drawn until some are chosen
const MOST = 200; // runs that are drawn at once
const STATUSES = ["running", "waiting", "finished", "diverged", "failed", "unreadable"];
// Okabe & Ito's, as in the report; the last is ink.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "currentColor"];
const DASHES = ["", "8 3", "2 2.5", "10 3 2 3"];

const at = (id) => document.getElementById(id);
const input = (name) => document.querySelector(`[name=${name}]`);
const body = document.querySelector("#runs tbody");

let known = { token: "", version: 0 }; // what the server told last
let lostSince = null;
const rows = new Map(); // of each run, what the server says of it
const cells = new Map(); // of each run, its row in the table
const curves = new Map(); // of each run, its curves of one metric
let metricOfCurves = "";
const kinds = new Map(); // of each kind of model, its place among the colours
const looks = new Map(); // of each run, its kind and how that is drawn
let drawn = null; // names of the runs that were chosen to be drawn; null for the first ones
let chosen = new URLSearchParams(location.hash.slice(1)).get("run");
let logChosen = false, metricChosen = false; // whether they were set by hand
let order = { key: "status", sign: 1 };
let detailShown = "";
let placed = false; // whether the curves are those of a task that was chosen

function tag(name, properties = {}, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
}

function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// As in the report: 8 comes before 16, and 0.001 before 0.01.
const pieces = new Map();
function piecesOf(text) {
  if (!pieces.has(text)) {
    const found = text.matchAll(/(\D*)(\d+(?:\.\d+)?(?:e[-+]?\d+)?)?/g);
    pieces.set(text, [...found].map(([, letters, digits]) => [letters, Number(digits ?? 0)]));
  }
  return pieces.get(text);
}

function natural(a, b) {
  const [first, second] = [piecesOf(a), piecesOf(b)];
  for (let i = 0; i < Math.min(first.length, second.length); i++) {
    const [[x, m], [y, n]] = [first[i], second[i]];
    if (x !== y) return x < y ? -1 : 1;
    if (m !== n) return m - n;
  }
  return first.length - second.length;
}

const several = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  const minutes = Math.floor(all / 60), hours = Math.floor(minutes / 60);
  if (minutes < 10) return `${minutes} min ${all % 60} s`;
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (!answer.ok && answer.status !== 404) throw new Error(`it answers ${answer.status}`);
  return answer.ok ? answer.json() : null;
}

const settings = (row) => row.name.replace(/ ?seed \d+$/, "");

// What runs are coloured by: their model, or of one model alone what tells its groups apart.
function colourRuns() {
  const all = inOrder(), models = new Set(all.map((row) => row.model));
  const groups = models.size > 1 ? models : new Set(all.map(settings));
  const by = groups.size > 1 && groups.size <= COLOURS.length && models.size === 1
    ? settings : (row) => row.model;
  looks.clear();
  for (const row of all) {
    const kind = by(row);
    if (!kinds.has(kind)) kinds.set(kind, kinds.size);
    const place = kinds.get(kind), round = Math.floor(place / COLOURS.length);
    const [colour, dash] = [COLOURS[place % COLOURS.length], DASHES[round % DASHES.length]];
    looks.set(row.run, { kind, colour, dash });
  }
}

const value = {
  name: (row) => row.name,
  status: (row) => STATUSES.indexOf(row.status),
  step: (row) => row.step,
  best: (row) => row.score?.value ?? null,
  written: (row) => -row.written,
};

function inOrder() {
  const of = value[order.key];
  return [...rows.values()].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    // What is not known comes last, whichever way.
    if (x === null || y === null) return (x === null) - (y === null) || natural(a.name, b.name);
    const compared = typeof x === "string" ? natural(x, y) : x - y;
    return order.sign * compared || natural(a.name, b.name) || natural(a.run, b.run);
  });
}

function isListed(row) {
  const text = `${row.name} ${row.status} ${row.run}`.toLowerCase();
  return input("filter").value.toLowerCase().split(/[\s,]+/).every((word) => text.includes(word));
}

const ofTask = (row) => row.task === input("task").value;

function namesDrawn() {
  const candidates = inOrder().filter(ofTask).map((row) => row.run);
  return drawn === null
    ? candidates.slice(0, FIRST)
    : candidates.filter((name) => drawn.has(name)).slice(0, MOST);
}

function fill(select, values) {
  const before = select.value, there = [...select.options].map((option) => option.value);
  if (there.join("\n") === values.join("\n")) return;
  select.replaceChildren(...values.map((each) => new Option(each || "unknown", each)));
  if (values.includes(before)) select.value = before;
}

function fillChoices() {
  const all = [...rows.values()];
  // Of an unreadable run the task is not known.
  const tasks = [...new Set(all.map((row) => row.task))].filter(Boolean).sort(natural);
  fill(input("task"), tasks.length ? tasks : [""]);
  at("task-choice").hidden = input("task").options.length < 2;
  const there = all.filter(ofTask), score = there.find((row) => row.score)?.score.name;
  const metrics = [...new Set(there.flatMap((row) => row.metrics))].sort(natural);
  // First what the task is judged by.
  fill(input("metric"), metrics.toSorted((a, b) => (b === score) - (a === score)));
  if (!metricChosen && metrics.includes(score)) input("metric").value = score;
}

function showHeader(told) {
  const all = [...rows.values()];
  say(at("study"), told.study);
  say(at("folder"), told.folder);
  const none = all.length ? "" : "No run has begun yet. This page waits for the first.";
  const waits = told.problem || none;
  at("waiting").hidden = !waits;
  say(at("waiting"), waits);
  for (const id of ["seen", "runs"]) at(id).hidden = !all.length;
  for (const id of ["bar", "progress"]) at(id).hidden = !all.length;
  const count = Object.fromEntries(STATUSES.map((status) => [status, 0]));
  for (const row of all) count[row.status] += 1;
  const ended = count.finished + count.diverged + count.failed;
  document.title = all.length ? `${ended}/${all.length} ${told.study}` : told.study;
  const done = all.reduce((sum, row) => sum + row.step, 0);
  // Those that ended early go no further.
  const goesOn = (row) => ["running", "waiting", "finished"].includes(row.status);
  const due = (row) => (goesOn(row) ? Math.max(row.steps ?? 0, row.step) : row.step);
  const total = all.reduce((sum, row) => sum + due(row), 0);
  const share = total ? Math.floor((100 * done) / total) : 0;
  at("bar").firstElementChild.style.width = `${share}%`;
  at("bar").setAttribute("aria-valuenow", share);
  const parts = STATUSES.filter((s) => count[s] || s === "finished")
    .map((s) => tag("span", { className: s }, `${count[s]} ${s}`));
  const steps = `${whole(done)} of ${several(total, "step")} (${share}\u00a0%)`;
  const latest = all.reduce((a, row) => Math.max(a, row.written), 0);
  const end = count.running ? told.now : latest;
  parts.push(tag("span", {}, steps));
  if (told.began !== null) parts.push(tag("span", {}, `${duration(end - told.began)} elapsed`));
  at("progress").replaceChildren(...parts);
}

function makeRow(name) {
  const box = tag("input", { type: "checkbox" }), link = tag("button", { type: "button" });
  box.onchange = () => {
    drawn ??= new Set(namesDrawn());
    drawn[box.checked ? "add" : "delete"](name);
    showTable();
    showCurves();
    poll();
  };
  link.onclick = () => choose(name);
  const mark = tag("span", { className: "mark" });
  const part = {
    box, link, mark, status: tag("td"), step: tag("td", { className: "number" }),
    best: tag("td", { className: "number" }), written: tag("td", { className: "number" }),
    why: tag("div"),
  };
  const which = tag("div", { className: "which" }, mark, link);
  part.row = tag("tr", {}, tag("td", {}, box), tag("td", {}, which),
    part.status, part.step, part.best, part.written, tag("td", {}, part.why));
  return part;
}

function showTable() {
  for (const [name, part] of cells) {
    if (!rows.has(name)) {
      part.row.remove();
      cells.delete(name);
    }
  }
  const shown = new Set(namesDrawn()), listed = [];
  for (const row of inOrder()) {
    if (!cells.has(row.run)) cells.set(row.run, makeRow(row.run));
    const part = cells.get(row.run);
    part.row.hidden = !isListed(row);
    if (!part.row.hidden) listed.push(row);
    part.row.className = row.run === chosen ? "picked" : "";
    part.box.checked = shown.has(row.run);
    part.box.disabled = !ofTask(row);
    part.box.ariaLabel = `draw ${row.name}`;
    part.mark.style.background = shown.has(row.run) ? looks.get(row.run).colour : "transparent";
    say(part.link, row.name);
    part.status.className = row.status;
    say(part.status, row.status);
    say(part.step, whole(row.step) + (row.steps === null ? "" : ` / ${whole(row.steps)}`));
    const best = row.score?.value ?? null;
    say(part.best, best === null ? "" : `${row.score.name} ${number(best)}`);
    say(part.why, row.why);
  }
  const places = inOrder().map((row) => cells.get(row.run).row);
  if (places.some((place, i) => body.children[i] !== place)) body.append(...places);
  const ticks = listed.filter(ofTask).map((row) => shown.has(row.run));
  input("all").checked = ticks.length > 0 && ticks.every(Boolean);
  input("all").indeterminate = ticks.some(Boolean) && !ticks.every(Boolean);
  const some = listed.length < rows.size ? `${whole(listed.length)} of ` : "";
  say(at("shown"), `${some}${several(rows.size, "run")}, ${shown.size} drawn`);
  for (const heading of document.querySelectorAll("#runs th[data-key]")) {
    if (heading.dataset.key !== order.key) heading.removeAttribute("aria-sort");
    else heading.setAttribute("aria-sort", order.sign === 1 ? "ascending" : "descending");
  }
}

function showAges(now) {
  for (const [name, part] of cells) {
    const { written } = rows.get(name);
    say(part.written, written ? `${duration(now - written)} ago` : "");
  }
}

function linesDrawn() {
  const lines = [], known = input("metric").value === metricOfCurves;
  for (const name of known ? namesDrawn() : []) {
    const row = rows.get(name), points = curves.get(name);
    if (!points) continue;
    const { colour, dash } = looks.get(name), ended = row.status === "diverged";
    const shared = {
      steps: points.steps, colour, dash, ended, told: row.name, picked: name === chosen,
      scales: !ended, // what blew up must not decide what can be seen of the others
    };
    lines.push({ ...shared, values: points.valid });
    if (input("train").checked) lines.push({ ...shared, values: points.train, train: true });
  }
  return lines;
}

function showCurves() {
  const lines = linesDrawn(), metric = input("metric").value;
  const scaling = lines.filter((line) => line.scales);
  const values = scaling.flatMap((line) => line.values).filter((each) => each !== null);
  input("log").disabled = !canBeLog(values);
  if (!logChosen) input("log").checked = isWide(values);
  const log = input("log").checked && canBeLog(values);
  const drew = draw(at("plot"), lines, { log, metric, say: (text) => say(at("said"), text) });
  if (!drew) {
    const some = namesDrawn().length > 0;
    const none = some ? "Nothing is recorded yet." : "No run is drawn: tick some in the table.";
    at("plot").replaceChildren(tag("p", { className: "quiet" }, none));
  }
  const legend = new Map(namesDrawn().map((name) => looks.get(name)).map((l) => [l.kind, l]));
  const listed = [...legend.values()].sort((a, b) => natural(a.kind, b.kind));
  at("legend").replaceChildren(...listed.map(({ kind, colour, dash }) => {
    const shape = { x1: 0, x2: 26, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.5 };
    const line = element("line", dash ? { ...shape, "stroke-dasharray": dash } : shape);
    const swatch = element("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" }, line);
    return tag("span", {}, swatch, kind || "unknown");
  }));
}

// Returns whether there is anything new.
async function fetchCurves() {
  const metric = input("metric").value, names = namesDrawn();
  if (!metric || !names.length) return false;
  if (metric !== metricOfCurves) curves.clear();
  metricOfCurves = metric;
  const asked = new URLSearchParams({ metric });
  for (const name of names) {
    const { generation = 0, steps = [] } = curves.get(name) ?? {};
    asked.append("run", `${name}:${generation}:${steps.length}`);
  }
  const answer = await ask(`/curves?${asked}`);
  if (metric !== input("metric").value) return false; // chosen meanwhile
  let grown = false;
  for (const [name, piece] of Object.entries(answer)) {
    const before = curves.get(name);
    const same = before?.generation === piece.generation && before.steps.length >= piece.first;
    if (same && !piece.steps.length) continue;
    grown = true;
    const kept = (key) => (same ? before[key].slice(0, piece.first) : []);
    curves.set(name, {
      generation: piece.generation, steps: [...kept("steps"), ...piece.steps],
      train: [...kept("train"), ...piece.train], valid: [...kept("valid"), ...piece.valid],
    });
  }
  return grown;
}

const address = (file) => {
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  return `/file/${encodeURIComponent(chosen)}/${path}?v=${file.version}`;
};

function picture(file, kind, legend) {
  const image = tag("img", { src: address(file), alt: file.name, className: kind });
  // Small pictures are seen by their pixels, all of one size, and tall ones not beyond the panel.
  if (kind) image.onload = () => {
    const { naturalWidth, naturalHeight } = image;
    const scale = Math.min(at("chosen").clientWidth / naturalWidth, 540 / naturalHeight);
    image.style.width = `${(scale > 1.1 ? Math.floor(scale) || 1 : scale) * naturalWidth}px`;
  };
  const caption = file.name.replaceAll("_", " ") + (legend ? ": " + legend : "");
  return tag("figure", {}, image, tag("figcaption", {}, caption));
}

function showDetail(detail) {
  const row = rows.get(chosen), shown = JSON.stringify([chosen, row, detail]);
  if (shown === detailShown) return;
  detailShown = shown;
  const place = at("chosen"), parts = [tag("h2", {}, row.name)];
  const steps = row.steps === null ? "" : ` of ${whole(row.steps)}`;
  const status = tag("span", { className: row.status }, row.status);
  const ended = ["failed", "unreadable"].includes(row.status);
  const why = row.why && !ended ? `, ${row.why}` : "";
  parts.push(tag("p", {}, status, `, step ${whole(row.step)}${steps}${why}`));
  if (row.score && row.score.value !== null) {
    const { name, value, step } = row.score;
    const where = step === null ? "" : ` at step ${whole(step)}`;
    parts.push(tag("p", {}, `best validation ${name} ${number(value)}${where}`));
  }
  parts.push(tag("p", { className: "note" }, row.run));
  if (row.why && ended) parts.push(tag("pre", { tabIndex: 0 }, row.why));
  const of = (step) => (step === null ? "" : `, step ${whole(step)}`);
  if (detail?.warnings.length) {
    parts.push(tag("h3", {}, `Warnings${of(detail.inspected)}`));
    parts.push(tag("ul", {}, ...detail.warnings.map((text) => tag("li", {}, text))));
  }
  if (detail && (detail.pictures.length || detail.texts.length || detail.files.length)) {
    parts.push(tag("h3", {}, `Samples${of(detail.step)}`));
    const { legends } = detail;
    parts.push(...detail.pictures.map((file) => picture(file, "pixels", legends[file.name])));
    parts.push(...detail.texts.map((text) => tag("pre", { tabIndex: 0 }, text)));
    for (const file of detail.files) {
      const download = file.path.split("/").at(-1);
      parts.push(tag("p", {}, tag("a", { href: address(file), download }, file.name)));
    }
  }
  if (detail?.figures.length) {
    parts.push(tag("h3", {}, `Inspection${of(detail.inspected)}`));
    parts.push(...detail.figures.map((file) => picture(file, "")));
  }
  const far = place.scrollTop;
  place.replaceChildren(...parts);
  place.scrollTop = far;
}

// The curves are those of the task of the run that is chosen.
function showTaskOf(name) {
  const { task } = rows.get(name);
  if (!task || task === input("task").value) return;
  input("task").value = task;
  changeTask();
}

function changeTask() {
  drawn = null;
  logChosen = false;
  fillChoices();
  showTable();
}

function choose(name) {
  chosen = name;
  showTaskOf(name);
  history.replaceState(null, "", `#${new URLSearchParams({ run: name })}`);
  at("chosen").scrollTop = 0;
  showTable();
  showCurves();
  poll();
}

function showLost(error) {
  lostSince ??= new Date();
  // A browser has no words for a server that is gone.
  const why = error instanceof TypeError ? "" : ` (${error.message})`;
  const port = location.port ? ` --port ${location.port}` : "";
  at("lost").hidden = false;
  const since = lostSince.toLocaleTimeString("en-GB"), folder = at("folder").textContent;
  say(at("lost"), `No answer from ${location.host} since ${since}${why}. What stands below is ` +
    "older. If the server was stopped, start it again with " +
    `seqexp watch ${folder || "STUDY"}${port}: this page then goes on by itself.`);
}

async function follow() {
  const { token, version: since } = known;
  const told = await ask(`/study?${new URLSearchParams({ token, since })}`);
  if (told.token !== known.token) {
    for (const each of [rows, curves]) each.clear();
  }
  known = told;
  for (const name of told.gone) {
    rows.delete(name);
    curves.delete(name);
  }
  for (const row of told.runs) rows.set(row.run, row);
  lostSince = null;
  at("lost").hidden = true;
  showHeader(told);
  if (!rows.size) {
    showTable();
    return;
  }
  // With a thousand runs it takes a while to draw what has not changed.
  const changed = told.runs.length > 0 || told.gone.length > 0;
  if (changed) {
    fillChoices();
    colourRuns();
    if (!rows.has(chosen)) chosen = inOrder()[0].run;
    if (!placed) showTaskOf(chosen);
    placed = true;
    showTable();
  }
  showAges(told.now);
  if ((await fetchCurves()) || changed) showCurves();
  const name = chosen, detail = await ask(`/run?${new URLSearchParams({ run: name })}`);
  if (name === chosen && rows.has(name)) showDetail(detail);
}

let timer, asking = false, again = false;
async function poll() {
  if (asking) {
    again = true;
    return;
  }
  clearTimeout(timer);
  asking = true;
  try {
    await follow();
  } catch (error) {
    showLost(error);
  }
  asking = false;
  timer = setTimeout(poll, again ? 0 : EVERY);
  again = false;
}

input("task").onchange = () => {
  changeTask();
  poll();
};
input("metric").onchange = () => {
  metricChosen = true;
  logChosen = false;
  poll();
};
input("train").onchange = showCurves;
input("log").onchange = () => {
  logChosen = true;
  showCurves();
};
input("filter").oninput = showTable;
input("all").onchange = () => {
  const listed = inOrder().filter((row) => isListed(row) && ofTask(row)).map((row) => row.run);
  const before = namesDrawn(), more = input("all").checked && before.length < MOST;
  drawn ??= new Set(before);
  for (const name of listed) drawn[more ? "add" : "delete"](name);
  showTable();
  showCurves();
  poll();
};
for (const heading of document.querySelectorAll("#runs th[data-key]")) {
  const button = tag("button", { type: "button" }, ...heading.childNodes);
  heading.append(button);
  button.onclick = () => {
    const { key } = heading.dataset;
    order = { key, sign: order.key === key ? -order.sign : 1 };
    showTable();
  };
}
let width = 0;
new ResizeObserver(() => {
  if (width === at("plot").clientWidth || !rows.size) return;
  width = at("plot").clientWidth;
  showCurves();
}).observe(at("plot"));
document.onvisibilitychange = () => document.hidden || poll();
poll();
