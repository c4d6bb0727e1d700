"""Time of inference: reading a whole sequence, and decoding token by token."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from seqexp.costs.timing import one_run, seconds
from seqexp.training.precision import Precision, with_products_in
from seqexp.types import Array, Batch, Model, SeqexpError, Sequences

SECONDS_A_ROUND = 0.001
"""Of passes over whole sequences: less than a disturbance lasts."""


def decode_rounds(
    model: Model, inputs: Sequences, x: Array, *, steps: int, precision: Precision = "float32"
) -> Callable[[], list[float]] | None:
    """Rounds of decoding: each gives, by step, the seconds from handing it its token to having its
    outputs.

    `model.step` is compiled and called from a Python loop that feeds the carry back and waits for
    each output, as decoding does: the cost of the call itself is in it.

    Args:
        model: the sequence model, a pytree of its arrays.
        inputs: B sequences that it has read before, in shape: the carry starts at zeros.
        x: of one step, `[B]` tokens or `[B, D]` features, given at every step.
        steps: of a round, which begins behind one step that is not timed.
        precision: of products.

    Returns:
        None for a model that cannot decode (it refuses with a SeqexpError).

    Raises:
        SeqexpError: for fewer than 1 step.
    """
    if steps < 1:
        raise SeqexpError(f"decoding needs at least 1 timed step, not {steps}: ask for more")
    # Flattening the module anew at each call would cost more than a small model's step.
    arrays, structure = jax.tree.flatten(model)

    def step(arrays: Any, carry: Any, x: Array) -> Any:
        return jax.tree.unflatten(structure, arrays).step(carry, x)

    compiled = jax.jit(with_products_in(precision, step))
    try:
        shapes = jax.eval_shape(model.prefill, inputs)
        carry = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        carry, outputs = compiled(arrays, carry, x)
    except SeqexpError:
        return None
    jax.block_until_ready(outputs)
    begun = carry

    def a_round() -> list[float]:
        carry, runs = begun, []
        for _ in range(steps):
            start = time.perf_counter()
            carry, outputs = compiled(arrays, carry, x)
            jax.block_until_ready(outputs)
            runs.append(time.perf_counter() - start)
        return runs

    return a_round


def prefill_rounds(
    model: Model, batch: Batch, *, precision: Precision = "float32"
) -> Callable[[], list[float]]:
    """Rounds of compiled forward passes over whole sequences, at evaluation: each gives the seconds
    of its passes, after two that are not timed.

    Args:
        model: the sequence model, a pytree of its arrays.
        batch: its inputs, and prefix where there is one, are read.
        precision: of products.
    """
    arrays, structure = jax.tree.flatten(model)

    def prefill(arrays: Any, inputs: Sequences, prefix: Sequences | None) -> Array:
        return jax.tree.unflatten(structure, arrays)(inputs, prefix).outputs

    compiled = jax.jit(with_products_in(precision, prefill))
    read = arrays, batch.inputs, batch.prefix
    once = seconds(compiled, *read, repeats=1).median
    passes = int(min(max(SECONDS_A_ROUND / once, 1), 100))
    return lambda: [one_run(compiled, *read) for _ in range(passes)]
