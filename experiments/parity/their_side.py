"""PyTorch modules in float64, whatever they cast to, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from comparing import Answer, Arrays
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Result = tuple[Tensor, Mapping[str, Tensor]]
"""Outputs, batch first, and final states by name, in our layout."""
Function = Callable[[Mapping[str, Tensor]], Result]
"""Of inputs by name."""


class Doubled(TorchFunctionMode):
    """Puts float64 in the place of float32 in every call, so that casts to float32 lose nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        args = tuple(_doubled(each) for each in args)
        return func(*args, **{key: _doubled(each) for key, each in (kwargs or {}).items()})


def _doubled(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def doubled() -> Iterator[None]:
    """Within it all floating-point numbers have 64 bits; pairs are made and run in it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Doubled():
            yield
    finally:
        torch.set_default_dtype(before)


def draw(
    module: nn.Module, rng: np.random.Generator, deviation: float, around: Mapping[str, float]
) -> None:
    """Draw every parameter anew, in torch's default precision.

    Args:
        module: whose.
        rng: draws normal numbers.
        deviation: of them.
        around: the mean by name; 0 of what it lacks.

    Raises:
        ValueError: for a name that is no parameter's.
    """
    named = dict(module.named_parameters())
    if not set(around) <= set(named):
        raise ValueError(f"no parameters {sorted(set(around) - set(named))}")
    for name, parameter in named.items():
        values = around.get(name, 0.0) + deviation * rng.normal(size=tuple(parameter.shape))
        parameter.data = torch.tensor(values, dtype=torch.get_default_dtype())


def parameters(module: nn.Module | None) -> dict[str, np.ndarray]:
    """The parameters of a module by name."""
    if module is None:
        return {}
    return {name: each.detach().numpy() for name, each in module.named_parameters()}


def answer(
    function: Function,
    module: nn.Module | None,
    mapped: Callable[[Arrays], Arrays],
    inputs: Arrays,
    cotangents: tuple[np.ndarray, Arrays],
) -> Answer:
    """The function and its gradients, those of parameters `mapped` to ours."""
    with doubled():
        tensors = {name: torch.tensor(each, requires_grad=True) for name, each in inputs.items()}
        ys, states = function(tensors)
        ends = [(ys, cotangents[0])]
        ends += [
            (state, cotangents[1][name]) for name, state in states.items() if state.requires_grad
        ]
        slopes = torch.autograd.grad(
            [end for end, _ in ends],
            leaves(tensors, module),
            [torch.tensor(cotangent) for _, cotangent in ends],
            materialize_grads=True,
        )
    return named((ys, states), slopes, inputs, module, mapped)


def leaves(tensors: Mapping[str, Tensor], module: nn.Module | None) -> list[Tensor]:
    """What has a gradient: the inputs, then the parameters."""
    return [*tensors.values(), *([] if module is None else module.parameters())]


def named(
    result: Result,
    slopes: Sequence[Tensor],
    inputs: Iterable[str],
    module: nn.Module | None,
    mapped: Callable[[Arrays], Arrays],
) -> Answer:
    """An answer of a result and of the gradients of all `leaves`."""
    ys, states = result
    names = [*inputs, *parameters(module)]
    arrays = [slope.detach().numpy() for slope in slopes]
    by_name = dict(zip(names, arrays, strict=True))
    return Answer(
        ys.detach().numpy(),
        {name: state.detach().numpy() for name, state in states.items()},
        {name: by_name.pop(name) for name in inputs},
        mapped(by_name),
    )
