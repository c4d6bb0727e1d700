"use strict";
// Draws the plots of the page from the data in it, with plotly.js, and makes its tables sortable.
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const { axes, looks, times, tasks } = study;
  const redraw = [];

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

  // Named are 1, 2 and 5 of every decade, or of many decades some.
  function axis(title, log, values) {
    const { muted, rule } = colours();
    const decades = log ? Math.log10(greatest(values) / least(values)) : 0;
    return {
      ...(log ? { dtick: decades < 4 ? "D2" : Math.ceil(decades / 8) } : {}),
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
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 },
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

  function comparison(panel) {
    const [place, said] = [panel.querySelector(".plot"), panel.querySelector(".said")];
    const input = (name) => panel.querySelector(`[name=${name}]`);
    const part = () => {
      const task = tasks[input("task").value];
      const metric = input("metric").value, cost = input("cost").value;
      const models = task.models.filter((m) => m.metric[metric][0] !== null && m.cost[cost] !== null);
      return { task, metric, cost, models };
    };
    const values = ({ models, metric, cost }) => ({
      x: numbers(models.map((m) => [m.cost[cost], m.runs.cost[cost]])),
      y: numbers(models.map((m) => [m.metric[metric][0], m.runs.metric[metric]])),
    });

    function show() {
      const { task, metric, cost, models } = part();
      const { x, y } = values({ models, metric, cost });
      const [score, spent] = [task.metrics[metric].label, axes[cost]];
      const [logX, logY] = [input("log-cost").checked, input("log-score").checked];
      const goal = input("goal").value;
      const front = (task.fronts[metric][goal]?.[cost] ?? []).map((i) => task.models[i]);
      const told = hover(score, spent.label);
      const traces = [];
      for (const m of models) {
        const { symbol } = looks[m.label], color = colourOf(m.label);
        const [mean, low, high] = m.metric[metric];
        const shared = {
          mode: "markers", name: plain(m.label), legendgroup: m.label, hovertemplate: told,
        };
        traces.push({
          ...shared, x: m.runs.cost[cost], y: m.runs.metric[metric], text: m.runs.told.map(plain),
          marker: { color, symbol, size: 5, opacity: 0.5 }, showlegend: false,
        });
        const text = [`${plain(m.label)}, mean of n=${m.n}`];
        // The resamples are of the score that the task is judged by.
        if (metric === "test" && goal === task.goal && m.chance[cost] !== null) {
          text.push(`on the front in ${Math.round(100 * m.chance[cost])} % of resamples`);
        }
        const filled = front.includes(m) ? "" : "-open";
        traces.push({
          ...shared, x: [m.cost[cost]], y: [mean], text: [text.join("<br>")],
          marker: { color, symbol: symbol + filled, size: 12, line: { color, width: 2 } },
          error_y: {
            type: "data", symmetric: false, color, thickness: 1.5, width: 4,
            array: [high === null ? 0 : high - mean], arrayminus: [low === null ? 0 : mean - low],
          },
        });
      }
      if (front.length) {
        const far = greatest(x);
        traces.unshift({
          x: [...front.map((m) => m.cost[cost]), far],
          y: [...front.map((m) => m.metric[metric][0]), front.at(-1).metric[metric][0]],
          mode: "lines", line: { shape: "hv", color: colours().muted, width: 1.5 },
          name: "Pareto front", hoverinfo: "skip",
        });
      }
      const ends = numbers(models.map((m) => m.metric[metric]));
      const judged = metric === "test" ? task : { baselines: {} };
      const { range, shapes } = view(judged, y, logY, ends);
      draw(place, traces, axis(spent.label, logX, x), { ...axis(score, logY, y), range }, shapes);
      const better = { min: "lower", max: "higher" }[goal];
      said.textContent = better
        ? `On the Pareto front of ${score} (${better} is better) against ${spent.name}: ` +
          `${front.map((m) => m.label).join(", ") || "none"}.`
        : `Whether a lower or a higher ${score} is better is not recorded: no front is drawn.`;
    }
    function scale() {
      const { x, y } = values(part());
      for (const [name, data] of [["log-cost", x], ["log-score", y]]) {
        input(name).disabled = !canBeLog(data);
        input(name).checked = isWide(data);
      }
      show();
    }
    function choose() {
      const task = tasks[input("task").value];
      fill(input("metric"), Object.entries(task.metrics).map(([key, m]) => [key, m.label]));
      fill(input("cost"), Object.keys(task.models[0].cost).map((key) => [key, axes[key].name]));
      direct();
    }
    function direct() {
      input("goal").value = tasks[input("task").value].metrics[input("metric").value].goal ?? "";
      scale();
    }
    fill(input("task"), Object.keys(tasks).filter((name) => tasks[name].models.length &&
      Object.keys(tasks[name].models[0].cost).length).map((name) => [name, name]));
    if (!input("task").value) return false;
    input("task").onchange = choose;
    input("metric").onchange = direct;
    input("cost").onchange = scale;
    for (const name of ["goal", "log-cost", "log-score"]) input(name).onchange = show;
    choose();
    redraw.push(show);
    return true;
  }

  function learning(panel) {
    const task = tasks[panel.dataset.task], place = panel.querySelector(".plot");
    const over = panel.querySelector("select");
    const known = (key) => task.curves.some((c) => c.seeds.some((s) => numbers([s[key]]).length));
    fill(over, Object.entries(times).filter(([key]) => known(key)));
    if (!over.value) return false;
    const seeds = task.curves.flatMap((c) => c.seeds), alive = seeds.filter((s) => !s.lost);
    const y = numbers((alive.length ? alive : seeds).map((s) => s.valid));

    function show() {
      const time = over.value, traces = [], log = isWide(y);
      // What blew up must not decide what can be seen of the others, unless there are none.
      const { range, shapes } = view(task, y, log);
      const [bottom, top] = log ? range.map((end) => 10 ** end) : range;
      for (const { label, mean, seeds } of task.curves) {
        const { dash } = looks[label], color = colourOf(label);
        const group = { legendgroup: label, name: plain(label) };
        const timed = (list) => list.filter((_, i) => mean[time][i] !== null);
        const [x, high, low] = [mean[time], mean.high, mean.low].map(timed);
        traces.push({
          ...group, x: [...x, ...x.toReversed()], y: [...high, ...low.toReversed()], mode: "lines",
          line: { width: 0 }, fill: "toself", fillcolor: `${color}26`, hoverinfo: "skip",
          showlegend: false,
        });
        // All seeds are one trace, with gaps between them: plots of many runs stay quick.
        const joined = (pick) => seeds.flatMap((seed) => [...pick(seed), null]);
        traces.push({
          ...group, x: joined((s) => s[time]), y: joined((s) => s.valid), mode: "lines",
          text: joined((s) => s.valid.map(() => plain(s.told))), line: { color, width: 1 },
          hovertemplate: hover(`validation ${task.score}`, times[time]), opacity: 0.4,
          showlegend: false,
        });
        const lost = seeds.filter((seed) => seed.lost && seed.valid.length);
        if (lost.length) traces.push({
          ...group, x: lost.map((s) => s[time].at(-1)), mode: "markers", marker: cross(color),
          y: lost.map((s) => Math.min(Math.max(s.valid.at(-1), bottom), top)), cliponaxis: false,
          text: lost.map((s) => `${plain(s.told)}<br>diverged`), showlegend: false,
          hovertemplate: "%{text}<extra></extra>",
        });
        traces.push({
          ...group, x, y: timed(mean.mean), mode: "lines", hoverinfo: "skip",
          line: { color, width: 2.5, dash },
        });
      }
      const yaxis = { ...axis(`validation ${task.score}`, log, y), range };
      draw(place, traces, axis(times[time], false), yaxis, shapes);
    }
    over.onchange = show;
    show();
    redraw.push(show);
    return true;
  }

  function rates(panel) {
    const task = tasks[panel.dataset.task], place = panel.querySelector(".plot");
    const y = numbers(task.rates.map((r) => r.runs.valid));
    if (!y.length) return false;

    function show() {
      const traces = [], worse = task.goal === "min" ? 1 : 0;
      for (const { name, label, mean, runs, lost } of task.rates) {
        const { dash, symbol } = looks[label], color = colourOf(label);
        const group = { legendgroup: name, name: plain(name) };
        const hovertemplate = hover(`validation ${task.score}`, "learning rate");
        traces.push({
          ...group, x: mean.learning_rate, y: mean.mean, mode: "lines+markers", hovertemplate,
          text: mean.n.map((n) => `${plain(name)}, mean of n=${n}`),
          line: { color, width: 2, dash }, marker: { color, symbol, size: 8 },
        });
        traces.push({
          ...group, x: runs.learning_rate, y: runs.valid, text: runs.told.map(plain), hovertemplate,
          mode: "markers", marker: { color, symbol, size: 5, opacity: 0.5 }, showlegend: false,
        });
        if (lost.learning_rate.length) traces.push({
          ...group, x: lost.learning_rate, y: lost.learning_rate.map(() => worse), yaxis: "y2",
          text: lost.told.map(plain), mode: "markers", marker: cross(color), cliponaxis: false,
          hovertemplate: "%{text}<br>learning rate: %{x:.4~g}<extra></extra>", showlegend: false,
        });
      }
      const all = task.rates.map(({ mean, lost }) => [mean.learning_rate, lost.learning_rate]);
      const tried = [...new Set(numbers(all))];
      const few = tried.length <= 8 ? { tickvals: tried } : {};
      draw(place, traces, { ...axis("learning rate", true, tried), ...few },
        axis(`validation ${task.score}`, isWide(y), y), [],
        { yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true } });
    }
    show();
    redraw.push(show);
    return true;
  }

  function sortable(table) {
    const headings = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    const valueOf = (row, column) => {
      const cell = row.cells[column];
      if (!("value" in cell.dataset)) return cell.textContent;
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    const compare = (a, b) =>
      typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.onclick = () => {
        const sign = heading.ariaSort === "ascending" ? -1 : 1;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
        // What is not known comes last, whichever way.
        rows.sort(([a], [b]) =>
          a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
        body.append(...rows.map(([, row]) => row));
      };
    });
  }

  const draws = { comparison, learning, rates };
  for (const panel of document.querySelectorAll(".panel")) {
    panel.hidden = false; // before it is drawn: a plot takes the width of its place
    panel.hidden = !draws[panel.dataset.draws](panel);
  }
  document.querySelectorAll("table.sortable").forEach(sortable);
  const drawAgain = () => redraw.forEach((show) => show());
  matchMedia("(prefers-color-scheme: dark)").onchange = drawAgain;
  let resized;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(drawAgain, 150);
  });
})();
