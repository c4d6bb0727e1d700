"""Audits the tables of the page, cell by cell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from audit_check import COLUMNS, Check, scaled
from page_reader import Cell, Table, numbers
from recomputed import Truth
from slow_records import COSTS, GROWING
from slow_statistics import NAN, Expected, median, student


class Due(NamedTuple):
    """What a cell must hold.

    Attributes:
        value: that it is sorted by.
        shown: the numbers that it prints; None for the value in whole percent.
        front: whether it is marked as of a model on the front.
    """

    value: Expected
    shown: Sequence[Expected] | None
    front: bool = False


Rows = dict[tuple[str, ...], dict[tuple[str, str], Due]]
"""Of each row, by its names, what its columns must hold, by heading and unit."""


class Tables:
    """What each cell says, what it is sorted by, and whether it is marked."""

    def __init__(self, check: Check, truth: Truth) -> None:
        self.check, self.truth = check, truth

    def audit(self, table: Table) -> None:
        where = f"page/{table.section}/{table.title}"
        task = table.section
        handlers: dict[str, Callable[[str], Rows]] = {
            "Comparisons": self._comparisons,
            "Fronts": self._front_shares,
            "Most for its cost": self._volumes,
            "Windows of rates, and what it took": self._tuned,
            "Effort to learn": self._effort,
            "Over all tasks": self._ranked,
            "Further held-out splits": self._further,
            "Inside the models": self._inside,
        }
        if table.section == "Not finished":
            return self._unfinished(table)
        if table.section == "Left out":
            said = sorted(row[0].text for row in table.rows)
            torn = (run.where for run in self.truth.runs if run.status == "unreadable")
            return self.check.equal(where, said, sorted(f"{place}/run.json" for place in torn))
        others = re.fullmatch(r"\d+ training settings that validation did not choose", table.title)
        if task in self.truth.tasks and (others or not table.title):
            rows = self._models(task, chosen=not others)
        elif task == "How cost grows":
            rows = self._growth()
        elif table.title in handlers:
            rows = handlers[table.title](task)
        else:
            return self.check.unknown(where, [heading for heading, _ in table.headings])
        names = len(next(iter(rows), ()))
        said = {tuple(cell.text for cell in row[:names]): row[names:] for row in table.rows}
        self.check.equal(where, list(said), list(rows))
        for key in said.keys() & rows.keys():
            for heading, cell in zip(table.headings[names:], said[key], strict=True):
                place = f"{where}/{key}/{' '.join(heading)}"
                if heading in rows[key]:
                    self._cell(place, cell, rows[key][heading])
                else:
                    self.check.unknown(place, cell.text)

    def _cell(self, where: str, cell: Cell, due: Due) -> None:
        self.check.same(where, cell.value, due.value)
        self.check.equal(where, "front" in cell.kind.split(), due.front)
        if due.shown is None:
            self.check.equal(where, cell.text, _percent(float(cell.value or "nan")))
            return
        self.check.prints_all(where, cell.text, due.shown)
        if cell.value and due.shown and due.value is due.shown[0]:
            self.check.prints(where, numbers(cell.text)[0], float(cell.value))

    def _models(self, task: str, chosen: bool) -> Rows:
        rows: Rows = {}
        for s in (s for s in self.truth.of(task) if s.chosen == chosen):
            started = len(s.runs)
            row = {("Seeds", ""): Due(s.n, [s.n] if s.n == started else [s.n, started])}
            name = str(s.runs[0].score).replace("_", " ")
            for heading, scores in (("Test", s.tests), ("Validation", s.valids)):
                row[heading, name] = _due(*student(scores))
            row["Sampling", "of the test"] = _due(s.sampling)
            for heading, key in COLUMNS.items():
                compared = s.chosen and s.n > 0 and key in COSTS
                front = compared and s.label in self.truth.fronts.members(task, key)
                row[heading] = _due(scaled(s.cost[key], key))._replace(front=front)
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
        for heading, keys in (axes | {("All", "at once"): self.truth.fronts.common(task)}).items():
            shares = self.truth.fronts.shares(task, keys)
            points = {s.label: (*(s.seed_cost[k] for k in keys), s.loss) for s in rivals}
            front = self.truth.fronts.front(points, rivals, keys)
            for s in rivals:
                rows[s.name,][heading] = Due(shares[s.label], None, s.label in front)
        return rows

    def _volumes(self, task: str) -> Rows:
        volumes = self.truth.fronts.volumes(task)
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
            rows[self.truth.called(task, label),] = {
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
            (self.truth.called(task, label),): {
                ("Reached", "of the seeds"): _due(row["reached"], row["n"]),
                ("Training", "steps"): _due(row["step"]),
                ("Training", "examples"): _due(row["examples"]),
                ("Training", "FLOPs"): _due(row["flops"]),
                ("Training", "s"): _due(row["seconds"]),
            }
            for label, row in sorted(self.truth.effort(task).items())
        }

    def _further(self, task: str) -> Rows:
        """Test, then the other splits: those of longer sequences behind all others, by length."""
        rows: Rows = {}
        for s in self.truth.field(task):
            name = str(s.runs[0].score)
            splits = {split for run in s.finished for split in run.said["held_out"]}
            row = {("Test", name.replace("_", " ")): _due(*student(s.tests))}
            for split in splits:
                told = [run.said["held_out"][split][name] for run in s.finished]
                scores = [score for score in told if score is not None]
                row[split.capitalize(), name.replace("_", " ")] = _due(*student(scores))
            rows[s.name,] = row
        return rows

    def _inside(self, task: str) -> Rows:
        """A row a layer, of the last inspections of the finished runs of the chosen models."""
        rows: Rows = {}
        kinds = {
            "half_life": ("Half-life", "steps"),
            "memory_capacity": ("Memory", "inputs"),
            "saturated": ("Saturated", "share of units"),
            "effective_rank": ("Rank", "dimensions"),
        }
        for s in (s for s in self.truth.of(task) if s.chosen):
            found = [run.inspected for run in s.finished if run.inspected]
            names = [name for one in found for name in one]
            layers = [name.split("/", 1)[1] for name in names if name.split("/")[0] in kinds]
            for layer in dict.fromkeys(layers):
                row = {("Seeds", "inspected"): _due(len(found))}
                row["Test", str(s.runs[0].score).replace("_", " ")] = _due(*student(s.tests))
                row["Parameters", ""] = _due(s.cost["parameters"])
                row["Step", "ms"] = _due(scaled(s.cost["step_seconds"], "step_seconds"))
                for kind, heading in kinds.items():
                    values = [one.get(f"{kind}/{layer}") for one in found]
                    known = sorted(value for value in values if value is not None)
                    ends = (median(known), known[0], known[-1]) if known else (NAN, NAN, NAN)
                    row[heading] = _due(*ends)
                shares = sorted(run.clipped_share for run in s.finished if run.inspected)
                row["Clipped", "share of intervals"] = _due(median(shares), shares[0], shares[-1])
                rows[s.name, layer] = row
        return rows

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
            if run.status in ("failed", "unreadable"):
                reason = str(run.said["error"])
            reason = "test score not finite" if run.status == "unscored" else reason
            row = (run.task, run.label, str(run.seed), run.status, reason, run.where)
            expected.append(row)
        said = [tuple(cell.text for cell in row) for row in table.rows]
        self.check.equal("page/Not finished", sorted(said), sorted(expected))


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
