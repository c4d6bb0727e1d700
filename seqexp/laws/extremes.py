"""Laws of layers at their limits: long sequences, large inputs, one step, slopes by differences.

They try a layer as it starts, with its own initial parameters: drawn ones would make a network that
is at the edge of stability, as published, explode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.compiling import quick_jit
from seqexp.types import Layer

LONG = 4096
LARGE = 1e3
BATCH = 2
STEPS = 6
EPSILON = 1e-6
BESIDE = 0.01


def carry_keeps_its_form(layer: Layer) -> str | None:
    """What `step` and `unroll` give back has the shapes and dtypes of `initial_carry`."""
    xs = jax.ShapeDtypeStruct((STEPS, BATCH, layer.in_features), _dtype(layer))

    def carries(layer: Any, xs: Any) -> Any:
        start = layer.initial_carry(BATCH, STEPS)
        unrolled = layer.unroll(xs, None, start)[1]
        return start, unrolled, layer.step(start, xs[0])[0] if layer.causal else unrolled

    start, unrolled, stepped = jax.eval_shape(carries, layer, xs)
    for name, found in (("unroll", unrolled), ("step", stepped)):
        if _forms(found) != _forms(start):
            return f"{name} gives back {_forms(found)} for {_forms(start)}"
    return None


def gradients_are_slopes(layer: Layer) -> str | None:
    """The gradient along a direction is the difference quotient there, in float64.

    Of parameters and inputs together, by central differences of fourth order, a little beside where
    the parameters start: biases of 0 may stand on the kink of a rectifier.
    """
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        layer = jax.tree.map(
            lambda leaf: jnp.asarray(leaf + BESIDE * rng.normal(size=leaf.shape), jnp.float64),
            layer,
        )
        at = layer, jnp.asarray(rng.normal(size=(STEPS, BATCH, layer.in_features)))
        along = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), at)
        value, slope, quotient = map(float, _slopes(at, along))
    tolerance = 1e-5 * max(1.0, abs(slope), abs(value))
    if not abs(slope - quotient) <= tolerance:
        return f"the gradient says {slope:.9g}, differences {quotient:.9g}"
    return None


def extreme_inputs_stay_finite(layer: Layer) -> str | None:
    """Outputs and gradients of inputs that are large, or all 0, of one step and of many."""
    for steps, scale in ((1, 1.0), (1, LARGE), (40, LARGE), (40, 0.0)):
        if problem := _not_finite(layer, steps, scale):
            return f"{problem}, {steps} steps of inputs of size {scale:g}"
    return None


def many_steps_stay_finite(layer: Layer) -> str | None:
    """Outputs and gradients of 4,096 steps."""
    problem = _not_finite(layer, LONG, 1.0)
    return problem and f"{problem}, {LONG} steps"


EXTREMES: Mapping[str, Callable[[Any], str | None]] = {
    "the carry keeps its form": carry_keeps_its_form,
    "gradients are slopes": gradients_are_slopes,
    "extreme inputs stay finite": extreme_inputs_stay_finite,
    "many steps stay finite": many_steps_stay_finite,
}


def carry_bytes(layer: Layer, max_length: int) -> int:
    """The bytes of one sequence's carry that has room for so many steps."""
    carry = jax.eval_shape(lambda layer: layer.initial_carry(1, max_length), layer)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))


def _dtype(layer: Layer) -> Any:
    floats = [leaf.dtype for leaf in jax.tree.leaves(layer)]
    return floats[0] if floats else np.dtype(np.float32)


def _forms(carry: Any) -> list[str]:
    return [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(carry)]


def _total(layer: Any, xs: Any) -> Any:
    ys, _ = layer.unroll(xs)
    return jnp.sum(jnp.sin(ys) * jnp.cos(jnp.arange(ys.size)).reshape(ys.shape)), ys


@quick_jit
def _slopes(at: Any, along: Any) -> Any:
    def value(distance: Any) -> Any:
        return _total(*jax.tree.map(lambda a, b: a + distance * b, at, along))[0]

    # In a loop, so that the layer is compiled once for the four of them.
    values = jax.lax.map(value, EPSILON * jnp.array([-2.0, -1.0, 1.0, 2.0]))
    quotient = values @ jnp.array([1.0, -8.0, 8.0, -1.0]) / (12 * EPSILON)
    return *jax.value_and_grad(value)(0.0), quotient


@quick_jit
def _with_gradients(layer: Any, xs: Any) -> Any:
    return jax.value_and_grad(_total, argnums=(0, 1), has_aux=True)(layer, xs)


def _not_finite(layer: Layer, steps: int, scale: float) -> str | None:
    xs = scale * np.random.default_rng(0).normal(size=(steps, BATCH, layer.in_features))
    (_, ys), gradients = _with_gradients(layer, xs.astype(_dtype(layer)))
    for name, found in (("outputs", ys), ("gradients", gradients)):
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found)):
            return f"{name} are not finite"
    return None
