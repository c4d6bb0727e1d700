"use strict";
// Curves as inline SVG: axes, lines, and the point under the pointer.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 400;
const EDGES = { left: 74, right: 14, top: 12, bottom: 46 };

export function element(name, attributes = {}, ...inside) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const greatest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
// As in the report: logarithmic where data span more than a decade, above zero.
export const canBeLog = (values) => values.length > 0 && least(values) > 0;
export const isWide = (values) => canBeLog(values) && greatest(values) > 10 * least(values);

export function number(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [digits, power] = value.toExponential(3).split("e");
    const raised = (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)];
    return `${Number(digits)}·10${[...String(Number(power))].map(raised).join("")}`;
  }
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

export const whole = (value) => value.toLocaleString("en");

// 1, 2 or 5 times a power of ten apart, about `count` of them.
function linearTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step || 0);
}

// 1, 2 and 5 of every decade, or of many decades some.
function logTicks(low, high) {
  const decades = high - low, every = Math.max(1, Math.ceil(decades / 6));
  const parts = decades < 2.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let d = Math.floor(low); d <= high; d++) {
    if (parts.length === 1 && d % every) continue;
    for (const k of parts) {
      const at = d + Math.log10(k);
      if (at >= low - 1e-9 && at <= high + 1e-9) ticks.push(at);
    }
  }
  return ticks.length > 1 ? ticks : linearTicks(low, high, 4);
}

function range(values) {
  const low = least(values), high = greatest(values);
  const margin = 0.05 * (high - low) || Math.abs(high) / 2 || 1;
  return [low - margin, high + margin];
}

// Draws lines { steps, values, colour, dash, train, picked, scales, ended, told } of a metric;
// returns false where no point is to be seen. Those with `scales` decide what can be seen.
export function draw(place, lines, { log, metric, say }) {
  const scaled = (value) => (log ? Math.log10(value) : value);
  const seen = (value) => value !== null && value !== undefined && (!log || value > 0);
  const scaling = lines.some((line) => line.scales && line.values.some(seen))
    ? lines.filter((line) => line.scales) : lines;
  const all = scaling.flatMap((line) => line.values.filter(seen)).map(scaled);
  if (!all.length) {
    place.replaceChildren();
    return false;
  }
  const width = Math.max(320, place.clientWidth);
  const [low, high] = range(all), last = greatest(lines.flatMap((line) => line.steps));
  const { left, top } = EDGES, right = width - EDGES.right, bottom = HEIGHT - EDGES.bottom;
  const x = (step) => left + ((right - left) * step) / Math.max(last, 1);
  const y = (value) => bottom - ((bottom - top) * (scaled(value) - low)) / (high - low);
  const runs = new Set(lines.map((line) => line.told)).size;
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, role: "img",
    "aria-label": `${metric} of ${runs} runs over training steps`,
  });

  for (const tick of log ? logTicks(low, high) : linearTicks(low, high, 6)) {
    const value = log ? 10 ** tick : tick, at = y(value);
    svg.append(element("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }));
    svg.append(element("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, number(value)));
  }
  const count = Math.max(2, Math.floor((right - left) / 90));
  for (const step of linearTicks(0, Math.max(last, 1), count).filter(Number.isInteger)) {
    const at = x(step), anchor = at > right - 24 ? "end" : "middle";
    svg.append(element("line", { class: "edge", x1: at, x2: at, y1: bottom, y2: bottom + 5 }));
    svg.append(element("text", { x: at, y: bottom + 19, "text-anchor": anchor }, whole(step)));
  }
  svg.append(element("line", { class: "edge", x1: left, x2: right, y1: bottom, y2: bottom }));
  svg.append(element("line", { class: "edge", x1: left, x2: left, y1: top, y2: bottom }));
  svg.append(element("text", {
    class: "title", x: (left + right) / 2, y: HEIGHT - 6, "text-anchor": "middle",
  }, "training steps"));
  svg.append(element("text", {
    class: "title", "text-anchor": "middle",
    transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`,
  }, metric));

  svg.append(element("clipPath", { id: "inside" }, element("rect", {
    x: left, y: top - 4, width: right - left + 4, height: bottom - top + 4,
  })));
  const inside = element("g", { "clip-path": "url(#inside)" }), points = [];
  // The run that is picked lies on top.
  for (const line of lines.toSorted((a, b) => (a.picked ?? 0) - (b.picked ?? 0))) {
    const kind = `curve${line.train ? " train" : ""}${line.picked ? " picked" : ""}`;
    const part = [];
    let pen = "M", run = 0, end = null;
    line.steps.forEach((step, i) => {
      const value = line.values[i];
      if (!seen(value)) {
        pen = "M";
        return;
      }
      run = pen === "M" ? 1 : run + 1;
      const [px, py] = [x(step), y(value)];
      part.push(`${pen}${px.toFixed(1)} ${py.toFixed(1)}`);
      pen = "L";
      end = [px, py];
      points.push({ px, py, step, value, line });
    });
    if (!part.length) continue;
    const shape = { class: kind, stroke: line.colour, d: part.join("") };
    if (line.dash && !line.train) shape["stroke-dasharray"] = line.dash;
    inside.append(element("path", shape));
    // A single point is none that a line shows.
    if (run === 1 && !line.train) {
      inside.append(element("circle", { cx: end[0], cy: end[1], r: 3.5, fill: line.colour }));
    }
    if (line.ended && !line.train) {
      const [px, py] = [end[0], Math.min(Math.max(end[1], top + 5), bottom - 5)];
      inside.append(element("path", {
        class: "curve", stroke: line.colour,
        d: `M${px - 5} ${py - 5}L${px + 5} ${py + 5}M${px - 5} ${py + 5}L${px + 5} ${py - 5}`,
      }));
    }
  }
  const near = element("circle", { class: "near", r: 4.5, visibility: "hidden" });
  inside.append(near);
  svg.append(inside);
  svg.onpointermove = (event) => {
    const box = svg.getBoundingClientRect(), scale = width / box.width;
    const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const far = (point) => Math.hypot(point.px - px, point.py - py);
    const found = points.reduce((a, b) => (far(b) < far(a) ? b : a));
    near.setAttribute("cx", found.px);
    near.setAttribute("cy", found.py);
    near.setAttribute("stroke", found.line.colour);
    near.setAttribute("visibility", "visible");
    const split = found.line.train ? "training" : "validation";
    const value = `${split} ${metric} ${number(found.value)}`;
    say(`${found.line.told}: ${value} at step ${whole(found.step)}`);
  };
  svg.onpointerleave = () => {
    near.setAttribute("visibility", "hidden");
    say("");
  };
  place.replaceChildren(svg);
  return true;
}
