"""What is measured: the shapes, and the cases made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Cell = Literal["LSTM", "GRU", "GRU before", "RNN"]
"""RNN is Elman's, with tanh; a GRU resets after the recurrent product, "GRU before" before it."""

Scope = Literal["full", "training", "quick"]
"""How much is measured: everything, the training of single layers and loops, or a first look."""

CELLS: tuple[Cell, ...] = ("LSTM", "GRU", "RNN")
GATES: dict[Cell, int] = {"LSTM": 4, "GRU": 3, "GRU before": 3, "RNN": 1}


class Shape(NamedTuple):
    """B, T, D and H."""

    batch: int
    time: int
    input: int
    hidden: int


SHAPES = (
    Shape(16, 50, 8, 32),
    Shape(32, 100, 16, 64),
    Shape(32, 200, 2, 64),
    Shape(32, 100, 64, 128),
    Shape(32, 784, 1, 128),
    Shape(64, 100, 128, 256),
    Shape(128, 35, 256, 512),
)
SOME = SHAPES[1], SHAPES[3]
"""Where what varies is not the shape: layers, directions, Keras, ragged batches on one thread."""

WIDE = SHAPES[5], SHAPES[6]
"""Where products are most of the time, and bfloat16 is tried."""

LENGTHS = (50, 100, 200, 400, 800)
WIDTHS = (32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Case:
    """One thing to measure, at a number of threads that its process settles.

    Attributes:
        cell: which recurrence.
        backward: the outputs and the gradients of everything, rather than the outputs alone.
        shape: B, T, D, H.
        ragged: lengths uniform from T/4 to T, rather than all T.
        layers: on top of each other.
        bidirectional: each layer in both directions, concatenated.
    """

    cell: Cell
    backward: bool
    shape: Shape
    ragged: bool = False
    layers: int = 1
    bidirectional: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def inputs(self) -> list[int]:
        """The input features of each layer."""
        above = self.shape.hidden * self.directions
        return [self.shape.input, *[above] * (self.layers - 1)]

    @property
    def reset_after(self) -> bool:
        """Whether there is a bias inside the reset."""
        return self.cell == "GRU"

    def __str__(self) -> str:
        extras = [
            *(["ragged"] if self.ragged else []),
            *([f"{self.layers} layers"] if self.layers > 1 else []),
            *(["bidirectional"] if self.bidirectional else []),
        ]
        what = "forward+backward" if self.backward else "forward"
        return " ".join([self.cell, what, str(tuple(self.shape)), *extras])


def parts(scope: Scope, threads: int) -> list[tuple[str, int]]:
    """The parts of a scope, each with its number of threads, what matters most first."""
    found = [("cell", threads), ("loop", threads)]
    if scope != "training":
        found += [("cell", 1), ("sweep", threads)]
    return list(dict.fromkeys(found))


def cells(scope: Scope) -> tuple[Cell, ...]:
    """The cells of the loops and of the sweeps."""
    return CELLS[:1] if scope == "quick" else CELLS


def cell_cases(scope: Scope, threads: int) -> list[Case]:
    """The cases of the cell level.

    "full": on two threads every shape, full and ragged, and at `SOME` also two layers and both
    directions; on one thread every shape full, and ragged at `SOME`. "training": of these, single
    layers with their backward pass, ragged at `SOME`. "quick": one small shape.
    """
    if scope == "quick":
        return list(_quick_cases(threads))
    cases = list(_full_cases(threads))
    return cases if scope == "full" else [case for case in cases if _trains_one_layer(case)]


def _trains_one_layer(case: Case) -> bool:
    single = case.layers == 1 and not case.bidirectional
    return case.backward and single and (not case.ragged or case.shape in SOME)


def _full_cases(threads: int) -> Iterator[Case]:
    for cell in CELLS:
        for shape in SHAPES:
            for backward in (False, True):
                case = Case(cell, backward, shape)
                yield case
                if threads > 1 or shape in SOME:
                    yield replace(case, ragged=True)
                if threads > 1 and shape in SOME:
                    yield replace(case, layers=2)
                    yield replace(case, bidirectional=True)
    if threads > 1:
        for shape in SOME:
            yield Case("GRU before", False, shape)
            yield Case("GRU before", True, shape)


def _quick_cases(threads: int) -> Iterator[Case]:
    for cell in CELLS if threads > 1 else CELLS[:1]:
        yield Case(cell, False, SOME[0])
        yield Case(cell, True, SOME[0])
    if threads > 1:
        yield Case("LSTM", True, SOME[0], ragged=True)
        yield Case("GRU", True, SOME[0], ragged=True)
        yield Case("LSTM", True, SOME[0], layers=2)
        yield Case("LSTM", True, SOME[0], bidirectional=True)


def sweep_cases(scope: Scope) -> Iterator[Case]:
    """Forward and backward against length at 64 units, and against width at 100 steps."""
    few = slice(2) if scope == "quick" else slice(None)
    lengths, widths = LENGTHS[few], WIDTHS[few]
    by_length = [Shape(32, length, 32, 64) for length in lengths]
    by_width = [Shape(32, 100, 32, width) for width in widths]
    for cell in cells(scope):
        # One shape is in both.
        for shape in dict.fromkeys(by_length + by_width):
            yield Case(cell, True, shape)
