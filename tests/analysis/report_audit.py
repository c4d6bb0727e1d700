"""Holds every number of a report against the recomputed ones, and names those nobody accounts for.

Left out by name: the drawings, texts that are quoted from the records (how costs were measured,
the manifest, the commands, errors, samples), and the colours.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from page_reader import NUMBER, Cell, Page, Printed, Table, Text, numbers, printed
from recomputed import (
    COSTS,
    GROWING,
    NAN,
    TABLED,
    THEIRS,
    Between,
    Expected,
    Run,
    Setting,
    Truth,
    iqm_interval,
    mean,
    pareto,
    student,
)

STATUSES = ("finished", "diverged", "failed", "running")
SCALES = {"step_seconds": 1e3, "decode_seconds_per_token": 1e6, "prefill_seconds": 1e3}
SCALES |= {"program_bytes": 1e-6}
"""What a cost is multiplied by where it is shown; others are shown as they are."""

COLUMNS = {
    ("Parameters", ""): "parameters",
    ("Carry", "bytes"): "carry_bytes",
    ("Training", "FLOPs/token"): "training_flops_per_token",
    ("Inference", "FLOPs/token"): "inference_flops_per_token",
    ("Step", "ms"): "step_seconds",
    ("Decoding", "µs/token"): "decode_seconds_per_token",
    ("Prefill", "ms"): "prefill_seconds",
    ("Compilation", "s"): "compile_seconds",
    ("Program", "MB"): "program_bytes",
    ("Depth", "operations"): "training_sequential_depth",
}
"""Columns of the models' table, by heading and unit."""

CONSTANTS = (
    "95 %",
    "1 for the best",
    "from 0, the baseline, to 1, the best model",
    "Curves of more than 100 evaluations",
    "1 where nothing is gained by another model",
)
"""Numbers of the method, which no record holds."""

NAME = "[\ue000-\uf8ff]"
"""A name, once it is replaced: the numbers in it are no findings."""

AROUND = rf"\([^()]+ ± [^()]+\)·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|{NUMBER}(?: ± {NUMBER})?"
COUNT = r"one|\d+"
LOSSES = r"(?: \(not in the mean: ([^)]*)\))?"
DRAWN_POINTS = 100

Numbers = Sequence[Expected]


class Due(NamedTuple):
    """What a cell must hold.

    Attributes:
        value: that it is sorted by.
        shown: the numbers that it prints; None for the value in whole percent.
        front: whether it is marked as of a model on the front.
    """

    value: Expected
    shown: Numbers | None
    front: bool = False


Rows = dict[tuple[str, ...], dict[tuple[str, str], Due]]
"""Of each row, by its names, what its columns must hold, by heading and unit."""


class Audit:
    """What a report says that the records do not."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.wrong: list[str] = []
        self.checked: Counter[str] = Counter()
        self.names = self._names()
        self._by_where = {run.where: run for run in truth.runs}

    def records(self) -> None:
        """run.json must say of validation what metrics.jsonl does."""
        for run in self.truth.runs:
            self.checked["records"] += run.finished
            self.wrong += run.contradictions()

    def files(self, folder: Path) -> None:
        """table.csv, results.csv and results.json."""
        self._table_csv(folder / "table.csv")
        self._results(folder)

    def page(self, page: Page) -> None:
        """The tables and sentences of the page, and the data of its plots."""
        self.payload(json.loads(page.data))
        for table in page.tables:
            self.table(table)
        for text in page.texts:
            self.text(text)

    # One number

    def same(self, where: str, said: Any, expected: Expected, close: float = 1e-9) -> None:
        """What is said in full must be what is expected; nothing stands for what is not known."""
        self.checked[where.split("/")[0]] += 1
        value = NAN if said in (None, "") else float(said)
        if isinstance(expected, Between):
            slack = close * max(map(abs, expected)) + 1e-12
            right = expected.low - slack <= value <= expected.high + slack
        elif not math.isfinite(expected):
            right = not math.isfinite(value)
        else:
            right = math.isclose(value, expected, rel_tol=close, abs_tol=1e-12)
        if not right:
            self.wrong.append(f"{where}: {said} instead of {expected}")

    def prints(self, where: str, said: Printed, expected: Expected) -> None:
        """What is printed must be what is expected, as far as its digits go."""
        self.checked[where.split("/")[0]] += 1
        if isinstance(expected, Between):
            half = said.unit / 2 + 1e-12
            right = expected.low - half <= said.value <= expected.high + half
        else:
            right = said.rounds(expected)
        if not right:
            self.wrong.append(f"{where}: {said.value} instead of {expected}")

    def prints_all(self, where: str, said: str, expected: Iterable[Expected]) -> None:
        known = [e for e in expected if isinstance(e, Between) or math.isfinite(e)]
        found = numbers(self.plain(said))
        if len(found) != len(known):
            self.wrong.append(f"{where}: {said!r} does not print the {len(known)} of {known}")
            return
        for one, value in zip(found, known, strict=True):
            self.prints(where, one, value)

    def equal(self, where: str, said: Any, expected: Any) -> None:
        self.checked[where.split("/")[0]] += 1
        if said != expected:
            self.wrong.append(f"{where}: {said!r} instead of {expected!r}")

    def unknown(self, where: str, what: Any) -> None:
        self.wrong.append(f"{where}: not accounted for: {what!r}")

    # Names

    def _names(self) -> dict[str, str]:
        """Of each name the character that stands for it."""
        truth = self.truth
        names = {name for run in truth.runs for name in (run.label, run.model_label, run.task)}
        names |= {name for s in truth.settings for name in (s.name, s.model)}
        names |= {run.folder.parent.name for run in truth.runs}
        names |= {name for task in truth.tasks for name in truth.baselines(task)}
        names |= {label for _, label, _ in truth.growth}
        return {name: chr(0xE000 + i) for i, name in enumerate(sorted(names, key=len)[::-1])}

    def plain(self, text: str) -> str:
        """The text with a character in the place of every name."""
        for name, mark in self.names.items():
            text = re.sub(rf"(?<![\w=.]){re.escape(name)}(?![\w=])", mark, text)
        return text

    def named(self, mark: str) -> str:
        return next(name for name, own in self.names.items() if own == mark)

    # Files of numbers

    def _table_csv(self, path: Path) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        settings = [setting for task in self.truth.tasks for setting in self.truth.of(task)]
        self.equal(
            "table.csv", [(r["task"], r["label"]) for r in rows], [_key(s) for s in settings]
        )
        shares = {
            (task, key): self.truth.front_shares(task, [key])
            for task in self.truth.tasks
            for key in COSTS
        }
        for row, setting in zip(rows, settings, strict=True):
            expected = self._setting(setting, shares)
            for column, said in row.items():
                where = f"table.csv/{setting.task}/{setting.label}/{column}"
                if column not in expected:
                    self.unknown(where, said)
                elif isinstance(expected[column], str):
                    self.equal(where, said, expected[column])
                else:
                    self.same(where, said, expected[column])

    def _setting(self, s: Setting, shares: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
        """A row of table.csv."""
        run = s.runs[0]
        test, valid, iqm = student(s.tests), student(s.valids), iqm_interval([s.tests])
        row = {"task": s.task, "label": s.label, "name": s.name, "model": s.model}
        row |= {"group": run.said["group"], "architecture": run.architecture}
        row |= {"score": run.score, "goal": s.goal, "n": s.n, "test": test[0], "test_half": test[1]}
        row |= dict(zip(("test_iqm", "test_iqm_low", "test_iqm_high"), iqm, strict=True))
        row |= {"valid": valid[0], "valid_half": valid[1]}
        row |= {status: s.count(status) for status in STATUSES} | s.cost
        row |= {"chosen": str(s.chosen)}
        for key in COSTS:
            compared = s.chosen and s.n > 0
            row[f"front/{key}"] = str(compared and s.label in self.truth.on_front(s.task, key))
            row[f"front_probability/{key}"] = NAN
            if compared and key in self.truth.priced(s.task):
                row[f"front_probability/{key}"] = shares[s.task, key][s.label]
        return row

    def _results(self, folder: Path) -> None:
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self._runs("results.csv", rows)
        self._runs("results.json", json.loads((folder / "results.json").read_text("utf-8")))

    def _runs(self, file: str, rows: Sequence[Mapping[str, Any]]) -> None:
        by_id = {run.id: run for run in self.truth.runs}
        self.equal(file, sorted(row["run"] for row in rows), sorted(by_id))
        for row in rows:
            run = by_id[row["run"]]
            for column, said in row.items():
                where = f"{file}/{run.where}/{column}"
                expected = self._of_run(run, column)
                if expected is None:
                    said = None if said in ("", None) or said != said else said
                    self.equal(where, said, None)
                elif isinstance(expected, str):
                    self.equal(where, said, expected)
                else:
                    self.same(where, said, expected)

    @staticmethod
    def _of_run(run: Run, column: str) -> Any:
        """A cell of the runs' table; None where the records do not tell."""
        kind, _, name = column.partition("/")
        own = {"run": run.id, "task_label": run.task, "score": run.score, "label": run.label}
        own |= {"study": run.folder.parent.name, "folder": run.folder.name, "test": run.test}
        own |= {"valid": run.valid, "score_step": run.best_step, "model_label": run.model_label}
        own |= {"goal": run.goal, "architecture": run.architecture}
        if column in own:
            return own[column]
        if kind == "config":
            return run.settings.get(name, "cpu" if name == "device" else None)
        if kind in ("valid", "test"):
            return run.said[kind].get(name)
        return run.said.get(column, run.cost.get(column))

    # The data of the page's own plots

    def payload(self, data: Mapping[str, Any]) -> None:
        self.equal("payload/tasks", sorted(data["tasks"]), self.truth.tasks)
        for key in data.keys() - {"axes", "times", "looks", "varied", "tasks", "growth"}:
            self.unknown("payload", key)
        self._drawn_growth(data["growth"])
        for task, said in data["tasks"].items():
            where = f"payload/{task}"
            rows = {s.label: s for s in self.truth.field(task)}
            metrics = {"test": next(iter(rows.values())).runs[0].score} if rows else {}
            others = {m for s in self.truth.of(task) for r in s.finished for m in r.said["test"]}
            metrics |= {f"test/{name}": name for name in sorted(others - set(metrics.values()))}
            for key, value in said.items():
                if key == "baselines":
                    self.equal(f"{where}/{key}", value, self.truth.baselines(task))
                elif key == "metrics":
                    self.equal(f"{where}/{key}", set(value), set(metrics))
                elif key == "models":
                    self.equal(f"{where}/{key}", [model["label"] for model in value], [*rows])
                    for model in value:
                        self._model(f"{where}/{model['label']}", model, rows[model["label"]])
                elif key == "fronts":
                    self._fronts(f"{where}/fronts", value, [*rows.values()], metrics)
                elif key == "curves":
                    self._curves(f"{where}/curves", value, task)
                elif key == "rates":
                    self._rates(f"{where}/rates", value, task)
                elif key == "trials":
                    self._trials(f"{where}/trials", value, task)
                elif key not in ("score", "goal"):
                    self.unknown(where, key)

    def _seven(self, where: str, said: Sequence[Any], expected: Sequence[Expected]) -> None:
        """Numbers of seven digits."""
        self.equal(f"{where}/length", len(said), len(expected))
        for value, known in zip(said, expected, strict=False):
            self.same(where, value, known, close=1e-6)

    def _model(self, where: str, said: Mapping[str, Any], s: Setting) -> None:
        self.equal(f"{where}/n", said["n"], s.n)
        axes = self.truth.priced(s.task)
        for key in said.keys() - {"label", "name", "n", "cost", "chance", "metric", "runs"}:
            self.unknown(where, key)
        for part in (said["cost"], said["chance"], said["runs"]["cost"]):
            self.equal(f"{where}/axes", list(part), axes)
        for key in axes:
            scale = _scale(key)
            chance = self.truth.front_shares(s.task, [key])[s.label]
            self._seven(f"{where}/cost/{key}", [said["cost"][key]], [s.cost[key] * scale])
            self._seven(f"{where}/chance/{key}", [said["chance"][key]], [chance])
        runs = [self._run_of(where, told) for told in said["runs"]["told"]]
        self.equal(f"{where}/runs", runs, s.finished)
        for key, values in said["runs"]["cost"].items():
            costs = [_scaled(run.cost.get(key), key) for run in runs]
            self._seven(f"{where}/runs/{key}", values, costs)
        for key, values in said["runs"]["metric"].items():
            tests = [_metric(run, key) for run in runs]
            self._seven(f"{where}/runs/{key}", values, tests)
            middle, half = student([x for x in tests if math.isfinite(x)])
            self._seven(
                f"{where}/{key}", said["metric"][key], [middle, middle - half, middle + half]
            )

    def _run_of(self, where: str, told: str) -> Run:
        """The run that a text tells of: its name, the settings that vary, its folder."""
        name, *lines = told.split("\n")
        run = next(self._by_where[line] for line in lines if line in self._by_where)
        self.equal(f"{where}/told", name, f"{run.label}, seed {run.seed}")
        for line in lines:
            if line in (run.where, run.status):
                continue
            for setting in line.split(", "):
                key, _, value = setting.rpartition(" ")
                known = [v for k, v in run.settings.items() if k.rsplit(".", 1)[-1] == key]
                if value not in known:
                    self.unknown(f"{where}/told", setting)
        return run

    def _fronts(
        self, where: str, said: Any, rows: Sequence[Setting], metrics: Mapping[str, Any]
    ) -> None:
        self.equal(where, set(said), set(metrics))
        for metric, by_goal in said.items():
            for goal, by_axis in by_goal.items():
                for axis, places in by_axis.items():
                    sign = -1 if goal == "max" else 1
                    means = [mean([_metric(run, metric) for run in s.finished]) for s in rows]
                    points = {
                        i: (s.cost[axis], sign * score)
                        for i, (s, score) in enumerate(zip(rows, means, strict=True))
                    }
                    front = _pareto(points)
                    expected = sorted(front, key=lambda i: (points[i][0], i))
                    self.equal(f"{where}/{metric}/{goal}/{axis}", places, expected)

    def _curves(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        runs = [r for r in self.truth.chosen_runs(task) if r.status != "failed" and r.evaluations]
        self.equal(where, [one["label"] for one in said], sorted({run.label for run in runs}))
        for one in said:
            for key in one.keys() - {"label", "name", "mean", "seeds"}:
                self.unknown(where, key)
            self._drawn(f"{where}/mean", one["mean"], self.truth.band(one["label"], task))
            drawn = []
            for seed in one["seeds"]:
                run = self._run_of(where, seed["told"])
                drawn.append(run)
                self.equal(f"{where}/lost", seed["lost"], run.status == "diverged")
                columns = {k: v for k, v in seed.items() if k not in ("told", "lost")}
                self._drawn(f"{where}/seed", columns, {e["step"]: e for e in run.evaluations})
            mine = [run for run in runs if run.label == one["label"]]
            self.equal(f"{where}/seeds", _ids(drawn), _ids(mine))

    def _drawn(
        self, where: str, said: Mapping[str, Sequence[Any]], curve: Mapping[Any, Any]
    ) -> None:
        """All points of a curve, or a hundred that are spread evenly, the ends among them."""
        steps, all_steps = list(said["step"]), [*curve]
        if not curve.keys() >= set(steps):
            return self.unknown(f"{where}/steps", set(steps) - curve.keys())
        if len(all_steps) <= DRAWN_POINTS:
            self.equal(f"{where}/steps", steps, all_steps)
        else:
            places = [all_steps.index(step) for step in steps]
            gap = (len(all_steps) - 1) / (DRAWN_POINTS - 1)
            even = all(abs(place - i * gap) <= 1 for i, place in enumerate(places))
            self.equal(f"{where}/thinned", (len(steps), even), (DRAWN_POINTS, True))
        for key, values in said.items():
            self._seven(f"{where}/{key}", values, [curve[step][key] for step in steps])

    def _rates(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        tried = [row["rates"] for row in self.truth.tuning(task).values() if len(row["rates"]) > 1]
        names = [next(iter(rates.values())).runs[0].model_label for rates in tried]
        self.equal(where, sorted(one["name"] for one in said), sorted(names))
        for one in said:
            rates = tried[names.index(one["name"])]
            for key in one.keys() - {"name", "label", "mean", "runs", "lost"}:
                self.unknown(where, key)
            scored = {rate: s for rate, s in rates.items() if s.n}
            for key, expected in (
                ("learning_rate", [*scored]),
                ("mean", [mean(s.valids) for s in scored.values()]),
                ("n", [s.n for s in scored.values()]),
            ):
                self._seven(f"{where}/mean/{key}", one["mean"][key], expected)
            self.equal(f"{where}/mean", len(one["mean"]), 3)
            runs = [run for s in rates.values() for run in s.runs]
            for part, statuses in (("runs", ("finished",)), ("lost", ("diverged", "failed"))):
                told = [self._run_of(where, text) for text in one[part]["told"]]
                mine = [run for run in runs if run.status in statuses]
                self.equal(f"{where}/{part}", _ids(told), _ids(mine))
                columns = {"learning_rate": [run.rate for run in told]}
                columns |= {"valid": [run.valid for run in told]} if part == "runs" else {}
                self.equal(f"{where}/{part}", set(one[part]), {"told", *columns})
                for key, expected in columns.items():
                    self._seven(f"{where}/{part}/{key}", one[part][key], expected)

    def _trials(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        trials = self.truth.trials(task)
        self.equal(where, sorted(one["label"] for one in said), sorted(trials))
        for one in said:
            rows = trials[one["label"]]
            self.equal(where, one["name"], self._called(task, one["label"]))
            columns = {key: value for key, value in one.items() if key not in ("label", "name")}
            self.equal(where, set(columns), set(rows[0]))
            for key, values in columns.items():
                self._seven(f"{where}/{key}", values, [row[key] for row in rows])

    def _drawn_growth(self, said: Mapping[str, Any]) -> None:
        """By task, what was varied, and cost: of each model what was measured, and its law."""
        drawn = [
            ((task, one["label"], varied), cost, one)
            for task, by_size in said.items()
            for varied, by_cost in by_size.items()
            for cost, models in by_cost.items()
            for one in models
        ]
        growth = self.truth.growth
        known = sorted((key, cost) for key, fits in growth.items() for cost in fits)
        self.equal("payload/growth", sorted((key, cost) for key, cost, _ in drawn), known)
        for key, cost, one in drawn:
            where, fit, scale = f"payload/growth/{key}/{cost}", growth[key][cost], _scale(cost)
            self._seven(where, one["sizes"], [size for size, _ in fit["points"]])
            self._seven(where, one["costs"], [value * scale for _, value in fit["points"]])
            sizes = [fit["smallest"], fit["largest"]]
            law = [scale * fit["scale"] * size ** fit["exponent"] for size in sizes]
            self._seven(where, one["law"]["sizes"], sizes)
            self._seven(where, one["law"]["costs"], law)
            self.prints_all(where, one["exponent"], [fit["exponent"], fit["half"]])
            self.equal(where, one["n"], fit["n"])
            for unknown in one.keys() - {"label", "sizes", "costs", "law", "exponent", "n"}:
                self.unknown(where, unknown)

    # Tables of the page

    def table(self, table: Table) -> None:
        where = f"page/{table.section}/{table.title}"
        task = table.section
        handlers: dict[str, Callable[[str], Rows]] = {
            "Comparisons": self._comparisons,
            "Fronts": self._front_shares,
            "Most for its cost": self._volumes,
            "Windows of rates, and what it took": self._tuned,
            "Effort to learn": self._effort,
            "Over all tasks": self._ranked,
        }
        if table.section == "Not finished":
            return self._unfinished(table)
        others = re.fullmatch(r"\d+ training settings that validation did not choose", table.title)
        if task in self.truth.tasks and (others or not table.title):
            rows = self._models(task, chosen=not others)
        elif task == "How cost grows":
            rows = self._growth()
        elif table.title in handlers:
            rows = handlers[table.title](task)
        else:
            return self.unknown(where, [heading for heading, _ in table.headings])
        names = len(next(iter(rows), ()))
        said = {tuple(cell.text for cell in row[:names]): row[names:] for row in table.rows}
        self.equal(where, list(said), list(rows))
        for key in said.keys() & rows.keys():
            for heading, cell in zip(table.headings[names:], said[key], strict=True):
                place = f"{where}/{key}/{' '.join(heading)}"
                if heading in rows[key]:
                    self._cell(place, cell, rows[key][heading])
                else:
                    self.unknown(place, cell.text)

    def _cell(self, where: str, cell: Cell, due: Due) -> None:
        self.same(where, cell.value, due.value)
        self.equal(where, "front" in cell.kind.split(), due.front)
        if due.shown is None:
            self.equal(where, cell.text, _percent(float(cell.value or "nan")))
            return
        self.prints_all(where, cell.text, due.shown)
        if cell.value and due.shown and due.value is due.shown[0]:
            self.prints(where, numbers(cell.text)[0], float(cell.value))

    def _models(self, task: str, chosen: bool) -> Rows:
        rows: Rows = {}
        for s in (s for s in self.truth.of(task) if s.chosen == chosen):
            started = len(s.runs)
            row = {("Seeds", ""): Due(s.n, [s.n] if s.n == started else [s.n, started])}
            name = str(s.runs[0].score).replace("_", " ")
            for heading, scores in (("Test", s.tests), ("Validation", s.valids)):
                row[heading, name] = _due(*student(scores))
            for heading, key in COLUMNS.items():
                compared = s.chosen and s.n > 0 and key in COSTS
                front = compared and s.label in self.truth.on_front(task, key)
                row[heading] = _due(_scaled(s.cost[key], key))._replace(front=front)
            rows[s.label,] = row
        return rows

    def _comparisons(self, task: str) -> Rows:
        return {
            (row["a"].name, row["b"].name): {
                ("Seeds", "of both"): _due(row["n"]),
                ("Ahead by", ""): _due(row["advantage"], row["half"]),
                ("Effect", "g"): _due(row["effect"]),
                ("Better", "probability"): _due(
                    row["chance"], row["chance_low"], row["chance_high"]
                ),
                ("p", "corrected"): _due(row["p_holm"]),
            }
            for row in self.truth.comparisons(task)
        }

    def _front_shares(self, task: str) -> Rows:
        rivals = sorted(self.truth.field(task), key=lambda s: s.label)
        rows: Rows = {(s.name,): {} for s in rivals}
        axes = {heading: [key] for heading, key in COLUMNS.items() if key in COSTS}
        for heading, keys in (axes | {("All", "at once"): self.truth.common(task)}).items():
            shares = self.truth.front_shares(task, keys)
            front = pareto({s.label: (*(s.seed_cost[k] for k in keys), s.loss) for s in rivals})
            for s in rivals:
                rows[s.name,][heading] = Due(shares[s.label], None, s.label in front)
        return rows

    def _volumes(self, task: str) -> Rows:
        volumes = self.truth.volumes(task)
        headings = {key: heading for heading, key in COLUMNS.items()} | {"all": ("All", "at once")}
        rivals = sorted(self.truth.field(task), key=lambda s: s.label)
        rows: Rows = {(s.model,): {} for s in rivals}
        for (axis, model), row in volumes.items():
            due = _due(row["share"], row["share_low"], row["share_high"])
            rows[model,][headings[axis]] = due
        return rows

    def _growth(self) -> Rows:
        columns = {key: heading for heading, key in COLUMNS.items()}
        columns["training_flops_per_step"] = ("Training", "FLOPs/step")
        rows: Rows = {}
        several = len({task for task, _, _ in self.truth.growth}) > 1
        for (task, label, varied), fits in self.truth.growth.items():
            names = (label, {"length": "T", "width": "H"}[varied])
            counts = sorted({int(fit["n"]) for fit in fits.values()})
            row = {("n", "sizes"): Due(counts[-1], counts)}
            row["From", "fitted"] = _due(min(fit["smallest"] for fit in fits.values()))
            row["To", "fitted"] = _due(max(fit["largest"] for fit in fits.values()))
            for key in GROWING:
                fit = fits.get(key, {"exponent": NAN, "half": NAN})
                row[columns[key]] = _due(fit["exponent"], fit["half"])
            rows[(task, *names) if several else names] = row
        return rows

    def _tuned(self, task: str) -> Rows:
        rows: Rows = {}
        for label, row in sorted(self.truth.tuning(task).items()):
            if len(row["rates"]) < 2:
                continue
            rows[self._called(task, label),] = {
                ("Rates", "tried"): _due(len(row["rates"])),
                ("Best", "rate"): _due(row["best"]),
                ("Working", "from"): _due(row["low"]),
                ("Working", "to"): _due(row["high"]),
                ("Width", "decades"): _due(row["decades"]),
                ("Runs", ""): _due(row["runs"]),
                ("Lost", ""): _due(row["lost"]),
                ("Training", "s"): _due(row["seconds"]),
                ("Training", "FLOPs"): _due(row["flops"]),
            }
        return rows

    def _effort(self, task: str) -> Rows:
        return {
            (self._called(task, label),): {
                ("Reached", "of the seeds"): _due(row["reached"], row["n"]),
                ("Training", "steps"): _due(row["step"]),
                ("Training", "examples"): _due(row["examples"]),
                ("Training", "FLOPs"): _due(row["flops"]),
                ("Training", "s"): _due(row["seconds"]),
            }
            for label, row in sorted(self.truth.effort(task).items())
        }

    def _ranked(self, _: str) -> Rows:
        ranks = self.truth.ranks()
        order = sorted(ranks, key=lambda c: (math.isnan(ranks[c]["rank"]), ranks[c]["rank"], c))
        return {
            (name,): {
                ("Tasks", ""): _due(row["tasks"]),
                ("Seeds", ""): _due(row["n"]),
                ("Rank", "mean"): _due(row["rank"]),
                ("Rank", "interval"): _due(row["rank_low"], row["rank_high"]),
                ("Best", "probability"): _due(row["best_probability"]),
                ("Score", "mean"): _due(row["score"], row["score_half"]),
                ("Score", "IQM"): _due(row["iqm"], row["iqm_low"], row["iqm_high"]),
            }
            for name, row in ((name, ranks[name]) for name in order)
        }

    def _called(self, task: str, label: str) -> str:
        return next(s.name for s in self.truth.of(task) if s.label == label)

    def _unfinished(self, table: Table) -> None:
        """A text a row: task, model, seed, status, reason, folder."""
        expected = []
        for run in self.truth.runs:
            if run.finished:
                continue
            reason = f"last record at step {max((r['step'] for r in run.records), default=0):,}"
            reason = reason if run.records else "no record yet"
            if run.status == "diverged" and run.said["diverged_step"] is not None:
                reason = f"not finite at step {run.said['diverged_step']:,}"
            reason = str(run.said["error"]) if run.status == "failed" else reason
            row = (run.task, run.label, str(run.seed), run.status, reason, run.where)
            expected.append(row)
        said = [tuple(cell.text for cell in row) for row in table.rows]
        self.equal("page/Not finished", sorted(said), sorted(expected))

    # Sentences of the page

    def text(self, text: Text) -> None:
        if text.quoted:
            return
        where = f"sentence/{text.section}/{text.title}"
        left = self.plain(text.text)
        task = text.title if text.title in self.truth.tasks else text.section
        for pattern, check in self._claims():
            found = re.search(pattern, left)
            while found:
                check(where, found, task)
                left = left[: found.start()] + "\N{BULLET}" + left[found.end() :]
                found = re.search(pattern, left)
        for constant in CONSTANTS:
            left = left.replace(constant, "")
        if re.search(r"\d", left):
            self.unknown(where, left)

    def _claims(self) -> list[tuple[str, Callable[[str, re.Match[str], str], None]]]:
        """Everything that a sentence may say in numbers, and who checks it."""
        lead = rf"Over the (\d+) seeds that both finished it is (ahead|behind) by ({AROUND}) "
        lead += rf"\(p = ({NUMBER})(?:, ({NUMBER}) corrected for (\d+) comparisons)?"
        lead += r"(?:; (\d+) pairs can give no less)?\)"
        rank = (
            rf"({NAME})(?: has the best mean rank)?, ({NUMBER})(?: \(({NUMBER}) to ({NUMBER})\))?"
        )
        flops = r"(-?[\d,.]+)(?: ([kMGT]))?FLOPs"
        expected = rf"one run ({AROUND}) by ({NAME})(?:, of (\d+) runs ({AROUND}) by ({NAME}))?"
        return [
            (rf"(?i)({COUNT}) runs? of ({COUNT}) models? on ({COUNT}) tasks?: ([^.]*)", self._ran),
            (rf"^({NAME}): ({NAME} against .*)\.$", self._most),
            (r"Most performance for its cost: [^.]*on all (\d+) tasks", self._tasks),
            (rf"Over ({COUNT}) tasks (?={NAME})", self._tasks),
            (
                rf"({NAME}) has the best mean rank, ({NUMBER})(?: \(({NUMBER}) to ({NUMBER})\))?"
                rf"(?:, and the best in ([\w ]+) % of resamples of the seeds)?",
                self._best_rank,
            ),
            (
                rf"({NAME}) has the (?:lowest|highest) test [\w ]+, ({AROUND}) \(n = (\d+)\)"
                rf"{LOSSES}",
                self._best,
            ),
            (rf"next is ({NAME}), ({AROUND}){LOSSES}", self._next),
            (lead, self._lead),
            (rf"(?<=Baseline: )({NAME}), ({AROUND})", self._baseline),
            (rf"(?<=does not beat )({NAME}) \(({AROUND})\)", self._baseline),
            (r"On the Pareto front: ([^.]*)\.(?: On none: ([^.]*)\.)?", self._on_front),
            (r"Of ([\d,]+) resamples of the seeds, ([^.]*)", self._dominance),
            (rf"was first as good as ({AROUND}), which", self._target),
            (r"(\d+) training settings that validation did not choose", self._not_chosen),
            (rf"The best validation [\w ]+ to expect of {expected}", self._expected_best),
            (rf"All (\d+) runs took (?:({NUMBER}) min)?(?: and )?(?:{flops})?", self._spent),
            (r"^([\w ]+) grows as (.*)\.$", self._grows),
            (rank, self._rank),
            (r"; and (\d+) more", self._more_ranks),
        ]

    def _ran(self, where: str, found: re.Match[str], _: str) -> None:
        runs = self.truth.runs
        for said, expected in (
            (found[1], len(runs)),
            (found[2], len({run.model for run in runs})),
            (found[3], len(self.truth.tasks)),
        ):
            self.equal(f"{where}/ran", _count(said), expected)
        self._ended(where, found[4], runs)

    def _ended(self, where: str, said: str, runs: Sequence[Run]) -> None:
        """3 diverged and 1 failed."""
        for number, status in re.findall(r"(\d+) (\w+)", said):
            self.equal(f"{where}/{status}", int(number), sum(r.status == status for r in runs))

    def _tasks(self, where: str, found: re.Match[str], _: str) -> None:
        self.equal(f"{where}/tasks", _count(found[1]), len(self.truth.tasks))

    def _best_rank(self, where: str, found: re.Match[str], task: str) -> None:
        ranks = self.truth.ranks()
        name = self.named(found[1])
        self._rank(where, found, task)
        least = min(row["rank"] for row in ranks.values() if not math.isnan(row["rank"]))
        self.equal(f"{where}/best", ranks[name]["rank"], least)
        if found[5]:
            self._percent(f"{where}/best", found[5], ranks[name]["best_probability"])

    def _rank(self, where: str, found: re.Match[str], _: str) -> None:
        row = self.truth.ranks()[self.named(found[1])]
        self.prints(f"{where}/rank", printed(found[2]), row["rank"])
        if found[3]:
            self.prints(f"{where}/rank low", printed(found[3]), row["rank_low"])
            self.prints(f"{where}/rank high", printed(found[4]), row["rank_high"])

    def _more_ranks(self, where: str, found: re.Match[str], _: str) -> None:
        ranked = [row for row in self.truth.ranks().values() if not math.isnan(row["rank"])]
        self.equal(f"{where}/rank", int(found[1]), len(ranked) - 4)

    def _percent(self, where: str, said: str, expected: Expected) -> None:
        low, high = expected if isinstance(expected, Between) else (expected, expected)
        if said.startswith("more than"):
            self.equal(where, low <= 1 and high >= 0.995, True)
            return
        one = printed(said)
        self.prints(where, Printed(one.value / 100, 0.01), Between(low, high))

    def _best(self, where: str, found: re.Match[str], task: str) -> None:
        best = self.truth.field(task)[0]
        self.equal(f"{where}/best", self.named(found[1]), best.name)
        self.prints_all(f"{where}/best", found[2], student(best.tests))
        self.equal(f"{where}/best", _count(found[3]), best.n)
        self._ended(where, found[4] or "", best.runs)

    def _next(self, where: str, found: re.Match[str], task: str) -> None:
        second = self.truth.field(task)[1]
        self.equal(f"{where}/second", self.named(found[1]), second.name)
        self.prints_all(f"{where}/second", found[2], student(second.tests))
        self._ended(where, found[3] or "", second.runs)

    def _lead(self, where: str, found: re.Match[str], task: str) -> None:
        best, second = self.truth.field(task)[:2]
        rows = self.truth.comparisons(task)
        row = next(r for r in rows if {r["a"].label, r["b"].label} == {best.label, second.label})
        ahead = row["advantage"] * (1 if row["a"].label == best.label else -1)
        where = f"{where}/lead"
        self.equal(where, int(found[1]), row["n"])
        self.equal(where, found[2], "behind" if ahead < 0 else "ahead")
        shown = abs(ahead) if abs(ahead) > row["half"] / 100 else 0.0
        self.prints_all(where, found[3], [shown, row["half"]])
        self.prints(where, printed(found[4]), row["p"])
        self.equal(where, found[6] and int(found[6]), row["comparisons"] if found[5] else None)
        self.equal(where, bool(found[5]), row["comparisons"] > 1)
        if found[5]:
            self.prints(where, printed(found[5]), row["p_holm"])
        least = row["n"] if row["p"] == row["p_floor"] else None
        self.equal(where, found[7] and int(found[7]), least)

    def _baseline(self, where: str, found: re.Match[str], task: str) -> None:
        value = self.truth.baselines(task).get(self.named(found[1]))
        if value is None:
            return self.unknown(where, found[0])
        self.prints_all(f"{where}/baseline", found[2], [value])

    def _on_front(self, where: str, found: re.Match[str], task: str) -> None:
        where = f"{where}/fronts"
        axes, fronts = self.truth.priced(task), {}
        for s in self.truth.field(task):
            keys = tuple(key for key in axes if s.label in self.truth.on_front(task, key))
            fronts.setdefault(keys, []).append(s.name)
        on_none = fronts.pop((), [])
        told = 0
        for part in found[1].split("; "):
            more = re.fullmatch(r"(\d+) more against some", part)
            if more:
                self.equal(where, int(more[1]), sum(map(len, fronts.values())) - told)
                continue
            names, costs = part.split(" against ")
            named = [self.named(mark) for mark in re.findall(NAME, names)]
            self.equal(where, named, fronts.get(tuple(_costs(costs, axes))))
            told += len(named)
        if found[2] is None or "others" not in found[2]:
            self.equal(where, [self.named(x) for x in re.findall(NAME, found[2] or "")], on_none)
        else:
            self.prints_all(where, found[2], [len(on_none)])

    def _most(self, where: str, found: re.Match[str], _: str) -> None:
        """adding: gru against every cost but parameters (the next covers 29 to 38 % as much)."""
        task = self.named(found[1])
        where = f"{where}/most for its cost/{task}"
        volumes = self.truth.volumes(task)
        axes = list(dict.fromkeys(axis for axis, _ in volumes if axis != "all"))
        told = []
        for part in found[2].split("; "):
            one = re.fullmatch(
                rf"({NAME}) against ([\w ,]+?)"
                r"(?: \(the next covers ([\d to]+) % as much(, not settled)?\))?",
                part,
            )
            if one is None:
                self.unknown(where, part)
                continue
            costs, nexts, most = _costs(one[2], axes), [], []
            told += costs
            for axis in costs:
                rows = {model: row for (key, model), row in volumes.items() if key == axis}
                best = rows.pop(self.named(one[1]))
                ratios = [
                    float(row["hypervolume"]) / float(best["hypervolume"]) for row in rows.values()
                ]
                nexts.append(100 * max(ratios))
                most.append(best["most"])
            self.equal(where, max(nexts) <= 100, True)
            ends = [round(end) for end in dict.fromkeys((min(nexts), max(nexts)))]
            self.equal(
                where, [int(x) for x in re.findall(r"\d+", one[3] or "")], [*dict.fromkeys(ends)]
            )
            ranges = [m for m in most if isinstance(m, Between)]
            if ranges:
                settled = [min(m.low for m in ranges) >= 0.9, min(m.high for m in ranges) >= 0.9]
                self.equal(where, (one[4] is None) in settled, True)
        self.equal(where, sorted(told), sorted(axes))

    def _not_chosen(self, where: str, found: re.Match[str], task: str) -> None:
        self.equal(where, int(found[1]), sum(not s.chosen for s in self.truth.of(task)))

    def _expected_best(self, where: str, found: re.Match[str], task: str) -> None:
        trials = self.truth.trials(task)
        sign = self.truth.of(task)[0].sign
        most = min(map(len, trials.values()))
        self.equal(f"{where}/trials", found[3] and int(found[3]), most if most > 1 else None)
        for n, said, name in ((1, found[1], found[2]), (most, found[4], found[5])):
            if said:
                ends = {label: rows[n - 1]["expected_best"] for label, rows in trials.items()}
                best = min(ends, key=lambda label: sign * ends[label])
                self.prints_all(f"{where}/trials", said, [ends[best]])
                self.equal(f"{where}/trials", self.named(name), self._called(task, best))

    def _spent(self, where: str, found: re.Match[str], task: str) -> None:
        spent = self.truth.tuning(task).values()
        self.equal(f"{where}/spent", int(found[1]), sum(row["runs"] for row in spent))
        if found[2]:
            minutes = sum(row["seconds"] for row in spent) / 60
            self.prints(f"{where}/spent", printed(found[2]), minutes)
        if found[3]:
            flops = printed(" ".join(filter(None, (found[3], found[4]))))
            self.prints(f"{where}/spent", flops, sum(row["flops"] for row in spent))

    def _grows(self, where: str, found: re.Match[str], _: str) -> None:
        key = {"Training step time": "step_seconds"}.get(found[1], "training_flops_per_step")
        varied = {"T": "length", "H": "width"}
        told: dict[str, list[Printed]] = {}
        for size, exponent, label, task in re.findall(
            rf"([TH])\^({NUMBER}) \(({NAME})(?: on ({NAME}))?\)", found[2]
        ):
            fits = {k: fit[key]["exponent"] for k, fit in self.truth.growth.items() if key in fit}
            fits = {k: e for k, e in fits.items() if k[2] == varied[size]}
            own = [e for (t, name, _), e in fits.items() if name == self.named(label)]
            if task:
                own = [fits[self.named(task), self.named(label), varied[size]]]
            place = told.setdefault(size, [])
            place.append(printed(exponent))
            extreme = (max if len(place) > 1 else min)(fits.values())
            self.prints(f"{where}/growth", place[-1], extreme)
            self.prints(f"{where}/growth", place[-1], own[0])
        self.equal(f"{where}/growth", bool(told), True)

    def _target(self, where: str, found: re.Match[str], task: str) -> None:
        self.prints_all(f"{where}/target", found[1], [self.truth.target(task)])

    def _dominance(self, where: str, found: re.Match[str], task: str) -> None:
        """gru dominates rnn and lstm on every cost but parameters in 97 %; ..."""
        where = f"{where}/dominance"
        self.equal(where, printed(found[1]).value, THEIRS)
        axes = self.truth.priced(task)
        called = {s.label: s.name for s in self.truth.field(task)}
        shares = {
            axis: {
                (called[a], called[b]): chance
                for (a, b), chance in self.truth.dominance(task, axis).items()
            }
            for axis in axes
        }
        sure: Counter[tuple[str, str]] = Counter()
        for pair in shares[axes[0]]:
            known = [shares[axis][pair] for axis in axes]
            ranges = [share for share in known if isinstance(share, Between)]
            sure[pair] = int(any(r.low >= 0.9 for r in ranges))
            sure[pair] += int(any(r.high >= 0.9 for r in ranges))
        told = 0
        for part in found[2].split("; "):
            one = re.fullmatch(rf"({NAME}) dominates (.+?) on (.+) in (more than \d+|\d+) %", part)
            more = re.fullmatch(rf"({COUNT}) more pairs? (?:is|are) as clear", part)
            if one:
                marks = re.findall(NAME, one[2])
                others = [self.named(mark) for mark in marks]
                count = len(others) if others else int(one[2].split()[0])
                told += count
                costs = _costs(one[3], axes)
                chances = [shares[axis][self.named(one[1]), b] for axis in costs for b in others]
                ranges = [c if isinstance(c, Between) else Between(c, c) for c in chances]
                if ranges:
                    least = Between(min(r.low for r in ranges), min(r.high for r in ranges))
                    self._percent(where, one[4], least)
                else:
                    self._among(where, self.named(one[1]), count, costs, shares, one[4])
            elif more:
                told += _count(more[1])
            else:
                self.equal(where, bool(re.search(r"^no model dominates .* in 90 %$", part)), True)
        least = sum(count == 2 for count in sure.values())
        most = sum(count > 0 for count in sure.values())
        self.prints(where, Printed(told, 1), Between(least, most))

    def _among(
        self,
        where: str,
        name: str,
        count: int,
        costs: Sequence[str],
        shares: Mapping[str, Mapping[tuple[str, str], Expected]],
        said: str,
    ) -> None:
        """A share that so many unnamed ones have at least: of the surest that could be meant."""
        ranges = []
        for pair in shares[costs[0]]:
            known = [shares[axis][pair] for axis in costs]
            if pair[0] == name and all(isinstance(share, Between) for share in known):
                ends = [share for share in known if isinstance(share, Between)]
                ranges.append(Between(min(r.low for r in ends), min(r.high for r in ends)))
        possible = [r for r in ranges if r.high >= 0.9]
        if len(possible) < count:
            return self.unknown(where, f"{count} others")
        lows, highs = sorted(r.low for r in possible), sorted(r.high for r in possible)
        self._percent(where, said, Between(max(0.9, lows[0]), highs[-count]))


def _key(setting: Setting) -> tuple[str, str]:
    return setting.task, setting.label


def _ids(runs: Iterable[Run]) -> list[str]:
    return sorted(run.id for run in runs)


def _due(*shown: Expected) -> Due:
    """A cell that is sorted by the first number that it prints."""
    return Due(shown[0], shown)


def _percent(share: float) -> str:
    """Whole percent; what is not certain is not called so."""
    if math.isnan(share):
        return "–"
    if 0 < share <= 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{round(100 * share)} %"


def _scale(key: str) -> float:
    return SCALES.get(key, 1.0)


def _scaled(value: float | None, key: str) -> float:
    return NAN if value is None else value * _scale(key)


def _metric(run: Run, key: str) -> float:
    value = run.test if key == "test" else run.said["test"].get(key.removeprefix("test/"))
    return NAN if value is None else value


def _count(said: str) -> int:
    return 1 if said.lower() == "one" else int(said)


def _pareto(points: Mapping[int, tuple[float, float]]) -> set[int]:
    known = {i: p for i, p in points.items() if all(map(math.isfinite, p))}
    return {
        i
        for i, (cost, loss) in known.items()
        if not any(c <= cost and x <= loss and (c, x) != (cost, loss) for c, x in known.values())
    }


def _costs(said: str, axes: Sequence[str]) -> list[str]:
    """every cost but parameters"""
    if said.startswith("every cost"):
        return [axis for axis in axes if COSTS[axis] not in said.removeprefix("every cost")]
    return [axis for axis in axes if COSTS[axis] in re.split(r", | and ", said)]


assert set(COLUMNS.values()) == set(TABLED)
