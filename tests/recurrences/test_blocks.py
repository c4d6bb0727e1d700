"""Projections that are made block by block: the same numbers as those that are made at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from seqexp.recurrences import blocks, elman, gru, lstm
from seqexp.recurrences.blocks import BLOCK, LARGE, block_steps

B, D, H = 3, 2, 4
RNG = np.random.default_rng(0)
GATES = {"lstm": 4, "gru before": 3, "gru after": 3, "elman": 1}


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def unrolled(name, xs, mask, reverse):
    """The recurrence of that name, compiled, on the same numbers at each call."""
    generator = np.random.default_rng(1)
    width = GATES[name] * H
    shapes = [(D, width), (H, width), (width,), *([(H,)] if name == "gru after" else [])]
    shapes += [(B, H)] * (2 if name == "lstm" else 1)
    own = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    functions: dict[str, Any] = {
        "lstm": lstm.unroll,
        "gru before": gru.unroll_before,
        "gru after": gru.unroll_after,
        "elman": elman.unroll,
    }
    how = (mask, "tanh", reverse) if name == "elman" else (mask, reverse)
    return jax.jit(lambda xs, *own: functions[name](xs, *own, *how))(xs, *own)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("name", GATES)
def test_blocks_give_what_the_whole_gives(name, padded, reverse, monkeypatch):
    steps = 12
    mask = np.arange(steps)[:, None] < np.array([12, 7, 1]) if padded else None
    xs = numbers(steps, B, D)
    whole = unrolled(name, xs, mask, reverse)
    a_step = B * GATES[name] * H * 4
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(blocks, "BLOCK", 5 * a_step)
    assert blocks.block_steps(steps, a_step) == 4
    found = unrolled(name, xs, mask, reverse)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, whole)


def test_a_block_is_a_divisor_within_its_size():
    for steps in range(1, 3000, 7):
        for a_step in (1, 2**10, 2**14, 2**17, 2**21):
            size = block_steps(steps, a_step)
            assert steps % size == 0
            if steps * a_step <= LARGE:
                assert size == steps
            elif size < steps:
                assert size == 1 or BLOCK / 8 < size * a_step <= BLOCK
