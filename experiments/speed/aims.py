"""What the engine aims at, and how far it came: ratios over rows of results.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]


class Reached(NamedTuple):
    """Of some rows: the smallest value, the row that has it, the geometric mean, how many."""

    worst: float
    where: Row
    mean: float
    count: int


class Aim(NamedTuple):
    """A thing to reach.

    Attributes:
        what: in words.
        chosen: which rows it is about.
        worst: what every row should reach at least; None where only the mean counts.
        mean: what their geometric mean should reach at least; None where only the worst counts.
        of: the key of what is compared.
    """

    what: str
    chosen: Callable[[Row], bool]
    worst: float | None
    mean: float | None
    of: str = "ratio"


def geometric_mean(values: Iterable[float]) -> float:
    """exp of the mean logarithm."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def reached(aim: Aim, rows: Sequence[Row]) -> Reached | None:
    """How far the rows of an aim came; None where none was measured."""
    chosen = [row for row in rows if aim.chosen(row) and row[aim.of] is not None]
    if not chosen:
        return None
    where = min(chosen, key=lambda row: row[aim.of])
    return Reached(where[aim.of], where, geometric_mean(row[aim.of] for row in chosen), len(chosen))


def met(aim: Aim, found: Reached) -> bool:
    """Whether both demands of an aim are met."""
    return found.worst >= (aim.worst or 0) and found.mean >= (aim.mean or 0)


def plain(row: Row) -> bool:
    """One layer forward and backward over full lengths, on two threads."""
    return _training(row) and not row["ragged"] and row["layers"] == 1 and not row["bidirectional"]


def _training(row: Row) -> bool:
    on_two = row["level"] == "cell" and row["threads"] == 2
    return on_two and row["pass"] == "forward+backward"


def _cell_against(cell: str | None, opponent: str) -> Callable[[Row], bool]:
    return lambda row: plain(row) and row["opponent"] == opponent and cell in (None, row["cell"])


def _eight_against(cell: str | None, opponent: str) -> Callable[[Row], bool]:
    return lambda row: (
        row["level"] == "loop"
        and row["members"] > 1
        and row["opponent"] == opponent
        and cell in (None, row["cell"])
    )


AIMS = (
    Aim("LSTM layer against torch", _cell_against("LSTM", "torch"), 1.0, 1.3),
    Aim("GRU layer against torch", _cell_against("GRU", "torch"), 1.5, 3.0),
    Aim("RNN layer against torch", _cell_against("RNN", "torch"), 1.2, 2.0),
    Aim("all three layers against `nnx.RNN`", _cell_against(None, "flax"), 1.0, 1.8),
    Aim(
        "ragged batches against torch's packed sequences",
        lambda row: _training(row) and row["opponent"] == "torch packed",
        None,
        3.0,
    ),
    Aim(
        "ragged batches against our own of full lengths",
        lambda row: _training(row) and row["opponent"] == "seqexp, full lengths",
        None,
        0.95,
    ),
    Aim("LSTM training, eight members, against torch", _eight_against("LSTM", "torch"), 2.0, None),
    Aim("GRU training, eight members, against torch", _eight_against("GRU", "torch"), 4.0, None),
    Aim("RNN training, eight members, against torch", _eight_against("RNN", "torch"), 4.0, None),
    Aim("LSTM training, eight members, against Flax", _eight_against("LSTM", "flax"), 2.5, None),
    Aim("GRU training, eight members, against Flax", _eight_against("GRU", "flax"), 2.0, None),
    Aim("RNN training, eight members, against Flax", _eight_against("RNN", "flax"), 2.0, None),
    Aim(
        "eight members on two cores against one after another on one",
        _eight_against(None, "seqexp, one core"),
        1.85,
        None,
    ),
    Aim(
        "limit / time, 128 units and more",
        # Of a row an opponent, one: the fraction is of our time alone.
        lambda row: plain(row) and row["shape"][3] >= 128 and row["opponent"] in ("torch", "flax"),
        0.7,
        None,
        of="roofline_fraction",
    ),
)
