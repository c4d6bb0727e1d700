"""Solve each model's width for its budget, before anything trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqexp.matching.budgets import Budget
from seqexp.matching.search import Match, match_measured, match_width
from seqexp.runs.identity import canonical, without_absent
from seqexp.runs.locks import Locks
from seqexp.runs.record import study_directory
from seqexp.sweeps.data import Data
from seqexp.sweeps.kept_widths import KeptWidths
from seqexp.sweeps.names import labels_of, on_task
from seqexp.sweeps.point import Point, once_each
from seqexp.sweeps.progress import console
from seqexp.sweeps.typed_config import TRACED
from seqexp.training.mesh import AUTO
from seqexp.types import SeqexpError, first_line


@dataclass(frozen=True)
class _Solved:
    label: str
    budget: Budget
    match: Match
    note: str


OF_A_STEP = ("batch_size", "batch_devices", "precision")
"""Keys of `trainer` that what a step costs depends on."""
NOT_OF_A_STEP = (*TRACED, "decayed")
"""Keys of `optimizer` that it does not depend on."""


def match_widths(points: Sequence[Point], data: Data) -> list[Point]:
    """The points with their widths solved for what `match` asks; what each model got is printed.

    Points that differ only in seeds, rates and the length of training share a width.

    Args:
        points: of one study, as configured.
        data: loads a task's data, for the axes that need it.

    Returns:
        The points in order; one without `match`, or that is solved already, is as it was.

    Raises:
        SeqexpError: naming every model whose `match` is mistaken, or, if none is, every model that
            cannot meet its budget, with the nearest that it can.
    """
    texts = once_each(points, lambda p: canonical(question(p)) if _is_open(p) else None)
    asked = {text: point for text, point in zip(texts, points, strict=True) if text is not None}
    if not asked:
        return list(points)
    called = labels_of(list(asked.values()), _without_match)
    labels = {key: on_task(label) for key, label in zip(asked, called, strict=True)}
    terminal = console()
    budgets = _each(labels, lambda key: _budget(asked[key]))
    with terminal.status("") as status:

        def solve(key: str) -> _Solved:
            status.update(Text(f"matching {labels[key]}"))
            return _solve(asked[key], budgets[key], labels[key], data, terminal)

        solved = _each(labels, solve)
    _print(solved.values(), terminal)

    def at_width(point: Point) -> Point | None:
        return _at(point, solved[canonical(question(point))]) if _is_open(point) else None

    # Points that are the same but for their seeds still share what is in them.
    found = once_each(points, at_width)
    return [
        point if at is None else at.with_seed(point.config["seed"], point.name)
        for point, at in zip(points, found, strict=True)
    ]


def _is_open(point: Point) -> bool:
    """Whether a width is asked for, and not solved yet."""
    return bool(point.config.get("match")) and point.match is None


def question(point: Point) -> dict[str, Any]:
    """All of a config that its width can depend on."""
    config = without_absent(point.config)
    trainer = {"batch_size": None, "batch_devices": None, **config["trainer"]}
    return {
        "model": {k: v for k, v in config["model"].items() if k != "features"},
        "task": config["task"],
        "optimizer": {k: v for k, v in config["optimizer"].items() if k not in NOT_OF_A_STEP},
        "trainer": {k: v for k, v in trainer.items() if k in OF_A_STEP},
        "match": config["match"],
    }


def _without_match(point: Point) -> dict[str, Any]:
    return {key: value for key, value in question(point).items() if key != "match"}


def _each(labels: Mapping[str, str], answer: Any) -> dict[str, Any]:
    """The answer for each key; where some fail, one error that names them all."""
    answers: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for key, label in labels.items():
        try:
            answers[key] = answer(key)
        except SeqexpError as error:
            wrong.setdefault(str(error), []).append(label)
    if wrong:
        raise SeqexpError(
            "; ".join(f"{', '.join(names)}: {message}" for message, names in wrong.items())
        )
    return answers


def _budget(point: Point) -> Budget:
    budget = Budget.of(point.config["match"])
    if "features" not in point.config["model"]:
        raise SeqexpError(
            "the model has no `features` to solve for: give it that argument in its file, or leave "
            "match out"
        )
    if budget.axis.measured and point.config["trainer"].get("batch_devices") == AUTO:
        raise SeqexpError(
            f"trainer.batch_devices={AUTO} depends on the width that match={budget.by} solves for: "
            "set a number"
        )
    return budget


def _solve(point: Point, budget: Budget, label: str, data: Data, console: Console) -> _Solved:
    cost = partial(_cost, point, budget, data)
    try:
        # Mistakes in the config are found here, whatever the search would make of them.
        point.at_width(budget.multiple).build()
        if budget.axis.measured:
            return _timed(point, budget, label, cost, console)
        match = match_width(
            cost,
            budget.budget,
            multiple=budget.multiple,
            tolerance=budget.tolerance,
            shown=budget.axis.shown,
        )
    except (TypeError, ValueError) as error:
        raise SeqexpError(f"the model does not fit the task: {first_line(error)}") from error
    return _Solved(label, budget, match, "")


def _timed(point: Point, budget: Budget, label: str, cost: Any, console: Console) -> _Solved:
    """A measured width: as this study has measured it earlier, or else measured now."""
    study = study_directory(Path(point.config["runs_dir"]), point.config["study"])
    with Locks(study) as locks:
        # Of two sweeps that start together one measures, and the other trains the same width.
        locks.wait_for(
            "widths", lambda by: console.print(f"waiting: {by} times steps", markup=False)
        )
        kept = KeptWidths(study, question(point), point)
        if found := kept.find(budget):
            note = "kept, of other code" if found.other_code else "kept"
            return _Solved(label, budget, found.match, note)
        console.print(f"{label}: timing training steps", markup=False, soft_wrap=True)
        timings: list[tuple[int, float]] = []

        def measure(width: int) -> float:
            timings.append((width, cost(width)))
            return timings[-1][1]

        match = match_measured(
            measure,
            budget.budget,
            multiple=budget.multiple,
            tolerance=budget.tolerance,
            shown=budget.axis.shown,
        )
        kept.keep(budget, match, timings)
    return _Solved(label, budget, match, f"{len(timings)} timings")


def _cost(point: Point, budget: Budget, data: Data, width: int) -> float:
    experiment = point.at_width(width).build()
    load = partial(data.load, point.config["task"], experiment)
    return budget.axis.cost(experiment, load, point.config["trainer"]["batch_devices"])


def _at(point: Point, solved: _Solved) -> Point:
    match = {**asdict(solved.budget), **solved.match._asdict()}
    return replace(point.at_width(solved.match.width), match=match)


def _print(solved: Iterable[_Solved], console: Console) -> None:
    """What each model got."""
    table = Table(box=None, pad_edge=False)
    table.add_column("matched", overflow="fold")
    for column in ("width", "reached", "of", "off by", ""):
        table.add_column(column, overflow="fold", justify="right")
    for row in dict.fromkeys(solved):
        axis, budget, reached = row.budget.axis, row.budget.budget, row.match.reached
        off = f"{reached / budget - 1:+.1%}"
        cells = str(row.match.width), axis.number(reached), axis.shown(budget), off, row.note
        table.add_row(Text(row.label), *cells)
    console.print(table)
