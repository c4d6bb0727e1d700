"""What the points of a sweep are called: by what varies between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqexp.runs.identity import NOT_RESULT, canonical
from seqexp.runs.naming import Group, Label, flatten, labels, told
from seqexp.sweeps.point import Point, once_each


def run_names(points: Sequence[Point]) -> list[str]:
    """Of each point the name of its run: "gru digits lr=0.002 seed 0"."""
    called = labels_of(points, result_of)
    return [
        point.name or label.run(point.config["seed"])
        for label, point in zip(called, points, strict=True)
    ]


def group_names(points: Sequence[Point]) -> list[str]:
    """Of each point the name of all that train in its program: "gru remat=8 on digits"."""
    return [on_task(label) for label in labels_of(points, program_of)]


def on_task(label: Label) -> str:
    """A model, as it is trained, on its task."""
    return f"{label.whole} on {label.task}"


def labels_of(points: Sequence[Point], config: Callable[[Point], Mapping[str, Any]]) -> list[Label]:
    """The label of each point among these: the same for all whose `config` and budget agree.

    Args:
        points: with their widths solved, or as configured.
        config: the part of a point's config that tells it apart; seeds are no part of it.
    """
    settings: dict[Group, Mapping[str, str]] = {}

    def group_of(point: Point) -> Group:
        run = {"match": point.match or point.config.get("match"), "choices": point.choices}
        own = told(flatten(config(point)), run)
        key = hashlib.sha256(canonical(own).encode("utf-8")).hexdigest()
        group = Group(point.task, point.model, key)
        settings[group] = own
        return group

    groups = once_each(points, group_of)
    named = labels(settings)
    return [named[group] for group in groups]


def result_of(point: Point) -> dict[str, Any]:
    """What of a point's config determines its result, but for the seed."""
    return {k: v for k, v in point.config.items() if k not in (*NOT_RESULT, "seed")}


def program_of(point: Point) -> dict[str, Any]:
    """What of a point's config all members of its group share."""
    return {k: v for k, v in point.shared_config().items() if k not in NOT_RESULT}
