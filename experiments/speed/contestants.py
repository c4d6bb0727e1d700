"""Who takes part in a case, and in how many ways."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import jax
from flax_layers import KINDS, Flax
from ours import Ours
from problem import Answer, Problem, require_equal
from shapes import SOME, WIDE
from timing import Contestant


class Layers(Protocol):
    """A case in somebody's layers."""

    def run(self) -> Any: ...

    def answer(self) -> Answer: ...


class Way(NamedTuple):
    """How to build a contestant; see `Contestant`.

    Attributes:
        equal: whether it computes what we do, and must give the same.
    """

    name: str
    how: str
    build: Callable[[Problem], Layers]
    equal: bool = True


def missing(library: str) -> bool:
    """Whether a library is not installed."""
    return importlib.util.find_spec(library) is None


def ways(problem: Problem, threads: int) -> Iterator[Way]:
    """Everybody who can compute a problem, ourselves first."""
    case = problem.case
    plain = case.layers == 1 and not case.bidirectional and not case.ragged
    low = plain and case.cell == "LSTM" and case.backward and case.shape in WIDE
    for devices in range(1, jax.local_device_count() + 1):
        yield Way("ours", counted(devices, "device"), lambda p, n=devices: Ours(p, n))
        if case.ragged:
            yield Way(
                "seqexp, full lengths",
                counted(devices, "device"),
                lambda p, n=devices: Ours(replace(p, lengths=None), n),
                equal=False,
            )
        if low:
            how = counted(devices, "device")
            yield Way("seqexp, bfloat16", how, lambda p, n=devices: Ours(p, n, "bfloat16"), False)
    if low and not missing("torch"):
        from torch_layers import Torch

        for count in range(1, threads + 1):
            how = counted(count, "thread")
            yield Way("torch, autocast", how, lambda p, n=count: Torch(p, n, low=True), False)
    if case.cell in KINDS:
        yield from _torch(problem, threads)
        for kind in KINDS[case.cell] if plain else KINDS[case.cell][:1]:
            yield Way("flax", kind.__name__, lambda p, kind=kind: Flax(p, kind))
    if plain and threads > 1 and case.shape in SOME and not missing("keras"):
        from keras_layers import Keras

        yield Way("keras", "", Keras)


def checked(problem: Problem, threads: int) -> list[Contestant]:
    """Everybody who can compute a problem, having computed it.

    Raises:
        ValueError: if one's answer is not ours.
    """
    answer: Answer | None = None
    found = []
    everybody = list(ways(problem, threads))
    # Most of the time goes to compilation, of which each takes little more than one core.
    with ThreadPoolExecutor(threads) as pool:
        built = list(pool.map(lambda way: way.build(problem), everybody))
    for way, layers in zip(everybody, built, strict=True):
        theirs = layers.answer()
        answer = theirs if answer is None else answer
        if way.equal:
            require_equal(answer, theirs, f"{way.name} ({way.how})")
        found.append(Contestant(way.name, way.how, layers.run))
    return found


def _torch(problem: Problem, threads: int) -> Iterator[Way]:
    if missing("torch"):
        return
    from torch_layers import Torch

    for count in range(1, threads + 1):
        how = counted(count, "thread")
        name = "torch packed" if problem.case.ragged else "torch"
        yield Way(name, how, lambda p, n=count: Torch(p, n))
        # Padding comes last, so forward layers may compute on through it and ignore the outputs.
        if problem.case.ragged and not problem.case.bidirectional:
            yield Way("torch padded", how, lambda p, n=count: Torch(p, n, packed=False))


def counted(number: int, what: str) -> str:
    """A number of things, in words: "2 threads"."""
    return f"{number} {what}" + ("s" if number > 1 else "")
