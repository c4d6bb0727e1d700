"""Lanes: each token once an epoch, each window behind the one before it."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.lanes import Lanes
from seqexp.training.batches import mean_tokens
from seqexp.types import Batch, SeqexpError


def numbered(count: int, length: int) -> Lanes:
    """Tokens that are their own places."""
    return Lanes(jnp.arange(count, dtype=jnp.int32), length)


def epoch(stream: Lanes, lanes: int, number: int, seed: int = 0) -> list[Batch]:
    """The batches of an epoch, as numpy."""
    steps = stream.steps_per_epoch(lanes)
    own = np.arange(number * steps, (number + 1) * steps, dtype=np.int32)
    whole, continues = drawn(stream, jax.random.key(seed), own, lanes)
    assert continues.tolist() == [step > own[0] for step in own]
    return [jax.tree.map(lambda a, s=s: np.asarray(a[s]), whole) for s in range(steps)]


@partial(jax.jit, static_argnums=3)
def drawn(stream: Lanes, key: Any, steps: Any, lanes: int) -> Any:
    """The batches of steps, and whether each continues the one before it."""
    (bucket,) = stream.buckets(lanes)

    def at(step: Any) -> Any:
        return stream.batch(None, key, step, bucket), stream.continues(step, lanes)

    return jax.lax.map(at, steps)


def read_by(batches: list[Batch], lane: int) -> tuple[list[int], list[int]]:
    """What a lane reads in an epoch, and what it predicts."""
    rows = [(b.inputs.values[lane], b.targets[lane], b.inputs.lengths[lane]) for b in batches]
    inputs = [place for values, _, n in rows for place in values[:n].tolist()]
    return inputs, [place for _, targets, n in rows for place in targets[:n].tolist()]


def test_the_example_of_the_docstring():
    stream, seeds = numbered(9, 2), range(100)
    first = next(e for s in seeds if (e := epoch(stream, 2, 0, s))[0].inputs.values[0, 0] == 6)
    assert [batch.inputs.values.tolist() for batch in first] == [[[6, 7], [2, 3]], [[0, 1], [4, 5]]]
    assert [batch.targets.tolist() for batch in first] == [[[7, 8], [3, 4]], [[1, 2], [5, 6]]]


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 12), st.integers(0, 3))
@settings(deadline=None, max_examples=10, derandomize=True)
def test_in_an_epoch_each_token_but_the_first_is_predicted_once(count, lanes, length, number):
    lanes = min(lanes, count - 1)
    stream = numbered(count, length)
    batches = epoch(stream, lanes, number)
    told, longest = [], []
    for lane in range(lanes):
        inputs, targets = read_by(batches, lane)
        assert targets == [place + 1 for place in inputs], "from the token before it"
        assert inputs == [(inputs[0] + i) % (count - 1) for i in range(len(inputs))], "in order"
        told += targets
        longest.append(len(inputs))
    assert sorted(told) == list(range(1, count))
    assert max(longest) - min(longest) <= 1
    lengths = np.stack([batch.inputs.lengths for batch in batches])
    assert lengths.max() <= length and (np.ptp(lengths, axis=0) <= 1).all()
    assert len(batches) == -(-max(longest) // length), "as few steps as there can be"
    assert mean_tokens(stream, lanes) == pytest.approx((count - 1) / len(batches))


def test_epochs_and_keys_begin_elsewhere():
    stream = numbered(1000, 50)
    starts = [
        int(epoch(stream, 4, number, seed)[0].inputs.values[0, 0])
        for seed in (0, 1)
        for number in (0, 1, 2)
    ]
    assert len(set(starts)) == 6


@pytest.mark.parametrize("lanes", [0, 9])
def test_more_lanes_than_tokens_are_refused(lanes):
    with pytest.raises(SeqexpError, match="8 tokens to predict; choose a batch_size from 1 to 8"):
        numbered(9, 4).steps_per_epoch(lanes)
