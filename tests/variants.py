"""Every cell, with every option, under every wrapper: the table that the laws are tested over.

A class that `seqexp.cells` exports is found by itself, and is tested with its defaults; its
options stand in OPTIONS. A wrapper that `seqexp.layers` exports must have an entry in WRAPPERS.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp import cells, layers
from seqexp.cells.protocol import Cell
from seqexp.compiling import quick_jit
from seqexp.layers import DropConnect, RecurrentDropout, Variational, Zoneout
from seqexp.layers.cell_dropout import CellDropout
from seqexp.recurrences.masking import time_first
from seqexp.types import SeqexpError
from tests.full import full as full_only

__all__ = ["quick_jit"]

IN_FEATURES = 3
FEATURES = 4

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "Elman": [{"activation": "relu", "recurrent_init": "identity", "recurrent_scale": 0.5}],
    "LSTM": [
        {"peepholes": True},
        {"coupled": True},
        {"layer_norm": True},
        {"projection": 2},
        {"peepholes": True, "coupled": True, "layer_norm": True, "projection": 2},
    ],
    "GRU": [{"reset": "after"}],
    "AntisymmetricRNN": [{"gated": True}],
    "SLSTM": [{"heads": 2}, {"heads": 3, "forget": "exponential"}],
    "QRNN": [{"window": 1}],
}

FIRST = "Elman", "LSTM", "GRU"
"""Classes that the quick tests try with every option and wrapper; of the others they try the layers
of the menu (tests/layers/test_menu_layers.py), and all else is for the exhaustive matrix."""

WRAPPERS: dict[str, Callable[[Cell], Cell]] = {
    "Variational": partial(Variational, input_rate=0.3, hidden_rate=0.4),
    "RecurrentDropout": partial(RecurrentDropout, rate=0.4),
    "Zoneout": partial(Zoneout, rate=0.3),
    "DropConnect": partial(DropConnect, rate=0.4),
}


def drawn(make: Callable[[], Any], dtype: Any = np.float64) -> Any:
    """What `make` gives, with all parameters drawn by numpy: no initialiser is compiled."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(dtype), jax.eval_shape(make)
    )


def unroll(cell, xs, *, carry=None, lengths=None, dropout=None, reverse=False) -> Any:
    """A cell's `unroll`, batch-first, as a stack runs it."""
    xs, mask = time_first(xs, lengths)
    ys, carry = cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)
    return jnp.swapaxes(ys, 0, 1), carry


def unroll_layer(layer, xs, lengths=None, carry=None, key=None) -> Any:
    """A layer's `unroll`, batch-first, as a stack runs it."""
    xs, mask = time_first(xs, lengths)
    ys, carry = layer.unroll(xs, mask, carry, key=key)
    return jnp.swapaxes(ys, 0, 1), carry


def everything(cell: Cell) -> Cell:
    """The wrappers that need loops of their own, inside each other."""
    zoned = Zoneout(Variational(cell, input_rate=0.3, hidden_rate=0.4), rate=0.3)
    return DropConnect(zoned, rate=0.4)


def cell_classes() -> dict[str, Any]:
    """What `seqexp.cells` exports."""
    found: dict[str, Any] = {name: getattr(cells, name) for name in cells.__all__}
    return {name: kind for name, kind in found.items() if inspect.isclass(kind)}


def wrapper_names() -> set[str]:
    """The classes of `seqexp.layers` that wrap a cell and draw dropout masks."""
    kinds: dict[str, Any] = {name: getattr(layers, name) for name in layers.__all__}
    return {
        n for n, kind in kinds.items() if inspect.isclass(kind) and issubclass(kind, CellDropout)
    }


def bare_cells() -> dict[str, Callable[[], Cell]]:
    """What makes each class with its defaults, and with each of its options, by a name to show."""
    makers: dict[str, Callable[[], Cell]] = {}
    for name, kind in cell_classes().items():
        makers[name] = partial(_bare, kind, {})
        for options in OPTIONS.get(name, []):
            shown = ",".join(f"{key}={value}" for key, value in options.items())
            makers[f"{name}({shown})"] = partial(_bare, kind, options)
    return makers


@functools.cache
def wrapped_cells(full: bool) -> dict[str, Callable[[], Cell]]:
    """Each wrapper over each class of FIRST with its defaults. If `full`, over their options
    instead, and over the defaults of the other classes what drops the update, and all the rest at
    once or, where one is refused, each alone.

    A wrapper that refuses a cell is left out.
    """
    classes = cell_classes()
    wraps = WRAPPERS | {"everything": everything}
    makers: dict[str, Callable[[], Cell]] = {}
    for cell_name, make in bare_cells().items():
        over = {f"{n}({cell_name})": partial(_wrapped, wrap, make) for n, wrap in wraps.items()}
        if is_first(cell_name) and (cell_name in classes) != full:
            makers |= over
        elif full and cell_name in classes and not is_first(cell_name):
            together = f"everything({cell_name})"
            some = {together, f"RecurrentDropout({cell_name})"}
            makers |= {n: m for n, m in over.items() if n in some or not _accepted(over[together])}
    return {name: make for name, make in makers.items() if _accepted(make)}


def is_first(name: str) -> bool:
    """Whether a variant, by its name, is of a class of FIRST."""
    return name.partition("(")[0] in FIRST


def quick(names: Iterable[str]) -> list[Any]:
    """Names as parameters, those of the other classes for the exhaustive matrix alone."""
    return [name if is_first(name) else full_only(name) for name in names]


def _bare(kind: Callable[..., Cell], options: dict[str, Any]) -> Cell:
    return kind(IN_FEATURES, FEATURES, **options, rngs=nnx.Rngs(0))


def _wrapped(wrap: Callable[[Cell], Cell], make: Callable[[], Cell]) -> Cell:
    return wrap(make())


def _accepted(make: Callable[[], Cell]) -> bool:
    try:
        jax.eval_shape(make)
    except SeqexpError:
        return False
    return True
