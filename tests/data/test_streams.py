"""Streams: the absolute step alone decides the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Examples, Generated, Windows
from seqexp.types import Batch, SeqexpError


def numbered(count: int) -> Examples:
    """Examples whose target is their own number."""
    numbers = jnp.arange(count, dtype=jnp.int32)
    return Examples(Batch(10 * numbers[:, None], numbers, jnp.ones(count, jnp.int32)))


def drawn(key, batch_size: int) -> Batch:
    values = jax.random.uniform(key, (batch_size, 3))
    return Batch(values, values, jnp.full(batch_size, 3, jnp.int32))


STREAMS = {
    "examples": numbered(11),
    "windows": Windows(jnp.arange(50, dtype=jnp.int32), 4),
    "generated": Generated(drawn),
}


@jax.jit
def chunk_of_five(stream, key, first_step) -> Batch:
    plan = stream.plan(key, first_step, 5, 3)
    steps = first_step + jnp.arange(5, dtype=jnp.int32)
    return jax.lax.map(lambda step: stream.batch(plan, key, step, 3), steps)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("impl", ["threefry2x32", "unsafe_rbg"])
def test_a_batch_does_not_depend_on_the_chunk_it_is_asked_in(name, impl):
    stream, key = STREAMS[name], jax.random.key(7, impl=impl)
    whole = stream.plan(key, jnp.int32(0), 40, 3)
    for first_step in (0, 1, 2, 13, 35):
        chunk = chunk_of_five(stream, key, jnp.int32(first_step))
        for i in range(5):
            expected = stream.batch(whole, key, jnp.int32(first_step + i), 3)
            for got, want in zip(chunk, expected, strict=True):
                np.testing.assert_array_equal(got[i], want)


@pytest.mark.parametrize("name", STREAMS)
def test_steps_and_keys_give_other_batches(name):
    stream = STREAMS[name]
    first = chunk_of_five(stream, jax.random.key(0), jnp.int32(0)).targets
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, chunk_of_five(stream, jax.random.key(1), jnp.int32(0)).targets)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_a_pytree_whose_arrays_are_program_arguments(name):
    stream = STREAMS[name]
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(stream))
    leaves, structure = jax.tree.flatten(stream)
    hash(structure)
    assert type(jax.tree.unflatten(structure, leaves)) is type(stream)


def test_examples_follow_the_permutation_of_their_epoch():
    stream, key = numbered(11), jax.random.key(3)
    plan = stream.plan(key, jnp.int32(0), 9, 3)
    for step in range(9):
        order = jax.random.permutation(jax.random.fold_in(key, step // 3), 11)
        batch = stream.batch(plan, key, jnp.int32(step), 3)
        np.testing.assert_array_equal(batch.targets, order[step % 3 * 3 :][:3])
        np.testing.assert_array_equal(batch.inputs[:, 0], 10 * batch.targets)


def test_an_epoch_sees_each_example_once_in_a_new_order():
    stream, key = numbered(12), jax.random.key(0)
    assert stream.steps_per_epoch(4) == 3
    plan = stream.plan(key, jnp.int32(0), 6, 4)
    seen = np.array([stream.batch(plan, key, jnp.int32(step), 4).targets for step in range(6)])
    epochs = seen.reshape(2, 12)
    np.testing.assert_array_equal(np.sort(epochs), [range(12), range(12)])
    assert not np.array_equal(*epochs)


def test_an_incomplete_batch_is_dropped():
    stream, key = numbered(11), jax.random.key(0)
    assert stream.steps_per_epoch(4) == 2
    plan = stream.plan(key, jnp.int32(0), 2, 4)
    seen = np.concatenate([stream.batch(plan, key, jnp.int32(s), 4).targets for s in range(2)])
    assert len(set(seen.tolist())) == 8


@pytest.mark.parametrize("batch_size", [0, 12])
def test_an_impossible_batch_size_is_refused(batch_size):
    stream = numbered(11)
    with pytest.raises(SeqexpError, match=f"batch_size is {batch_size}.*11 examples"):
        stream.steps_per_epoch(batch_size)
    with pytest.raises(SeqexpError, match="batch_size"):
        stream.plan(jax.random.key(0), jnp.int32(0), 5, batch_size)


def test_one_batch_may_hold_the_whole_split():
    stream, key = numbered(5), jax.random.key(0)
    plan = stream.plan(key, jnp.int32(4), 1, 5)
    batch = stream.batch(plan, key, jnp.int32(4), 5)
    np.testing.assert_array_equal(np.sort(batch.targets), range(5))


def test_windows_hold_consecutive_tokens_at_every_possible_offset():
    tokens = np.array([9, 4, 7, 1, 8, 2], np.int32)
    stream, key = Windows(jnp.asarray(tokens), 3), jax.random.key(0)
    batch = stream.batch(None, key, jnp.int32(0), 200)
    possible = {(*tokens[i : i + 3], *tokens[i + 1 : i + 4]) for i in range(3)}
    rows = np.concatenate([batch.inputs, batch.targets], axis=1)
    assert {tuple(row) for row in rows} == possible
    np.testing.assert_array_equal(batch.lengths, 200 * [3])


def test_only_examples_have_epochs():
    assert STREAMS["windows"].steps_per_epoch(3) is None
    assert STREAMS["generated"].steps_per_epoch(3) is None
