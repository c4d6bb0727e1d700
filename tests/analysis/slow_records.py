"""Records once more: runs and their settings, read and named without seqexp."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from slow_statistics import INF, NAN, mean, median

NO_RESULT = ("study", "runs_dir", "data_dir", "logger", "hydra", "launcher", "progress")
NO_RESULT += ("labels", "rerun", "match", "peak_memory")
"""Entries of a config that do not change what a run computes."""

COSTS = {
    "parameters": "parameters",
    "carry_bytes": "carry size",
    "training_flops_per_token": "training FLOPs",
    "inference_flops_per_token": "inference FLOPs",
    "step_seconds": "training step time",
    "decode_seconds_per_token": "decoding time",
}
"""Costs that have a front, and their names in a sentence."""

TABLED = (*COSTS, "prefill_seconds", "compile_seconds", "program_bytes")
TABLED += ("training_sequential_depth",)
GROWING = ("step_seconds", "prefill_seconds", "decode_seconds_per_token", "program_bytes")
GROWING += ("training_flops_per_step",)
"""Costs of which `seqexp cost` tells how they grow."""

TODAY: dict[Any, str] = {
    ("seqexp.cells.LSTM", "kernel"): "implementation",
    ("seqexp.models.SequenceModel", "chunk"): "remat",
}
"""Options of a `_target_` that had another name when the record was written."""


@dataclass
class Run:
    """One run, with the validation score that its metrics.jsonl says is its best."""

    folder: Path
    said: dict[str, Any]
    cost: dict[str, Any]
    records: list[dict[str, Any]]
    task: str = ""
    label: str = ""
    model_label: str = ""
    contender: str = ""
    built: str | None = None

    def __post_init__(self) -> None:
        self.id: str = self.said["id"]
        self.model: str = self.said["model"]
        self.seed: int = self.said["seed"]
        score = self.said.get("score") or {}
        self.status: str = self.said["status"]
        if self.status == "finished" and score["test"] is None:
            self.status = "unscored"
        self.score: str | None = score.get("name")
        self.goal: str = score.get("goal") or "min"
        self.sign = -1 if self.goal == "max" else 1
        self.finished = self.status == "finished"
        self.trained = self.status in ("finished", "unscored")
        self.test: float = score["test"] if self.finished else NAN
        self.targets = _float(self.said.get("test_targets", {}).get(self.score))
        self.valid, self.best_step = NAN, None
        if self.trained and self.evaluations:
            best = min(self.evaluations, key=lambda at: (self.sign * at["valid"], at["step"]))
            self.valid, self.best_step = best["valid"], best["step"]

    @cached_property
    def evaluations(self) -> list[dict[str, float]]:
        """Validation scores in the order of the steps, with what training took until then."""
        found = []
        for record in self.records:
            value = record.get(f"valid/{self.score}")
            if isinstance(value, int | float) and math.isfinite(value):
                found.append({**self.spent_at(record), "valid": value})
        return sorted(found, key=lambda at: at["step"])

    def spent_at(self, record: Mapping[str, Any]) -> dict[str, float]:
        each = self.cost.get("training_flops_per_step")
        return {
            "step": record["step"],
            "examples": _float(record.get("examples")),
            "tokens": _float(record.get("tokens")),
            "flops": NAN if each is None else record["step"] * each,
            "seconds": record["step"] * _float(self.cost.get("step_seconds")),
        }

    @cached_property
    def inspected(self) -> dict[str, Any]:
        """The last inspection's line; {} for none."""
        path = self.folder / "inspection.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return max(map(json.loads, lines), key=lambda line: line["step"], default={})

    @cached_property
    def clipped_share(self) -> float:
        """Of the lines with a gradient norm those whose norm is above the clip norm."""
        lines = map(json.loads, (self.folder / "metrics.jsonl").read_text().splitlines())
        norms = [line["train/grad_norm"] for line in lines if "train/grad_norm" in line]
        limit = self.said["config"].get("optimizer", {}).get("clip_norm") or float("inf")
        return sum(n is not None and n > limit for n in norms) / len(norms) if norms else NAN

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config that determines the result, flat: {"optimizer.learning_rate": "0.01"}."""
        config = self.said.get("config", {})
        return flat({key: value for key, value in config.items() if key not in NO_RESULT})

    def setting(self, key: str) -> Any:
        """An entry of the config as it is, "(null)" for null; None where there is none."""
        at: Any = self.said.get("config", {})
        for part in key.split("."):
            at = at.get(part) if part in (at or {}) else None
            if part == key.rsplit(".", 1)[-1] and key in self.settings:
                return "(null)" if at is None else at
        return None

    @property
    def architecture(self) -> str:
        """What it is built of, however it is trained."""
        if self.built is not None:
            return self.built
        built = {key: v for key, v in self.settings.items() if key.startswith("model.")}
        return "; ".join(f"{key}={value}" for key, value in sorted(built.items()))

    @cached_property
    def named_by(self) -> dict[str, str]:
        """The settings, with a budget in the place of the width that met it."""
        match = self.said.get("match")
        if not match:
            return self.settings
        told = {key: value for key, value in self.settings.items() if key != "model.features"}
        return told | {f"model.{match['by']}": str(match["budget"])}

    @property
    def rate(self) -> float:
        return _float(self.settings.get("optimizer.learning_rate"))

    @property
    def where(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    def contradictions(self) -> list[str]:
        """Where run.json says something else of validation than metrics.jsonl."""
        if not self.trained:
            return []
        score, wrong = self.said["score"], []
        if (score["valid"], score["step"]) != (self.valid, self.best_step):
            wrong.append(f"{self.where}: the best on validation is {self.valid}@{self.best_step}")
        kept = next((r for r in self.records if r["step"] == score["step"]), {})
        for name, value in self.said["valid"].items():
            if kept.get(f"valid/{name}") != value:
                wrong.append(f"{self.where}: valid {name} of step {score['step']} is not {value}")
        if self.said["test"][score["name"]] != score["test"]:
            wrong.append(f"{self.where}: two test scores")
        return wrong


@dataclass
class Setting:
    """Runs that differ in nothing but their seed: a row of the table."""

    runs: list[Run]
    chosen: bool = False
    cost: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = next(run for run in self.runs if run.built is None)
        self.task, self.label, self.model = first.task, first.label, first.model
        self.sign, self.goal, self.rate = first.sign, first.goal, first.rate
        self.finished = [run for run in self.runs if run.finished]
        self.trained = [run for run in self.runs if run.trained]
        self.n = len(self.finished)
        whole = self.whole_cost = {
            key: median(run.cost.get(key) for run in self.runs) for key in TABLED
        }
        self.cost = whole | {
            key: median(_float(run.cost.get(key), whole[key]) for run in self.finished)
            for key in TABLED
            if self.finished
        }
        self.tests = [run.test for run in self.finished]
        self.valids = [run.valid for run in self.trained]

    def count(self, status: str) -> int:
        return sum(run.status == status for run in self.runs)

    @property
    def lost(self) -> int:
        return self.count("diverged") + self.count("failed")

    @property
    def lost_share(self) -> float:
        """Of the runs that ended."""
        ended = self.lost + len(self.trained)
        return self.lost / ended if ended else 1.0

    @property
    def valid_loss(self) -> float:
        return self.sign * mean(self.valids) if self.trained else INF

    @property
    def losses(self) -> list[float]:
        return [self.sign * test for test in self.tests]

    @property
    def loss(self) -> float:
        return mean(self.losses)

    @property
    def targets(self) -> float:
        return median(run.targets for run in self.runs if not math.isnan(run.targets))

    @property
    def sampling(self) -> float:
        """The half-width of the interval of an accuracy that its number of targets gives.

        Two right and two wrong answers more, or 1.96^2 in all, and then the normal interval.
        """
        n, p = self.targets, mean(self.tests)
        if self.runs[0].score != "accuracy" or math.isnan(n) or not 0 <= p <= 1:
            return NAN
        more = 1.959963984540054**2
        share = (p * n + more / 2) / (n + more)
        return math.sqrt(more * share * (1 - share) / (n + more))

    @property
    def name(self) -> str:
        """What it is called where it competes; others are called by their label."""
        return self.runs[0].contender if self.chosen else self.label

    @property
    def seed_cost(self) -> dict[str, float]:
        """Medians over the finished seeds."""
        return {key: median(values) for key, values in self.cost_by_seed().items()}

    def errors(self, spreads: Mapping[str, float]) -> dict[str, float]:
        """Of each cost its relative standard error: measured n times it is that over sqrt(n)."""
        measured = {k: len(set(v)) for k, v in self.cost_by_seed().items()}
        return {k: spreads.get(k, 0.0) / math.sqrt(n) for k, n in measured.items()}

    def cost_by_seed(self) -> dict[str, list[float]]:
        return {
            key: [_float(run.cost.get(key), self.whole_cost[key]) for run in self.finished]
            for key in COSTS
        }


def read(study: Path) -> list[Run]:
    """The runs of a study's folder."""
    runs = []
    for path in sorted(study.glob("*/run.json")):
        folder = path.parent
        cost = folder / "cost.json"
        runs.append(
            Run(
                folder,
                _run(path.read_text()),
                json.loads(cost.read_text()) if cost.exists() else {},
                _lines(folder / "metrics.jsonl"),
            )
        )
    return runs


def _run(text: str) -> dict[str, Any]:
    """A run.json; of a torn one what stands before the config, which says whose seed it is."""
    try:
        return _renamed(json.loads(text))
    except ValueError:
        kept = json.loads(text[: text.index(', "config"')] + "}")
        why = {"status": "unreadable", "error": "unreadable record: malformed"}
        return {k: v for k, v in kept.items() if k not in ("name", "study")} | why


def _renamed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    target = value.get("_target_")
    return {TODAY.get((target, key), key): _renamed(inner) for key, inner in value.items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def spent_in_all(run: Run) -> tuple[float, float]:
    """Seconds and FLOPs up to the last record; NaN where not recorded."""
    spent = [run.spent_at(record) for record in run.records]
    seconds = [at["seconds"] for at in spent if math.isfinite(at["seconds"])]
    flops = [at["flops"] for at in spent if math.isfinite(at["flops"])]
    return max(seconds, default=NAN), max(flops, default=NAN)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return found


def name_runs(runs: Sequence[Run]) -> None:
    """Task, model and setting are called by what varies: "adding", "gru units=8", "... lr=0.1"."""
    torn = [run for run in runs if run.status == "unreadable"]
    runs = [run for run in runs if run.status != "unreadable"]
    for mine in group_by(runs, lambda run: run.said["task"]).values():
        varied = [key for key in _varied(mine) if key.startswith("task.")]
        for run in mine:
            run.task = _told(run.said["task"], run.named_by, varied)
    for mine in group_by(runs, lambda run: (run.task, run.model)).values():
        varied = [key for key in _varied(mine) if not key.startswith("task.") and key != "seed"]
        built = [key for key in varied if key.startswith("model.")]
        trained = [key for key in varied if not key.startswith("model.")]
        for run in mine:
            run.model_label = _told(run.model, run.named_by, built)
            run.label = _told(run.model_label, run.named_by, trained)
    for run in torn:
        sibling = next(one for one in runs if one.said["group"] == run.said["group"])
        run.task, run.label, run.model_label = sibling.task, sibling.label, sibling.model_label
        run.built = sibling.architecture
    for mine in group_by(runs, lambda run: (run.task, run.label)).values():
        assert len({run.said["group"] for run in mine}) == 1
        assert len({run.seed for run in mine}) == len(mine)


def name_contenders(chosen: Sequence[Setting]) -> None:
    """A chosen model is called by what varies in how the chosen ones are built."""
    for mine in group_by(chosen, lambda s: (s.task, s.model)).values():
        firsts = [next(run for run in s.runs if run.built is None) for s in mine]
        keys = [key for key in _varied(firsts) if key.startswith("model.")]
        for setting, first in zip(mine, firsts, strict=True):
            for run in setting.runs:
                run.contender = _told(first.model, first.named_by, keys)


def group_by(things: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def _varied(runs: Sequence[Run]) -> list[str]:
    settings = [run.named_by for run in runs]
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def _told(name: str, settings: Mapping[str, str], keys: Sequence[str]) -> str:
    short = {"learning_rate": "lr"}
    last = [key.rsplit(".", 1)[-1] for key in keys]
    told = zip(keys, last, strict=True)
    return " ".join([name, *(f"{short.get(x, x)}={settings[k]}" for k, x in told if k in settings)])


def _float(value: Any, otherwise: float = NAN) -> float:
    return otherwise if value is None else float(value)
