"""Time of inference: reading a whole sequence, and decoding token by token."""

from __future__ import annotations

import time
from typing import Any

import jax

from seqexp.costs.timing import one_run, seconds, summarize
from seqexp.types import Array, Model, SeqexpError


def decode_seconds(model: Model, inputs: Array, *, steps: int) -> float | None:
    """Median seconds from handing a step its inputs to having its outputs.

    `model.step` is compiled and called from a Python loop that feeds the carry back and waits for
    each output, as decoding does: the cost of the call itself is in it.

    Args:
        model: the sequence model, a pytree of its arrays.
        inputs: of one step and B sequences, `[B]` tokens or `[B, D]` features, given at every step.
        steps: how many steps are timed, after one that is not.

    Returns:
        None for a model that cannot decode (it refuses `step` with a SeqexpError).

    Raises:
        SeqexpError: for fewer than 1 step.
    """
    if steps < 1:
        raise SeqexpError(f"decoding needs at least 1 timed step, not {steps}: ask for more")
    # Flattening the module anew at each call would cost more than a small model's step.
    arrays, structure = jax.tree.flatten(model)

    @jax.jit
    def step(arrays: Any, carry: Any, inputs: Array) -> Any:
        return jax.tree.unflatten(structure, arrays).step(carry, inputs)

    try:
        carry, outputs = step(arrays, model.initial_carry(len(inputs)), inputs)
    except SeqexpError:
        return None
    jax.block_until_ready(outputs)
    runs = []
    for _ in range(steps):
        start = time.perf_counter()
        carry, outputs = step(arrays, carry, inputs)
        jax.block_until_ready(outputs)
        runs.append(time.perf_counter() - start)
    return summarize(runs).median


def prefill_seconds(model: Model, inputs: Array, lengths: Array, *, spend: float) -> float:
    """Median seconds of one compiled forward pass over whole sequences, at evaluation.

    Args:
        model: the sequence model, a pytree of its arrays.
        inputs: `[B, T]` tokens or `[B, T, D]` features.
        lengths: `[B]`, true lengths.
        spend: about how many seconds of passes are timed: at least 5 passes and at most 100, after
            two that are not.
    """
    arrays, structure = jax.tree.flatten(model)

    @jax.jit
    def prefill(arrays: Any, inputs: Array, lengths: Array) -> Array:
        return jax.tree.unflatten(structure, arrays)(inputs, lengths).outputs

    once = seconds(prefill, arrays, inputs, lengths, repeats=1).median
    runs = [one_run(prefill, arrays, inputs, lengths) for _ in range(_repeats(spend / once))]
    return summarize(runs).median


def _repeats(wanted: float) -> int:
    return int(min(max(wanted, 5), 100))
