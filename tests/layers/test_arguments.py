"""Cells and layers refuse what is taken for another value: NaN for a number, a word for a flag."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import pytest
from flax import nnx

from seqexp import cells, layers
from seqexp.types import SeqexpError

NEEDED: dict[str, Any] = {
    "in_features": 4,
    "features": 4,
    "heads": 2,
    "state": 4,
    "levels": 2,
    "width": 2,
    "dropout": 0.0,
    "residual": True,
    "norm": "none",
    "kind": "gelu",
    "expansion": 2.0,
    "mixer": partial(layers.LinearAttention, heads=2),
    "convolution": None,
    "mlp": None,
}
"""What has no default somewhere."""
WRONG = {
    "float": (float("nan"), float("inf"), "0.5", True),
    "bool": ("no", 0, None),
    "int": (True, 2.0, "2"),
}


def classes() -> Iterator[type]:
    """Those that are built of sizes and options."""
    for module in (cells, layers):
        for name in module.__all__:
            each = getattr(module, name)
            if inspect.isclass(each) and {"in_features", "features"} <= arguments(each).keys():
                yield each


def arguments(each: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(each.__init__).parameters)


def kinds(parameter: inspect.Parameter) -> list[str]:
    return [part for part in str(parameter.annotation).split(" | ") if part in WRONG]


def built(make: Callable[..., Any]) -> Any:
    return make(rngs=nnx.Rngs(0))


CASES = [
    pytest.param(each, name, kind, id=f"{each.__name__}-{name}")
    for each in classes()
    for name, parameter in arguments(each).items()
    for kind in kinds(parameter)
]


@pytest.mark.parametrize("each, name, kind", CASES)
def test_a_value_of_another_kind_is_refused(each, name, kind):
    given = {
        other: NEEDED[other]
        for other, parameter in arguments(each).items()
        if parameter.default is inspect.Parameter.empty and other in NEEDED
    }
    for wrong in WRONG[kind]:
        if wrong is None and "None" in str(arguments(each)[name].annotation):
            continue
        make = partial(each, **given | {name: wrong})
        with pytest.raises(SeqexpError, match=name):
            jax.eval_shape(partial(built, make))


def test_wrappers_refuse_words_for_flags():
    def cell(features: int = 4) -> Any:
        return cells.Elman(4, features, rngs=nnx.Rngs(0))

    stack = partial(
        layers.Stack, [layers.Recurrent(cell())], dropout=0.0, norm="none", rngs=nnx.Rngs(0)
    )
    makes: dict[str, Callable[..., Any]] = {
        "reverse": partial(layers.Recurrent, cell()),
        "together": partial(layers.Bidirectional, cell(), cell()),
        "residual": stack,
    }
    for name, make in makes.items():
        with pytest.raises(SeqexpError, match=f"{name} must be true or false, not 'no'"):
            make(**{name: "no"})
