"""What a probe is: the question that an inspection asks of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from seqexp.types import Array, Batch, KeyArray, Model, SeqexpError, reason


class Found(NamedTuple):
    """What a probe finds.

    Attributes:
        arrays: by name, "hidden/layer_1"; an array of no dimension is a number, "dead/layer_1".
        not_defined: by name, why there is no such array of this model.
    """

    arrays: Mapping[str, Array]
    not_defined: Mapping[str, str] = {}


class Probe(Protocol):
    """Asks something of a model on a batch; traced, and the same for the same key.

    A third-party probe is a function of this signature. It raises SeqexpError, with the reason,
    where its question is not defined for a model.
    """

    def __call__(self, model: Model, batch: Batch, key: KeyArray) -> Found: ...


def each(names: Iterable[str], kind: str, ask: Callable[[str], Mapping[str, Array]]) -> Found:
    """What is found of each layer, or why it is not defined there.

    Args:
        names: of the layers.
        kind: what is asked for, the first part of its name.
        ask: of a layer, by its name; it may raise SeqexpError.

    >>> def ask(name):
    ...     if name == "layer_2":
    ...         raise SeqexpError("it carries nothing")
    ...     return {f"speed/{name}": 1.0}
    >>> each(["layer_1", "layer_2"], "speed", ask)
    Found(arrays={'speed/layer_1': 1.0}, not_defined={'speed/layer_2': 'it carries nothing'})
    """
    arrays: dict[str, Array] = {}
    not_defined: dict[str, str] = {}
    for name in names:
        try:
            arrays |= ask(name)
        except SeqexpError as error:
            not_defined[f"{kind}/{name}"] = reason(error)
    return Found(arrays, not_defined)


def together(*parts: Found) -> Found:
    """What several probes found."""
    arrays: dict[str, Array] = {}
    not_defined: dict[str, str] = {}
    for part in parts:
        arrays |= part.arrays
        not_defined |= part.not_defined
    return Found(arrays, not_defined)
