"""Audits the data of the page's own plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audit_check import Check, scaled
from recomputed import Truth
from slow_records import Run, Setting
from slow_statistics import NAN, mean, student

DRAWN_POINTS = 100
"""Curves of more points are thinned to so many."""


class Plots:
    """Every number that a plot shows."""

    def __init__(self, check: Check, truth: Truth) -> None:
        self.check, self.truth = check, truth
        self._by_where = {run.where: run for run in truth.runs}

    def audit(self, data: Mapping[str, Any]) -> None:
        self.check.equal("payload/tasks", sorted(data["tasks"]), self.truth.tasks)
        for key in data.keys() - {"axes", "times", "looks", "varied", "tasks", "growth"}:
            self.check.unknown("payload", key)
        self._drawn_growth(data["growth"])
        for task, said in data["tasks"].items():
            where = f"payload/{task}"
            rows = {s.label: s for s in self.truth.field(task)}
            metrics = {"test": next(iter(rows.values())).runs[0].score} if rows else {}
            others = {m for s in self.truth.of(task) for r in s.finished for m in r.said["test"]}
            metrics |= {f"test/{name}": name for name in sorted(others - set(metrics.values()))}
            for key, value in said.items():
                if key == "baselines":
                    self.check.equal(f"{where}/{key}", value, self.truth.baselines(task))
                elif key == "metrics":
                    self.check.equal(f"{where}/{key}", set(value), set(metrics))
                elif key == "models":
                    self.check.equal(f"{where}/{key}", [model["label"] for model in value], [*rows])
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
                    self.check.unknown(where, key)

    def _model(self, where: str, said: Mapping[str, Any], s: Setting) -> None:
        self.check.equal(f"{where}/n", said["n"], s.n)
        axes = self.truth.fronts.priced(s.task)
        for key in said.keys() - {
            "label",
            "name",
            "n",
            "cost",
            "chance",
            "error",
            "metric",
            "runs",
        }:
            self.check.unknown(where, key)
        for part in (said["cost"], said["chance"], said["runs"]["cost"]):
            self.check.equal(f"{where}/axes", list(part), axes)
        spreads = self.truth.fronts.spreads
        errors = {k: e for k, e in s.errors(spreads).items() if k in axes and k in spreads}
        self.check.equal(f"{where}/error", set(said["error"]), set(errors))
        for key, error in errors.items():
            self.check.same(f"{where}/error/{key}", said["error"][key], error)
        for key in axes:
            chance = self.truth.fronts.shares(s.task, [key])[s.label]
            self.check.seven(f"{where}/cost/{key}", [said["cost"][key]], [scaled(s.cost[key], key)])
            self.check.seven(f"{where}/chance/{key}", [said["chance"][key]], [chance])
        runs = [self._run_of(where, told) for told in said["runs"]["told"]]
        self.check.equal(f"{where}/runs", runs, s.finished)
        for key, values in said["runs"]["cost"].items():
            costs = [scaled(run.cost.get(key), key) for run in runs]
            self.check.seven(f"{where}/runs/{key}", values, costs)
        for key, values in said["runs"]["metric"].items():
            tests = [_metric(run, key) for run in runs]
            self.check.seven(f"{where}/runs/{key}", values, tests)
            middle, half = student([x for x in tests if math.isfinite(x)])
            self.check.seven(
                f"{where}/{key}", said["metric"][key], [middle, middle - half, middle + half]
            )

    def _run_of(self, where: str, told: str) -> Run:
        """The run that a text tells of: its name, the settings that vary, its folder."""
        name, *lines = told.split("\n")
        run = next(self._by_where[line] for line in lines if line in self._by_where)
        self.check.equal(f"{where}/told", name, f"{run.label}, seed {run.seed}")
        for line in lines:
            if line in (run.where, run.status):
                continue
            for setting in line.split(", "):
                key, _, value = setting.rpartition(" ")
                known = [v for k, v in run.settings.items() if k.rsplit(".", 1)[-1] == key]
                if value not in known:
                    self.check.unknown(f"{where}/told", setting)
        return run

    def _fronts(
        self, where: str, said: Any, rows: Sequence[Setting], metrics: Mapping[str, Any]
    ) -> None:
        self.check.equal(where, set(said), set(metrics))
        for metric, by_goal in said.items():
            for goal, by_axis in by_goal.items():
                for axis, places in by_axis.items():
                    sign = -1 if goal == "max" else 1
                    means = [mean([_metric(run, metric) for run in s.finished]) for s in rows]
                    points = {
                        i: (s.cost[axis], sign * score)
                        for i, (s, score) in enumerate(zip(rows, means, strict=True))
                    }
                    front = self.truth.fronts.front(points, rows, [axis])
                    expected = sorted(front, key=lambda i: (points[i][0], i))
                    self.check.equal(f"{where}/{metric}/{goal}/{axis}", places, expected)

    def _curves(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        runs = [r for r in self.truth.chosen_runs(task) if r.status != "failed" and r.evaluations]
        self.check.equal(where, [one["label"] for one in said], sorted({run.label for run in runs}))
        for one in said:
            for key in one.keys() - {"label", "name", "mean", "seeds"}:
                self.check.unknown(where, key)
            self._drawn(f"{where}/mean", one["mean"], self.truth.band(one["label"], task))
            drawn = []
            for seed in one["seeds"]:
                run = self._run_of(where, seed["told"])
                drawn.append(run)
                self.check.equal(f"{where}/lost", seed["lost"], run.status == "diverged")
                columns = {k: v for k, v in seed.items() if k not in ("told", "lost")}
                self._drawn(f"{where}/seed", columns, {e["step"]: e for e in run.evaluations})
            mine = [run for run in runs if run.label == one["label"]]
            self.check.equal(f"{where}/seeds", _ids(drawn), _ids(mine))

    def _drawn(
        self, where: str, said: Mapping[str, Sequence[Any]], curve: Mapping[Any, Any]
    ) -> None:
        """All points of a curve, or a hundred that are spread evenly, the ends among them."""
        steps, all_steps = list(said["step"]), [*curve]
        if not curve.keys() >= set(steps):
            return self.check.unknown(f"{where}/steps", set(steps) - curve.keys())
        if len(all_steps) <= DRAWN_POINTS:
            self.check.equal(f"{where}/steps", steps, all_steps)
        else:
            places = [all_steps.index(step) for step in steps]
            gap = (len(all_steps) - 1) / (DRAWN_POINTS - 1)
            even = all(abs(place - i * gap) <= 1 for i, place in enumerate(places))
            self.check.equal(f"{where}/thinned", (len(steps), even), (DRAWN_POINTS, True))
        for key, values in said.items():
            self.check.seven(f"{where}/{key}", values, [curve[step][key] for step in steps])

    def _rates(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        tried = [row["rates"] for row in self.truth.tuning(task).values() if len(row["rates"]) > 1]
        names = [next(iter(rates.values())).runs[0].model_label for rates in tried]
        self.check.equal(where, sorted(one["name"] for one in said), sorted(names))
        for one in said:
            rates = tried[names.index(one["name"])]
            for key in one.keys() - {"name", "label", "mean", "runs", "lost"}:
                self.check.unknown(where, key)
            scored = {rate: s for rate, s in rates.items() if s.trained}
            for key, expected in (
                ("learning_rate", [*scored]),
                ("mean", [mean(s.valids) for s in scored.values()]),
                ("n", [len(s.trained) for s in scored.values()]),
            ):
                self.check.seven(f"{where}/mean/{key}", one["mean"][key], expected)
            self.check.equal(f"{where}/mean", len(one["mean"]), 3)
            runs = [run for s in rates.values() for run in s.runs]
            for part, statuses in (
                ("runs", ("finished", "unscored")),
                ("lost", ("diverged", "failed")),
            ):
                told = [self._run_of(where, text) for text in one[part]["told"]]
                mine = [run for run in runs if run.status in statuses]
                self.check.equal(f"{where}/{part}", _ids(told), _ids(mine))
                columns = {"learning_rate": [run.rate for run in told]}
                columns |= {"valid": [run.valid for run in told]} if part == "runs" else {}
                self.check.equal(f"{where}/{part}", set(one[part]), {"told", *columns})
                for key, expected in columns.items():
                    self.check.seven(f"{where}/{part}/{key}", one[part][key], expected)

    def _trials(self, where: str, said: Sequence[Mapping[str, Any]], task: str) -> None:
        trials = self.truth.trials(task)
        self.check.equal(where, sorted(one["label"] for one in said), sorted(trials))
        for one in said:
            rows = trials[one["label"]]
            self.check.equal(where, one["name"], self.truth.called(task, one["label"]))
            columns = {key: value for key, value in one.items() if key not in ("label", "name")}
            self.check.equal(where, set(columns), set(rows[0]))
            for key, values in columns.items():
                self.check.seven(f"{where}/{key}", values, [row[key] for row in rows])

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
        self.check.equal("payload/growth", sorted((key, cost) for key, cost, _ in drawn), known)
        for key, cost, one in drawn:
            where, fit = f"payload/growth/{key}/{cost}", growth[key][cost]
            self.check.seven(where, one["sizes"], [size for size, _ in fit["points"]])
            self.check.seven(
                where, one["costs"], [scaled(value, cost) for _, value in fit["points"]]
            )
            sizes = [fit["smallest"], fit["largest"]]
            law = [scaled(fit["scale"] * size ** fit["exponent"], cost) for size in sizes]
            self.check.seven(where, one["law"]["sizes"], sizes)
            self.check.seven(where, one["law"]["costs"], law)
            self.check.prints_all(where, one["exponent"], [fit["exponent"], fit["half"]])
            self.check.equal(where, one["n"], fit["n"])
            for unknown in one.keys() - {"label", "sizes", "costs", "law", "exponent", "n"}:
                self.check.unknown(where, unknown)


def _ids(runs: Iterable[Run]) -> list[str]:
    return sorted(run.id for run in runs)


def _metric(run: Run, key: str) -> float:
    value = run.test if key == "test" else run.said["test"].get(key.removeprefix("test/"))
    return NAN if value is None else value
