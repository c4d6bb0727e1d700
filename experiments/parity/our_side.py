"""Our layers and recurrences as functions of named arrays, in float64, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from comparing import Answer, Arrays
from flax import nnx

Result = tuple[jax.Array, Mapping[str, jax.Array]]
"""Outputs, batch first, and final states by name."""
Function = Callable[[Mapping[str, jax.Array], Mapping[str, jax.Array]], Result]
"""Of parameters and inputs, both by name."""


def of_layer(
    layer: Any, states: Callable[[Any], Mapping[str, jax.Array]] | None = None
) -> Function:
    """A layer with one input, "x" `[B, T, D]`; `states` names what is compared of its carry."""
    graph, own, rest = nnx.split(layer, nnx.Param, ...)

    def function(parameters: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> Result:
        filled = nnx.merge(graph, _replaced(own, parameters), rest)
        ys, carry = filled.unroll(time_first(inputs["x"]))
        return time_first(ys), {} if states is None else states(carry)

    return function


def of_recurrence(function: Callable[..., tuple[jax.Array, jax.Array]]) -> Function:
    """A recurrence of arrays `[B, T, ...]` by name, which gives outputs and a final state; "S" is
    the first state and has no steps."""

    def named(parameters: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> Result:
        turned = {name: time_first(each) for name, each in inputs.items() if name != "S"}
        ys, state = function(**turned, **{name: inputs[name] for name in inputs if name == "S"})
        return time_first(ys), {"state": state}

    return named


def time_first(array: jax.Array) -> jax.Array:
    """`[B, T, ...]` to `[T, B, ...]`, or back."""
    return jnp.swapaxes(array, 0, 1)


def shapes(function: Function, parameters: Arrays, inputs: Arrays) -> tuple[Any, Mapping[str, Any]]:
    """The shapes of outputs and final states."""
    with jax.enable_x64(True):
        ys, states = jax.eval_shape(function, parameters, inputs)
    return ys.shape, {name: state.shape for name, state in states.items()}


def answer(
    function: Function, parameters: Arrays, inputs: Arrays, cotangents: tuple[np.ndarray, Arrays]
) -> Answer:
    """The function and its gradients for given cotangents of outputs and states."""

    def both(parameters: Arrays, inputs: Arrays, cotangents: Any) -> Any:
        result, pull = jax.vjp(function, parameters, inputs)
        return result, pull(cotangents)

    with jax.enable_x64(True):
        found = jax.jit(both)(dict(parameters), dict(inputs), cotangents)
        (ys, states), (by_parameter, by_input) = jax.tree.map(np.asarray, found)
    return Answer(ys, states, by_input, by_parameter)


def _replaced(own: Any, parameters: Mapping[str, jax.Array]) -> Any:
    """The parameters of a layer, each replaced by the array of its name, as in "norm.scale"."""
    flat = {".".join(map(str, path)): path for path, _ in nnx.to_flat_state(own)}
    if set(flat) != set(parameters):
        raise ValueError(f"one side alone has {sorted(set(flat) ^ set(parameters))}")
    replaced = []
    for path, param in nnx.to_flat_state(own):
        new = parameters[".".join(map(str, path))]
        if param.shape != new.shape:
            raise ValueError(f"{path}: ours has the shape {param.shape}, theirs {new.shape}")
        replaced.append((path, param.replace(new)))
    return nnx.from_flat_state(replaced)
