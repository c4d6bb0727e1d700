"use strict";
// What the plots of the page share: the data, colours, axes, and how plotly.js is called.
const study = JSON.parse(document.getElementById("study").textContent);
const { axes, looks, times, tasks, varied } = study;

const colours = () => {
  const page = getComputedStyle(document.documentElement);
  const of = (name) => page.getPropertyValue(`--${name}`).trim();
  return { paper: of("paper"), ink: of("ink"), muted: of("muted"), rule: of("rule") };
};
const colourOf = (label) => looks[label].colour ?? colours().ink;
// plotly.js takes texts for markup.
const plain = (text) =>
  text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c])
    .replaceAll("\n", "<br>");
const hover = (y, x) =>
  `%{text}<br>${plain(y)}: %{y:.5~g}<br>${plain(x)}: %{x:,.5~g}<extra></extra>`;
const cross = (color) => ({ color, symbol: "x-thin", size: 9, line: { color, width: 2 } });
const numbers = (lists) => lists.flat(Infinity).filter((value) => value !== null);
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const greatest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

// As in the figures: logarithmic where data span more than a decade, above zero.
const canBeLog = (values) => values.length > 0 && least(values) > 0;
const isWide = (values) => canBeLog(values) && greatest(values) > 10 * least(values);

// In the order in which all figures list their models.
const order = Object.keys(looks);
const inOrder = (models) =>
  models.toSorted((a, b) => order.indexOf(a.label) - order.indexOf(b.label));

// Named are 1, 2 and 5 of every decade, or of more than two and a half some decades.
function axis(title, log, values) {
  const { muted, rule } = colours();
  const decades = log ? Math.log10(greatest(values) / least(values)) : 0;
  return {
    ...(log ? { dtick: decades < 2.5 ? "D2" : Math.ceil(decades / 8) } : {}),
    title: { text: plain(title), standoff: 12 }, type: log ? "log" : "linear",
    gridcolor: rule, linecolor: muted, tickcolor: muted, zeroline: false,
    showline: true, ticks: "outside", exponentformat: "power", minexponent: 4,
  };
}

function draw(place, traces, xaxis, yaxis, shapes = [], more = {}) {
  const { paper, ink, muted } = colours(), family = getComputedStyle(document.body).fontFamily;
  // Room for the legend: one row if it fits, or else columns as wide as the longest name.
  const names = traces.filter((trace) => trace.showlegend !== false).map((trace) => trace.name);
  const widths = names.map((name) => 52 + 7 * name.length), width = place.clientWidth - 80;
  const columns = Math.max(1, Math.floor(width / greatest(widths)));
  const rows = widths.reduce((a, b) => a + b, 0) < width ? 1 : Math.ceil(names.length / columns);
  const layout = {
    height: 406 + 21 * rows,
    margin: { l: 70, r: 10, t: 26, b: 60 + 21 * rows, autoexpand: false },
    paper_bgcolor: paper, plot_bgcolor: paper, font: { color: ink, size: 12, family },
    legend: {
      orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, tracegroupgap: 0,
    },
    hovermode: "closest",
    hoverlabel: {
      bgcolor: paper, bordercolor: muted, font: { color: ink, family }, align: "left",
    },
    shapes, xaxis, yaxis, ...more,
  };
  const config = {
    responsive: true, displaylogo: false, plotlyServerURL: "", // nothing is offered that uploads
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  return Plotly.react(place, traces, layout, config);
}

// The range of an axis of scores, and lines for those that need no model, where they are so near
// that they do not press the data together. `within` should be seen, but does not scale the axis.
function view(task, values, log, within = []) {
  if (!values.length) return { shapes: [] };
  const scaled = (value) => (log ? Math.log10(value) : value);
  const low = scaled(least(values)), high = scaled(greatest(values));
  const near = Object.entries(task.baselines)
    .filter(([, y]) => scaled(y) >= 2 * low - high && scaled(y) <= 2 * high - low);
  const floor = log ? least(values) / 3 : -Infinity;
  const kept = within.map((end) => Math.max(end, floor));
  const seen = [...values, ...kept, ...near.map(([, y]) => y)].map(scaled);
  const margin = 0.07 * (greatest(seen) - least(seen)) || (log ? 0.3 : Math.abs(high) / 2 || 1);
  const line = { color: colours().muted, width: 1, dash: "dash" };
  return {
    range: [least(seen) - margin, greatest(seen) + margin],
    shapes: near.map(([name, y]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line, layer: "below",
      label: { text: plain(name), textposition: "end", font: { color: line.color, size: 11 } },
    })),
  };
}

function fill(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === before)) select.value = before;
}
