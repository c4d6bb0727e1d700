"""Streams: the absolute step alone decides the batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.lanes import Lanes
from seqexp.data.streams import Examples, Generated, Windows
from seqexp.types import Batch, SeqexpError, Sequences, Stream


def numbered(count: int) -> Examples:
    """Examples whose target is their own number."""
    numbers = jnp.arange(count, dtype=jnp.int32)
    return Examples(Batch(Sequences(10 * numbers[:, None], jnp.ones(count, jnp.int32)), numbers))


def drawn(key, batch_size: int) -> Batch:
    values = jax.random.uniform(key, (batch_size, 3))
    return Batch(Sequences(values, jnp.full(batch_size, 3, jnp.int32)), values)


STREAMS = {
    "examples": numbered(11),
    "windows": Windows(jnp.arange(50, dtype=jnp.int32), 4),
    "generated": Generated(drawn),
    "lanes": Lanes(jnp.arange(50, dtype=jnp.int32), 4),
}


@functools.partial(jax.jit, static_argnums=(3, 4))
def chunk(stream: Stream, key, first_step, steps: int, batch_size: int) -> Batch:
    """The batches of some steps, `[steps, B, ...]`, planned together."""
    plan = stream.plan(key, first_step, steps, batch_size)
    (bucket,) = stream.buckets(batch_size)
    numbers = first_step + jnp.arange(steps, dtype=jnp.int32)
    return jax.lax.map(lambda step: stream.batch(plan, key, step, bucket), numbers)


@pytest.mark.parametrize(
    "name, impl",
    [(name, "threefry2x32") for name in STREAMS] + [("examples", "unsafe_rbg")],
)
def test_a_batch_does_not_depend_on_the_chunk_it_is_asked_in(name, impl):
    stream, key = STREAMS[name], jax.random.key(7, impl=impl)
    whole = jax.tree.map(np.asarray, chunk(stream, key, jnp.int32(0), 40, 3))
    for first_step in (0, 1, 2, 13, 35):
        part = chunk(stream, key, jnp.int32(first_step), 5, 3)
        for got, want in zip(*map(jax.tree.leaves, (part, whole)), strict=True):
            np.testing.assert_array_equal(got, want[first_step : first_step + 5])


@pytest.mark.parametrize("name", STREAMS)
def test_steps_and_keys_give_other_batches(name):
    first, other = (
        np.asarray(chunk(STREAMS[name], jax.random.key(seed), jnp.int32(0), 5, 3).targets)
        for seed in (0, 1)
    )
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_a_pytree_whose_arrays_are_program_arguments(name):
    stream = STREAMS[name]
    leaves, structure = jax.tree.flatten(stream)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    hash(structure)
    assert type(jax.tree.unflatten(structure, leaves)) is type(stream)


def test_examples_follow_the_permutation_of_their_epoch():
    key = jax.random.key(3)
    batches = chunk(numbered(11), key, jnp.int32(0), 9, 3)
    inputs, targets = np.asarray(batches.inputs.values), np.asarray(batches.targets)
    for epoch in range(3):
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), 11))
        np.testing.assert_array_equal(targets[3 * epoch :][:3].ravel(), order[:9])
    np.testing.assert_array_equal(inputs[..., 0], 10 * targets)


def test_an_epoch_sees_each_example_once_in_a_new_order():
    assert numbered(12).steps_per_epoch(4) == 3
    seen = np.asarray(chunk(numbered(12), jax.random.key(0), jnp.int32(0), 6, 4).targets)
    epochs = seen.reshape(2, 12)
    np.testing.assert_array_equal(np.sort(epochs), [range(12), range(12)])
    assert not np.array_equal(epochs[0], epochs[1])


def test_an_incomplete_batch_is_dropped():
    assert numbered(11).steps_per_epoch(4) == 2
    seen = np.asarray(chunk(numbered(11), jax.random.key(0), jnp.int32(0), 2, 4).targets)
    assert len(np.unique(seen)) == 8


def test_one_batch_may_hold_the_whole_split():
    seen = np.asarray(chunk(numbered(5), jax.random.key(0), jnp.int32(4), 2, 5).targets)
    np.testing.assert_array_equal(np.sort(seen), [range(5), range(5)])


@pytest.mark.parametrize("batch_size", [0, 12])
def test_an_impossible_batch_size_is_refused(batch_size):
    stream = numbered(11)
    with pytest.raises(SeqexpError, match=f"batch_size is {batch_size}.*11 examples"):
        stream.steps_per_epoch(batch_size)
    with pytest.raises(SeqexpError, match="batch_size"):
        stream.plan(jax.random.key(0), jnp.int32(0), 5, batch_size)


def test_windows_hold_consecutive_tokens_at_every_possible_offset():
    tokens = np.array([9, 4, 7, 1, 8, 2], np.int32)
    stream = Windows(jnp.asarray(tokens), 3)
    (inputs, lengths), targets, _ = chunk(stream, jax.random.key(0), jnp.int32(0), 1, 200)
    possible = {(*tokens[i : i + 3], *tokens[i + 1 : i + 4]) for i in range(3)}
    rows = np.concatenate([inputs[0], targets[0]], axis=1)
    assert {tuple(row) for row in rows} == possible
    np.testing.assert_array_equal(lengths[0], 200 * [3])


def test_only_examples_have_epochs():
    assert STREAMS["windows"].steps_per_epoch(3) is None
    assert STREAMS["generated"].steps_per_epoch(3) is None
