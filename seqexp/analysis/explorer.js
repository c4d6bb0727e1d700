"use strict";
// Draws each plot of the page in its panel, again whenever something is chosen, and sorts tables.
const redraw = [];

// A cost between the ends of its 95 % interval, which is nothing where it is counted.
function between(model, cost) {
  const factor = Math.exp(1.96 * (model.error[cost] ?? 0)), middle = model.cost[cost];
  return [middle / factor, middle, middle * factor];
}

function bar(color, low, middle, high) {
  return {
    type: "data", symmetric: false, color, thickness: 1.5, width: 4,
    array: [high - middle], arrayminus: [middle - low],
  };
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
    x: numbers(models.map((m) => [between(m, cost), m.runs.cost[cost]])),
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
    for (const m of inOrder(models)) {
      const { symbol } = looks[m.label], color = colourOf(m.label);
      const [mean, low, high] = m.metric[metric];
      const shared = {
        mode: "markers", name: plain(m.name), legendgroup: m.label, hovertemplate: told,
      };
      traces.push({
        ...shared, x: m.runs.cost[cost], y: m.runs.metric[metric], text: m.runs.told.map(plain),
        marker: { color, symbol, size: 5, opacity: 0.5 }, showlegend: false,
      });
      const text = [`${plain(m.name)}, mean of n=${m.n}`];
      // The resamples are of the score that the task is judged by.
      if (metric === "test" && goal === task.goal && m.chance[cost] !== null) {
        text.push(`on the front in ${Math.round(100 * m.chance[cost])} % of resamples`);
      }
      const filled = front.includes(m) ? "" : "-open";
      traces.push({
        ...shared, x: [m.cost[cost]], y: [mean], text: [text.join("<br>")],
        marker: { color, symbol: symbol + filled, size: 12, line: { color, width: 2 } },
        error_y: bar(color, low ?? mean, mean, high ?? mean), error_x: bar(color, ...between(m, cost)),
      });
    }
    if (front.length) {
      const far = greatest(x), scores = front.map((m) => m.metric[metric][0]);
      // Where costs can not be told apart the front has members that others are better than.
      const best = scores.map((_, i) => Math[goal](...scores.slice(0, i + 1)));
      traces.unshift({
        x: [...front.map((m) => m.cost[cost]), far], y: [...best, best.at(-1)],
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
        `${front.map((m) => m.name).join(", ") || "none"}.`
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
    for (const { label, name, mean, seeds } of inOrder(task.curves)) {
      const { dash } = looks[label], color = colourOf(label);
      const group = { legendgroup: label, name: plain(name) };
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
        ...group, x, y: timed(mean.mean), hoverinfo: "skip",
        // A single evaluation is a point, which a line does not show.
        mode: x.length > 1 ? "lines" : "markers", line: { color, width: 2.5, dash },
        marker: { color, size: 8 },
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
    for (const { name, label, mean, runs, lost } of inOrder(task.rates)) {
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

function trials(panel) {
  const task = tasks[panel.dataset.task], place = panel.querySelector(".plot");
  const over = panel.querySelector("select"), models = inOrder(task.trials);
  const rounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  const spent = { trials: "runs, the best of which is kept", flops: times.flops };
  spent.seconds = times.seconds;
  const known = (key) => models.every((m) => numbers([m[key]]).length);
  fill(over, Object.entries(spent).filter(([key]) => known(key)));
  const y = numbers(models.map((m) => m.expected_best));

  function show() {
    const key = over.value, x = numbers(models.map((m) => m[key]));
    const traces = models.map((m) => ({
      x: m[key], y: m.expected_best, name: plain(m.name), mode: "lines+markers",
      text: m.trials.map((n) => `${plain(m.name)}, best of ${n}`),
      hovertemplate: hover(`validation ${task.score}`, spent[key]),
      line: { color: colourOf(m.label), width: 2, dash: looks[m.label].dash },
      marker: { color: colourOf(m.label), symbol: looks[m.label].symbol, size: 5 },
    }));
    const few = key === "trials" ? { tickvals: rounds.filter((n) => n <= greatest(x)) } : {};
    draw(place, traces, { ...axis(spent[key], isWide(x), x), ...few },
      axis(`validation ${task.score}, expected`, isWide(y), y));
  }
  over.onchange = show;
  show();
  redraw.push(show);
  return true;
}

function growth(panel) {
  const [place, said] = [panel.querySelector(".plot"), panel.querySelector(".said")];
  const input = (name) => panel.querySelector(`[name=${name}]`);

  function show() {
    const over = input("over").value, cost = axes[input("cost").value];
    const lines = inOrder(study.growth[input("task").value][over][input("cost").value]);
    const traces = lines.flatMap(({ label, sizes, costs, law, exponent }) => {
      const color = colourOf(label), shared = { legendgroup: label, name: plain(label) };
      return [{
        ...shared, x: sizes, y: costs, mode: "lines+markers", line: { color, width: 1 },
        marker: { color, symbol: looks[label].symbol, size: 8 },
        text: sizes.map(() => plain(label)), hovertemplate: hover(cost.label, varied[over]),
      }, {
        ...shared, x: law.sizes, y: law.costs, mode: "lines", showlegend: false, opacity: 0.5,
        line: { color, width: 3, dash: "dash" }, text: law.sizes.map(() => exponent),
        hovertemplate: `${plain(label)}<br>exponent %{text}<extra></extra>`,
      }];
    });
    const tried = [...new Set(numbers(lines.map((line) => line.sizes)))];
    const y = numbers(lines.map((line) => line.costs));
    draw(place, traces, { ...axis(varied[over], true, tried), tickvals: tried },
      axis(cost.label, true, y));
    const fitted = lines.map(({ label, exponent, n }) => `${label} ${exponent} (n = ${n})`);
    said.textContent = `Exponents: ${fitted.join("; ")}.`;
  }
  function choose() {
    const sizes = study.growth[input("task").value];
    fill(input("over"), Object.keys(sizes).map((key) => [key, varied[key]]));
    pick();
  }
  function pick() {
    const costs = study.growth[input("task").value][input("over").value];
    fill(input("cost"), Object.keys(costs).map((key) => [key, axes[key].name]));
    show();
  }
  const names = Object.keys(study.growth);
  fill(input("task"), names.map((name) => [name, name]));
  input("task").parentElement.hidden = names.length < 2; // nothing to choose
  input("task").onchange = choose;
  input("over").onchange = pick;
  input("cost").onchange = show;
  choose();
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

  const draws = { comparison, learning, rates, trials, growth };
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
