"""The schema of a run's record: the names of its files, and what stands in its `run.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from seqexp.errors import SeqexpError

FORMAT = 1
"""Of `run.json`; another number is another version's, which is not read."""

RUN = "run.json"
MANIFEST = "manifest.json"
COST = "cost.json"
METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
SAMPLES = "samples.jsonl"
PICTURES = "pictures"
FILES = "files"
WEIGHTS = "weights.msgpack"

Status = Literal["finished", "diverged", "failed", "running"]
Goal = Literal["min", "max"]

WHOSE: Mapping[str, type] = {"id": str, "model": str, "task": str, "seed": int, "group": str}
"""The fields that tell whose seed a run is."""

MAPPINGS = ("config", "valid", "test", "test_targets", "held_out", "baselines")


class Malformed(SeqexpError):
    """What is missing or wrong in a record, in a few words; the file is the caller's to name."""


@dataclass(frozen=True)
class Scored:
    """The metric that a run is judged by, and its values.

    Attributes:
        name: of the metric.
        goal: whether less or more of it is better.
        step: of the weights that were best on validation; None while there are none.
        valid: their score on validation.
        test: their score on the test split; None where it was not finite.
    """

    name: str
    goal: Goal
    step: int | None = None
    valid: float | None = None
    test: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The object in `run.json`."""
        return {key: getattr(self, key) for key in ("name", "goal", "step", "valid", "test")}

    @classmethod
    def from_json(cls, value: Any) -> Scored | None:
        """The score in a `run.json`; None where it does not name a metric and its goal."""
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            return None
        if value.get("goal") not in get_args(Goal):
            return None
        kinds: dict[str, Any] = {"step": int, "valid": int | float, "test": int | float}
        told = {key: value[key] for key, kind in kinds.items() if isinstance(value.get(key), kind)}
        return cls(value["name"], value["goal"], **told)


@dataclass(frozen=True)
class Run:
    """What stands in a run's `run.json`.

    Attributes:
        id: `identity.identity` of its config.
        model: the name of the model's config.
        task: the name of the task's config.
        seed: of all its randomness.
        group: `identity.group_identity`, shared by its other seeds.
        study: the sweep that it belongs to.
        name: for people, such as "lstm adding lr=0.003 seed 0".
        status: how far it came.
        config: resolved, without secrets.
        match: the budget that its width was solved for, and what it reached; None where the width
            is as configured.
        choices: the file chosen in each group of the menu, null for none.
        score: what it is judged by; None where a record that is not finished does not tell.
        valid: all metrics on validation, of the weights that were best there; None for a metric
            that was not finite.
        test: the same on the test split.
        baselines: scores that need no model.
        diverged_step: at which the loss or the parameters were no longer finite.
        error: why it failed.
        test_targets: over how many targets (or their weights) each metric in `test` is a mean; None
            in records of old.
        held_out: metrics on further splits that were read once, like test: {"length 4x": {...}}.
    """

    id: str
    model: str
    task: str
    seed: int
    group: str
    study: str = ""
    name: str = ""
    status: Status = "running"
    config: Mapping[str, Any] = field(default_factory=dict)
    match: Mapping[str, Any] | None = None
    choices: Mapping[str, str | None] = field(default_factory=dict)
    score: Scored | None = None
    valid: Mapping[str, float | None] = field(default_factory=dict)
    test: Mapping[str, float | None] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    diverged_step: int | None = None
    error: str | None = None
    test_targets: Mapping[str, float] | None = None
    held_out: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object in `run.json`, its keys in the order of the file."""
        written = {
            "format": FORMAT,
            "id": self.id,
            "study": self.study,
            "name": self.name,
            "model": self.model,
            "task": self.task,
            "seed": self.seed,
            "group": self.group,
            "status": self.status,
            "config": dict(self.config),
            "match": None if self.match is None else dict(self.match),
            "choices": dict(self.choices),
            "score": None if self.score is None else self.score.to_json(),
            "valid": dict(self.valid),
            "test": dict(self.test),
            "baselines": dict(self.baselines),
            "diverged_step": self.diverged_step,
            "error": self.error,
        }
        if self.test_targets is not None:
            written["test_targets"] = dict(self.test_targets)
        if self.held_out:
            written["held_out"] = {name: dict(own) for name, own in self.held_out.items()}
        return written

    @classmethod
    def whose(cls, value: Mapping[str, Any]) -> Run:
        """A run of which no more is read than whose seed it is.

        Raises:
            Malformed: the object does not tell, or is of another format.
        """
        if value.get("format") != FORMAT:
            raise Malformed(f"format {value.get('format')!r} is not {FORMAT}, the one known here")
        for key, kind in WHOSE.items():
            if not isinstance(value.get(key), kind) or value[key] == "":
                raise Malformed(f"{key} is missing")
        return cls(**{key: value[key] for key in WHOSE}, name=value["id"])

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Run:
        """The run that an object in `run.json` tells of.

        Raises:
            Malformed: naming what is missing or wrong. What a run may do without is left out.
        """
        run = cls.whose(value)
        if value.get("status") not in get_args(Status):
            raise Malformed(f"status {value.get('status')!r} is unknown")
        for key in MAPPINGS:
            if not isinstance(value.get(key, {}), Mapping):
                raise Malformed(f"{key} is malformed")
        if not all(isinstance(own, Mapping) for own in value.get("held_out", {}).values()):
            raise Malformed("held_out is malformed")
        if not all(is_number(score) for score in value.get("baselines", {}).values()):
            raise Malformed("a baseline is not a number")
        if not isinstance(value.get("score"), Mapping | None):
            raise Malformed("score is malformed")
        score = Scored.from_json(value.get("score"))
        if value["status"] == "finished" and (score is None or not is_number(score.valid)):
            raise Malformed("it finished without a validation score that is a number")
        kinds: dict[str, Any] = {"study": str, "name": str, "match": Mapping, "choices": Mapping}
        kinds |= {"diverged_step": int, "error": str} | dict.fromkeys(MAPPINGS, Mapping)
        told = {key: value[key] for key, kind in kinds.items() if isinstance(value.get(key), kind)}
        return replace(run, status=value["status"], score=score, **told)


def is_number(value: Any) -> bool:
    """Whether it is a number that is finite."""
    return isinstance(value, int | float) and math.isfinite(value)
