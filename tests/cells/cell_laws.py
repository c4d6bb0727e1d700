"""Laws of cells: `unroll` is `step` after `step`, padding never matters, no step looks ahead.

The reference knows no time loop, no mask and no batch of unequal lengths: it steps each sequence
through its cell alone, true step by true step. `unroll` must give the same outputs, final carries
and gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.compiling import quick_jit
from seqexp.laws.differences import difference
from seqexp.recurrences.masking import time_first

BATCH, STEPS = 3, 5
RAGGED = (2, 5, 0)

Lengths = Sequence[int] | None


class Case(NamedTuple):
    """A cell with parameters, inputs `[B, T, D]`, a carry and dropout masks that are drawn."""

    cell: Any
    xs: Any
    carry: Any
    dropout: Any


def case(cell: Any, lengths: Lengths, dtype: Any = np.float64) -> Case:
    """All drawn by numpy, with NaN where padding is; of the cell only shapes are read."""
    rng = np.random.default_rng(1)

    def draw(leaf: Any) -> Any:
        return rng.normal(0, 0.5, leaf.shape).astype(dtype)

    cell = jax.tree.map(draw, cell)
    xs = rng.normal(size=(BATCH, STEPS, cell.in_features)).astype(dtype)
    for row, length in enumerate(lengths or []):
        xs[row, length:] = np.nan
    carry = jax.tree.map(draw, jax.eval_shape(lambda: cell.initial_carry(BATCH)))
    dropout = jax.tree.map(
        lambda mask: (
            rng.random(mask.shape) < 0.3
            if mask.dtype == bool
            else np.where(rng.random(mask.shape) < 0.3, 0, 1.5).astype(dtype)
        ),
        jax.eval_shape(lambda: cell.dropout_masks(jax.random.key(0), BATCH, STEPS)),
    )
    return Case(cell, xs, carry, dropout)


def unroll_is_step(
    cell: Any,
    lengths: Lengths,
    reverse: bool = False,
    dtype: Any = np.float64,
) -> str | None:
    """How `unroll` differs from steps, padding and gradients included; None where it does not.

    Args:
        cell: its shapes are used, and parameters drawn.
        lengths: of three sequences of five steps; None without padding.
        reverse: unroll backward in time.
        dtype: float64 only where JAX has it enabled.
    """
    drawn = case(cell, lengths, dtype)
    expected = _alone(drawn, lengths, reverse)
    cotangents = jax.tree.map(_weights, expected[0])
    found = _unrolled(drawn, lengths, cotangents, reverse)
    (ys, final), (by_cell, by_xs, by_carry) = found
    named = {
        "outputs": (ys, expected[0][0]),
        "final carry": (final, expected[0][1]),
        "gradient of the parameters": (by_cell, expected[1][0]),
        "gradient of the inputs": (by_xs, expected[1][1]),
        "gradient of the carry": (by_carry, expected[1][2]),
    }
    for name, (got, want) in named.items():
        if problem := difference(got, want):
            return f"{name}: {problem}"
    return None


def halves_are_the_whole(cell: Any, dtype: Any = np.float64) -> str | None:
    """How two halves, the carry passed on, differ from one pass; None where they do not."""
    cell, xs, carry, _ = case(cell, None, dtype)
    run = quick_jit(lambda cell, xs, carry: _unroll(cell, xs, carry, None, None, False))
    ys, final = run(cell, xs, carry)
    first, middle = run(cell, xs[:, :2], carry)
    second, last = run(cell, xs[:, 2:], middle)
    return difference((jnp.concatenate([first, second], 1), last), (ys, final))


def reach(cell: Any, reverse: bool = False) -> list[int]:
    """The steps whose inputs the outputs of the middle step depend on, by gradient."""
    drawn = case(cell, [STEPS] * BATCH)
    ys = np.zeros((BATCH, STEPS, drawn.cell.out_features), drawn.xs.dtype)
    ys[:, STEPS // 2] = 1
    cotangents = ys, jax.tree.map(np.zeros_like, drawn.carry)
    _, (_, by_xs, _) = _unrolled(drawn, [STEPS] * BATCH, cotangents, reverse)
    return [t for t in range(STEPS) if np.any(by_xs[:, t] != 0)]


def looks_ahead(cell: Any) -> str | None:
    """Which later steps an output depends on; None where there are none."""
    late = [step for step in reach(cell) if step > STEPS // 2]
    return f"the output of step {STEPS // 2} has a gradient by steps {late}" if late else None


def stepped(drawn: Case) -> Any:
    """One step of a case."""
    return drawn.cell.step(drawn.carry, drawn.xs[:, 0])


def _unroll(cell: Any, xs: Any, carry: Any, lengths: Any, dropout: Any, reverse: bool) -> Any:
    xs, mask = time_first(xs, lengths)
    ys, carry = cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)
    return jnp.swapaxes(ys, 0, 1), carry


def _weights(array: Any) -> Any:
    """A weight of its own for every output and every part of a carry: what they pull back."""
    return np.cos(np.arange(array.size, dtype=array.dtype)).reshape(array.shape)


@quick_jit
def _step(cell: Any, carry: Any, x: Any, dropout: Any) -> Any:
    return cell.step(carry, x, dropout)


@quick_jit
def _step_gradients(cell: Any, carry: Any, x: Any, dropout: Any, cotangents: Any) -> Any:
    return jax.vjp(lambda cell, *inputs: cell.step(*inputs, dropout), cell, carry, x)[1](cotangents)


def _masks_at(dropout: Any, t: int, row: int) -> Any:
    now = jax.tree.map(lambda mask: mask[min(t, mask.shape[0] - 1)], dropout)
    return {
        name: mask if name == "kernel" else jax.tree.map(lambda part: part[row : row + 1], mask)
        for name, mask in now.items()
    }


def _alone(drawn: Case, lengths: Lengths, reverse: bool) -> Any:
    """Each sequence by itself, one true step after the other, and back the same way."""
    cell, xs, carry, dropout = jax.tree.map(np.asarray, tuple(drawn))
    ys = np.zeros((BATCH, STEPS, cell.out_features), xs.dtype)
    weight_of_ys = _weights(ys)
    weight_of_final = jax.tree.map(_weights, carry)
    cell_gradients = jax.tree.map(np.zeros_like, cell)
    xs_gradients = np.zeros_like(xs)
    finals, carry_gradients = [], []
    for row, length in enumerate(lengths or [STEPS] * BATCH):
        one = slice(row, row + 1)
        now = jax.tree.map(lambda part, one=one: part[one], carry)
        past = []
        for t in reversed(range(length)) if reverse else range(length):
            inputs = now, xs[one, t], _masks_at(dropout, t, row)
            past.append((t, inputs))
            now, ys[one, t] = _step(cell, *inputs)
        finals.append(now)
        back = jax.tree.map(lambda part, one=one: part[one], weight_of_final)
        for t, inputs in reversed(past):
            cotangents = back, weight_of_ys[one, t]
            by_cell, back, xs_gradients[one, t] = _step_gradients(cell, *inputs, cotangents)
            cell_gradients = jax.tree.map(np.add, cell_gradients, by_cell)
        carry_gradients.append(back)
    final, by_carry = (
        jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
        for parts in (finals, carry_gradients)
    )
    return (ys, final), (cell_gradients, xs_gradients, by_carry)


@partial(quick_jit, static_argnames="reverse")
def _pulled_back(cell, xs, carry, dropout, lengths, cotangents, reverse) -> Any:
    def run(cell, xs, carry):
        return _unroll(cell, xs, carry, lengths, dropout, reverse)

    results, pull_back = jax.vjp(run, cell, xs, carry)
    return results, pull_back(cotangents)


def _unrolled(drawn: Case, lengths: Lengths, cotangents: Any, reverse: bool) -> Any:
    array = None if lengths is None else np.array(lengths)
    return _pulled_back(*drawn, array, cotangents, reverse=reverse)
