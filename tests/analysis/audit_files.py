"""Audits the files of numbers beside the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit_check import STATUSES, Check
from recomputed import Truth
from slow_records import COSTS, Run, Setting
from slow_statistics import NAN, iqm_interval, student


class Files:
    """table.csv, results.csv and results.json."""

    def __init__(self, check: Check, truth: Truth) -> None:
        self.check, self.truth = check, truth
        self._groups: dict[str, str] = {}

    def _group(self, where: str, recorded: str, said: str) -> None:
        """Groups may be called by today's rule, but must be the same ones."""
        self.check.equal(where, said, self._groups.setdefault(recorded, said))
        self.check.equal(where, len(set(self._groups.values())), len(self._groups))

    def audit(self, folder: Path) -> None:
        self._table_csv(folder / "table.csv")
        self._results(folder)

    def _table_csv(self, path: Path) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        settings = [setting for task in self.truth.tasks for setting in self.truth.of(task)]
        self.check.equal(
            "table.csv", [(r["task"], r["label"]) for r in rows], [_key(s) for s in settings]
        )
        shares = {
            (task, key): self.truth.fronts.shares(task, [key])
            for task in self.truth.tasks
            for key in COSTS
        }
        for row, setting in zip(rows, settings, strict=True):
            expected = self._setting(setting, shares)
            for column, said in row.items():
                where = f"table.csv/{setting.task}/{setting.label}/{column}"
                if column == "group":
                    self._group(where, expected[column], said)
                elif column not in expected:
                    self.check.unknown(where, said)
                elif isinstance(expected[column], str):
                    self.check.equal(where, said, expected[column])
                else:
                    self.check.same(where, said, expected[column])

    def _setting(self, s: Setting, shares: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
        """A row of table.csv."""
        run = s.runs[0]
        test, valid, iqm = student(s.tests), student(s.valids), iqm_interval([s.tests])
        row = {"task": s.task, "label": s.label, "name": s.name, "model": s.model}
        row |= {"group": run.said["group"], "architecture": run.architecture}
        row |= {"score": run.score, "goal": s.goal, "n": s.n, "test": test[0], "test_half": test[1]}
        row |= dict(zip(("test_iqm", "test_iqm_low", "test_iqm_high"), iqm, strict=True))
        row |= {"valid": valid[0], "valid_half": valid[1]}
        row |= {"test_targets": s.targets, "test_sampling_half": s.sampling}
        row |= {status: s.count(status) for status in STATUSES} | s.cost
        row |= {"chosen": str(s.chosen), "timed": "True"}  # all on one machine
        for key in COSTS:
            compared = s.chosen and s.n > 0
            row[f"front/{key}"] = str(
                compared and s.label in self.truth.fronts.members(s.task, key)
            )
            row[f"front_probability/{key}"] = NAN
            if compared and key in self.truth.fronts.priced(s.task):
                row[f"front_probability/{key}"] = shares[s.task, key][s.label]
        for key in self.truth.fronts.spreads:
            errors = s.errors(self.truth.fronts.spreads) if s.chosen and s.n else {}
            row[f"error/{key}"] = errors.get(key, NAN)
        return row

    def _results(self, folder: Path) -> None:
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self._runs("results.csv", rows)
        self._runs("results.json", json.loads((folder / "results.json").read_text("utf-8")))

    def _runs(self, file: str, rows: Sequence[Mapping[str, Any]]) -> None:
        by_id = {run.id: run for run in self.truth.runs}
        self.check.equal(file, sorted(row["run"] for row in rows), sorted(by_id))
        for row in rows:
            run = by_id[row["run"]]
            for column, said in row.items():
                where = f"{file}/{run.where}/{column}"
                if column == "group":
                    self._group(where, run.said[column], said)
                    continue
                expected = self._of_run(run, column)
                if expected is None:
                    said = None if said in ("", None) or said != said else said
                    self.check.equal(where, said, None)
                elif isinstance(expected, str):
                    self.check.equal(where, said, expected)
                elif isinstance(expected, bool | list):
                    text = str(expected) if isinstance(expected, bool) else json.dumps(expected)
                    self.check.equal(where, str(said), text)
                else:
                    self.check.same(where, said, expected)

    @staticmethod
    def _of_run(run: Run, column: str) -> Any:
        """A cell of the runs' table; None where the records do not tell."""
        kind, _, name = column.partition("/")
        own = {"run": run.id, "task_label": run.task, "score": run.score, "label": run.label}
        own |= {"study": run.folder.parent.name, "folder": run.folder.name, "test": run.test}
        own |= {"valid": run.valid, "score_step": run.best_step, "model_label": run.model_label}
        own |= {"test_targets": run.targets, "goal": run.goal, "architecture": run.architecture}
        own |= {"status": run.status}
        if run.status == "unscored":
            own["error"] = "test score not finite"
        if run.status == "unreadable":
            own |= {"name": run.id, "config/device": "cpu", "goal": None}
            return own.get(column, run.said.get(column, run.cost.get(column)))
        if column in own:
            return own[column]
        if kind == "config":
            return "cpu" if name == "device" else run.setting(name)
        if kind in ("valid", "test"):
            return run.said[kind].get(name)
        if kind in run.said.get("held_out", {}):
            return run.said["held_out"][kind].get(name)
        return run.said.get(column, run.cost.get(column))


def _key(setting: Setting) -> tuple[str, str]:
    return setting.task, setting.label
