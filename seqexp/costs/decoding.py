"""Time of inference: reading a whole sequence, and decoding token by token."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp

from seqexp.costs.timing import one_run, quietest, seconds
from seqexp.training.precision import Precision, with_products_in
from seqexp.types import Array, Batch, Model, SeqexpError, Sequences

SECONDS_A_ROUND = 0.001
"""Of passes over whole sequences: less than a disturbance lasts."""


def decode_seconds(
    model: Model,
    inputs: Sequences,
    x: Array,
    *,
    steps: int,
    spend: float,
    precision: Precision = "float32",
) -> float | None:
    """Seconds from handing a step its token to having its outputs: the median of the steps of a
    round, of the round that was disturbed least.

    `model.step` is compiled and called from a Python loop that feeds the carry back and waits for
    each output, as decoding does: the cost of the call itself is in it.

    Args:
        model: the sequence model, a pytree of its arrays.
        inputs: B sequences that it has read before, in shape: the carry starts at zeros.
        x: of one step, `[B]` tokens or `[B, D]` features, given at every step.
        steps: of a round, after one step that is not timed.
        spend: seconds of the rounds together, see `quietest`.
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

    return quietest(a_round, spend)


def prefill_seconds(
    model: Model, batch: Batch, *, spend: float, precision: Precision = "float32"
) -> float:
    """Seconds of one compiled forward pass over whole sequences, at evaluation: the median of a
    round of passes, of the round that was disturbed least.

    Args:
        model: the sequence model, a pytree of its arrays.
        batch: its inputs, and prefix where there is one, are read.
        spend: seconds of the rounds together, see `quietest`; after two passes that are not timed.
        precision: of products.
    """
    arrays, structure = jax.tree.flatten(model)

    def prefill(arrays: Any, inputs: Sequences, prefix: Sequences | None) -> Array:
        return jax.tree.unflatten(structure, arrays)(inputs, prefix).outputs

    compiled = jax.jit(with_products_in(precision, prefill))
    read = arrays, batch.inputs, batch.prefix
    once = seconds(compiled, *read, repeats=1).median
    passes = int(min(max(SECONDS_A_ROUND / once, 1), 100))
    return quietest(lambda: [one_run(compiled, *read) for _ in range(passes)], spend)
