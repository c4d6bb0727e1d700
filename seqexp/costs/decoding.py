"""Latency of decoding: one sequence, one token at a time."""

from __future__ import annotations

import time

import jax

from seqexp.costs.timing import summarize
from seqexp.types import Array, Model, SeqexpError


def decode_seconds(model: Model, input_example: Array, *, steps: int) -> float | None:
    """Median seconds from handing a step its input to having its outputs, at batch size 1.

    `model.step` is compiled and called from a Python loop that feeds the carry back and waits for
    each output, as decoding does: the cost of the call itself is in it.

    Args:
        model: the sequence model, a pytree of its arrays.
        input_example: one step's input, `[1]` tokens or `[1, D]` features, given at every step.
        steps: how many steps are timed, after one that is not.

    Returns:
        None for a model that cannot decode (it refuses `step` with a SeqexpError).

    Raises:
        SeqexpError: for an example of another batch size, or fewer than 1 step.
    """
    if input_example.shape[:1] != (1,):
        raise SeqexpError(
            "decoding is timed on one sequence: give an input of shape [1] or [1, D], not "
            f"{list(input_example.shape)}"
        )
    if steps < 1:
        raise SeqexpError(f"decoding needs at least 1 timed step, not {steps}: ask for more")
    # Flattening the module anew at each call would cost more than a small model's step.
    arrays, structure = jax.tree.flatten(model)

    @jax.jit
    def step(arrays, carry, inputs):
        return jax.tree.unflatten(structure, arrays).step(carry, inputs)

    try:
        carry, outputs = step(arrays, model.initial_carry(1), input_example)
    except SeqexpError:
        return None
    jax.block_until_ready(outputs)
    runs = []
    for _ in range(steps):
        start = time.perf_counter()
        carry, outputs = step(arrays, carry, input_example)
        jax.block_until_ready(outputs)
        runs.append(time.perf_counter() - start)
    return summarize(runs).median
