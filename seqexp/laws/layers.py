"""Laws of layers, through their protocol alone: each says how it is broken, or None where it holds.

The reference knows no batch of unequal lengths and no mask: it steps each sequence through the
layer alone, true step by true step. A layer that refuses to step is held to padding only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.compiling import quick_jit
from seqexp.laws.differences import difference
from seqexp.laws.drawing import drawn
from seqexp.types import SeqexpError

BATCH, STEPS = 3, 5
RAGGED = (2, 5, 0)
PAST = 2
MORE = 3
MAX_LENGTH = PAST + STEPS + MORE


class Case(NamedTuple):
    """A layer with something to read.

    Attributes:
        layer: with parameters that are drawn.
        xs: `[T, B, D]`, with numbers of no meaning where padding is.
        carry: behind a past of a few steps.
        mask: `[T, B]`, of the lengths `RAGGED`.
    """

    layer: Any
    xs: np.ndarray
    carry: Any
    mask: np.ndarray


def case(layer: Any, dtype: Any = None) -> Case:
    """Inputs for a layer, and parameters that are drawn: zeros would hide mistakes.

    Args:
        layer: in form alone (`nnx.eval_shape`); no initializer is compiled.
        dtype: of parameters and inputs; None for float64 where JAX has it enabled and the layer
            computes in it, and float32 elsewhere.
    """
    if dtype is None:
        dtype = np.float64 if _computes_in_float64(layer) else np.float32
    rng = np.random.default_rng(1)
    layer = drawn(layer, rng, dtype)
    past, xs = (
        rng.normal(size=(steps, BATCH, layer.in_features)).astype(dtype) for steps in (PAST, STEPS)
    )
    mask = np.arange(STEPS)[:, None] < np.array(RAGGED)
    # Not drawn: not every array of the right shape is a carry.
    return Case(layer, xs, jax.tree.map(np.asarray, _after(layer, past)), mask)


def unroll_is_step(of: Case) -> str | None:
    """`unroll` is `step` after `step`: outputs, final carry, every gradient; padded and not."""
    if not can_step(of):
        return "it calls itself causal, and cannot step" if of.layer.causal else None
    for mask in (None, of.mask):
        results = _alone(of, mask)
        weights = jax.tree.map(_weights, (results[0], _inexact(results[1])))
        gradients = _alone_gradients(of, mask, weights)
        found = _pulled_back(of.layer, of.xs, of.carry, mask, weights)
        padded = "" if mask is None else " of padded sequences"
        if problem := _compared(found, (results, gradients)):
            return f"{problem[0]}{padded}: {problem[1]}"
    return None


def halves_are_the_whole(of: Case) -> str | None:
    """Two halves, the carry passed on, are one pass, padded or not."""
    if not can_step(of):
        return None
    for mask in (None, of.mask):
        first_mask, second_mask = (None, None) if mask is None else (mask[:PAST], mask[PAST:])
        first, middle = _unroll(of.layer, of.xs[:PAST], first_mask, of.carry)
        second, last = _unroll(of.layer, of.xs[PAST:], second_mask, middle)
        whole = _unroll(of.layer, of.xs, mask, of.carry)
        if problem := difference((np.concatenate([first, second]), last), whole):
            return problem
    return None


def padding_never_matters(of: Case) -> str | None:
    """Neither what stands in it nor how much there is: outputs, final carry, every gradient."""
    expected = _with_gradients(of, of.xs, of.mask)
    ys = expected[0][0]
    if np.any(np.where(of.mask[..., None], 0, ys)):
        return "outputs at padding are not 0"
    other = np.where(of.mask[..., None], of.xs, -3 * of.xs + 1)
    if problem := _compared(_with_gradients(of, other, of.mask), expected):
        return f"{problem[0]}, by what stands in padding: {problem[1]}"
    more = np.concatenate([other, np.ones_like(of.xs[:MORE])])
    mask = np.concatenate([of.mask, np.zeros_like(of.mask[:MORE])])
    (ys, final), (by_layer, by_xs, by_carry) = _with_gradients(of, more, mask)
    if np.any(ys[STEPS:]) or np.any(by_xs[STEPS:]):
        return "outputs or gradients at more padding are not 0"
    found = (ys[:STEPS], final), (by_layer, by_xs[:STEPS], by_carry)
    if problem := _compared(found, expected):
        return f"{problem[0]}, by more padding: {problem[1]}"
    return None


def padding_never_matters_to_dropout(of: Case) -> str | None:
    """With the same key, what stands in padding changes nothing."""
    key = jax.random.key(0)
    other = np.where(of.mask[..., None], of.xs, -3 * of.xs + 1)
    ours, theirs = (_trained(of.layer, xs, of.mask, of.carry, key) for xs in (of.xs, other))
    return difference(theirs, ours)


def no_mask_is_a_mask_of_true(of: Case) -> str | None:
    """None says that every step is real."""
    full = np.ones_like(of.mask)
    return difference(
        _unroll(of.layer, of.xs, full, of.carry), _unroll(of.layer, of.xs, None, of.carry)
    )


def no_carry_is_an_empty_past(of: Case) -> str | None:
    """None says the same as `initial_carry`."""
    ys, _ = _unroll(of.layer, of.xs, of.mask, None)
    return difference(ys, _from_nothing(of.layer, of.xs, of.mask))


def causal_is_causal(of: Case) -> str | None:
    """An output of a layer that calls itself causal has no gradient by later inputs."""
    if not of.layer.causal:
        return None
    for step in range(STEPS):
        slope = np.asarray(_slope(of.layer, of.xs, of.carry, step))
        if late := [t for t in range(step + 1, STEPS) if np.any(slope[t] != 0)]:
            return f"the output of step {step} has a gradient by steps {late}"
    return None


def stepwise_is_the_layer(of: Case) -> str | None:
    """`stepwise` gives the same outputs and final carry, padded or not."""
    for mask in (None, of.mask):
        expected = _unroll(of.layer, of.xs, mask, of.carry)
        if problem := difference(_unroll_stepwise(of.layer, of.xs, mask, of.carry), expected):
            return problem
    return None


LAWS = {
    "unroll is step": unroll_is_step,
    "two halves are the whole": halves_are_the_whole,
    "padding never matters": padding_never_matters,
    "padding never matters to dropout": padding_never_matters_to_dropout,
    "no mask is a mask of true": no_mask_is_a_mask_of_true,
    "no carry is an empty past": no_carry_is_an_empty_past,
    "causal is causal": causal_is_causal,
    "stepwise is the layer": stepwise_is_the_layer,
}


def can_step(of: Case) -> bool:
    """Whether a layer goes step by step; one that needs the whole sequence refuses."""
    try:
        jax.eval_shape(lambda case: case.layer.step(case.carry, case.xs[0]), of)
    except SeqexpError:
        return False
    return True


def _computes_in_float64(layer: Any) -> bool:
    if not jax.config.read("jax_enable_x64"):
        return False
    try:
        precise = case(layer, np.float64)
        outputs = jax.eval_shape(lambda of: of.layer.unroll(of.xs, of.mask, of.carry), precise)
    except (SeqexpError, TypeError, ValueError):
        return False
    floats = [leaf for leaf in jax.tree.leaves(outputs) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return all(leaf.dtype == np.float64 for leaf in floats)


def _compared(found: Any, expected: Any) -> tuple[str, str] | None:
    """What differs first between two `((ys, final carry), gradients)`, and how."""
    (ys, final), gradients = found
    (right_ys, right_final), right_gradients = expected
    named = {
        "outputs": (ys, right_ys),
        "final carry": (final, right_final),
        "gradient of the parameters": (gradients[0], right_gradients[0]),
        "gradient of the inputs": (gradients[1], right_gradients[1]),
        "gradient of the carry": (gradients[2], right_gradients[2]),
    }
    for name, (got, want) in named.items():
        if problem := difference(got, want):
            return name, problem
    return None


def _is_inexact(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _inexact(tree: Any) -> list[Any]:
    """What has gradients: a carry may hold counters, and a layer constants, which have none."""
    return [leaf for leaf in jax.tree.leaves(tree) if _is_inexact(leaf)]


def _put(inexact: list[Any], tree: Any) -> Any:
    """`tree` with these in the place of what has gradients."""
    new = iter(inexact)
    return jax.tree.map(lambda leaf: next(new) if _is_inexact(leaf) else leaf, tree)


def _weights(array: Any) -> Any:
    """A weight of its own for every output and every part of a carry: what they pull back."""
    return np.cos(np.arange(array.size)).reshape(array.shape).astype(array.dtype)


@quick_jit
def _after(layer: Any, past: Any) -> Any:
    return layer.unroll(past, None, layer.initial_carry(BATCH, MAX_LENGTH))[1]


@quick_jit
def _unroll(layer: Any, xs: Any, mask: Any, carry: Any) -> Any:
    return layer.unroll(xs, mask, carry)


@quick_jit
def _unroll_stepwise(layer: Any, xs: Any, mask: Any, carry: Any) -> Any:
    return layer.stepwise().unroll(xs, mask, carry)


@quick_jit
def _trained(layer: Any, xs: Any, mask: Any, carry: Any, key: Any) -> Any:
    return layer.unroll(xs, mask, carry, key=key)


@quick_jit
def _from_nothing(layer: Any, xs: Any, mask: Any) -> Any:
    return layer.unroll(xs, mask, layer.initial_carry(xs.shape[1], MAX_LENGTH))[0]


@quick_jit
def _slope(layer: Any, xs: Any, carry: Any, step: Any) -> Any:
    return jax.grad(lambda xs: jnp.sin(layer.unroll(xs, None, carry)[0][step]).sum())(xs)


@quick_jit
def _step(layer: Any, carry: Any, x: Any) -> Any:
    return layer.step(carry, x)


@quick_jit
def _step_gradients(layer: Any, carry: Any, x: Any, weights: Any) -> Any:
    def step(parameters: Any, floats: Any, x: Any) -> Any:
        new, y = _put(parameters, layer).step(_put(floats, carry), x)
        return _inexact(new), y

    return jax.vjp(step, _inexact(layer), _inexact(carry), x)[1](weights)


@quick_jit
def _pulled_back(layer: Any, xs: Any, carry: Any, mask: Any, weights: Any) -> Any:
    def run(parameters: Any, xs: Any, floats: Any) -> Any:
        ys, final = _put(parameters, layer).unroll(xs, mask, _put(floats, carry))
        return (ys, _inexact(final)), (ys, final)

    _, pull_back, results = jax.vjp(run, _inexact(layer), xs, _inexact(carry), has_aux=True)
    return results, pull_back(weights)


def _with_gradients(of: Case, xs: np.ndarray, mask: np.ndarray) -> Any:
    form = jax.eval_shape(lambda of: of.layer.unroll(of.xs, of.mask, of.carry), of)
    ys = np.zeros((len(xs), *form[0].shape[1:]), form[0].dtype)
    ys[:STEPS] = _weights(form[0])
    weights = ys, [_weights(leaf) for leaf in _inexact(form[1])]
    found = _pulled_back(of.layer, xs, of.carry, mask, weights)
    return jax.tree.map(np.asarray, found)


def _rows(tree: Any, row: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[row : row + 1], tree)


def _lengths(mask: Any) -> list[int]:
    return [STEPS] * BATCH if mask is None else list(RAGGED)


def _alone(of: Case, mask: Any) -> Any:
    """Outputs and final carry of each sequence by itself, one true step after the other."""
    ys, finals = None, []
    for row, length in enumerate(_lengths(mask)):
        carry = _rows(of.carry, row)
        for t in range(length):
            carry, y = _step(of.layer, carry, of.xs[t, row : row + 1])
            ys = np.zeros((STEPS, BATCH, *y.shape[1:]), y.dtype) if ys is None else ys
            ys[t, row] = y[0]
        finals.append(carry)
    return ys, jax.tree.map(lambda *rows: np.concatenate(rows), *finals)


def _alone_gradients(of: Case, mask: Any, weights: Any) -> Any:
    """The gradients of parameters, inputs and carry, the same way."""
    by_ys, by_final = weights
    by_layer = [np.zeros_like(leaf) for leaf in _inexact(of.layer)]
    by_xs = np.zeros_like(of.xs)
    by_carries = []
    for row, length in enumerate(_lengths(mask)):
        carry, past = _rows(of.carry, row), []
        for t in range(length):
            past.append((carry, of.xs[t, row : row + 1]))
            carry, _ = _step(of.layer, *past[-1])
        back = _rows(by_final, row)
        for t in reversed(range(length)):
            pulled = _step_gradients(of.layer, *past[t], (back, by_ys[t, row : row + 1]))
            by_layer = [total + own for total, own in zip(by_layer, pulled[0], strict=True)]
            back, by_xs[t, row] = pulled[1], pulled[2][0]
        by_carries.append(back)
    return by_layer, by_xs, [np.concatenate(rows) for rows in zip(*by_carries, strict=True)]
