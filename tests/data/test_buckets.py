"""Length buckets: what an epoch holds, in which order, and that plans are of no consequence."""

from __future__ import annotations

import functools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.buckets import LengthBuckets, bucketed, splits_in_buckets
from seqexp.data.streams import Examples
from seqexp.training.batches import padding_share
from seqexp.types import Batch, Bucket, Features, SeqexpError, Sequences, TaskSpec, Tokens
from tests.full import full

COUNTS, LENGTHS, B = (7, 12, 4), (2, 5, 8), 3
# One empty example and 5 of the first part; 2 of the first and 10 of the second; the other 6.
BATCHES, TAKEN = (2, 4, 2), (5, 12, 6)
S = sum(BATCHES)
EPOCHS = 4


def part(count: int, length: int, first: int) -> Batch:
    """Examples whose target, and every input, is their own number; no padding is 0."""
    numbers = first + jnp.arange(count, dtype=jnp.int32)
    values = jnp.broadcast_to(numbers[:, None], (count, length))
    return Batch(Sequences(values, jnp.full(count, length, jnp.int32)), numbers)


def numbered(counts=COUNTS, lengths=LENGTHS, **options) -> LengthBuckets:
    firsts = np.cumsum([0, *counts])
    parts = map(part, counts, lengths, firsts[:-1].tolist())
    return LengthBuckets(tuple(parts), **options)


@functools.cache
def ordered(first_step: int, max_steps: int, batch_size: int = B) -> list[int]:
    return np.asarray(numbered().order(jnp.int32(first_step), max_steps, batch_size)).tolist()


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def planned_together(stream, key, first_step, max_steps: int, batch_size: int, place: int):
    """The batches of a bucket, `[steps, B, ...]`, at all steps; nonsense at others' steps."""
    bucket = stream.buckets(batch_size)[place]
    plan = stream.plan(key, first_step, max_steps, batch_size)
    steps = first_step + jnp.arange(max_steps, dtype=jnp.int32)
    return jax.lax.map(lambda step: stream.batch(plan, key, step, bucket), steps)


def examples_of(batch: Batch, counts, lengths) -> list[int]:
    """The numbers of the real examples; fails unless each has its own inputs, and the rest none."""
    real = np.asarray(batch.inputs.lengths) > 0
    np.testing.assert_array_equal(real, np.arange(len(real)) < real.sum())
    assert not np.asarray(batch.inputs.values)[~real].any()
    numbers = np.asarray(batch.targets)[real].tolist()
    rows, own = (np.asarray(each)[real].tolist() for each in batch.inputs)
    for number, row, length in zip(numbers, rows, own, strict=True):
        assert length == lengths[owner(number, counts)]
        assert row == [number] * length + [0] * (len(row) - length)
    return numbers


def taken(seed: int, first_step: int, max_steps: int, **options) -> list[list[int]]:
    """The examples of each step, planned together; fails unless inputs and targets agree."""
    stream, key = numbered(**options), jax.random.key(seed)
    order = np.asarray(stream.order(jnp.int32(first_step), max_steps, B))
    found = []
    by_place = {
        place: planned_together(stream, key, jnp.int32(first_step), max_steps, B, place)
        for place in set(order.tolist())
    }
    for step, place in enumerate(order.tolist()):
        batch = jax.tree.map(lambda a, step=step: np.asarray(a)[step], by_place[place])
        assert batch.inputs.values.shape == tuple(stream.buckets(B)[place])
        found.append(examples_of(batch, COUNTS, LENGTHS))
    return found


def owner(example: int, counts=COUNTS) -> int:
    """The part of an example."""
    return int(np.searchsorted(np.cumsum(counts), example, side="right"))


def test_an_epoch_holds_each_example_once():
    stream = numbered()
    assert stream.steps_per_epoch(B) == S
    steps = taken(0, 0, EPOCHS * S)
    order = ordered(0, EPOCHS * S)
    for epoch in range(EPOCHS):
        of = slice(epoch * S, (epoch + 1) * S)
        assert Counter(order[of]) == dict(enumerate(BATCHES))
        seen = sum(steps[of], [])
        assert sorted(seen) == list(range(sum(COUNTS)))
        assert Counter(map(len, steps[of])) == {B: S - 1, B - 1: 1}


def test_examples_follow_the_permutations_of_their_epoch():
    """The documented draw, example by example, in plain Python: who is left goes first above."""
    key = jax.random.key(3)
    steps, order = taken(3, 0, EPOCHS * S), ordered(0, EPOCHS * S)
    firsts = np.cumsum([0, *COUNTS])
    moved = set()
    for epoch in range(EPOCHS):
        queues, waiting = [], []
        for place, count in enumerate(COUNTS):
            own = jax.random.fold_in(jax.random.fold_in(key, place), epoch)
            waiting += (firsts[place] + np.asarray(jax.random.permutation(own, count))).tolist()
            queues.append(waiting[: TAKEN[place]])
            waiting = waiting[TAKEN[place] :]
            moved.add(tuple(waiting))
        for step in range(epoch * S, (epoch + 1) * S):
            queue = queues[order[step]]
            assert steps[step] == queue[:B]
            del queue[:B]
        assert not any([*queues, waiting])
    assert len(moved) > 2 * (EPOCHS - 1), "others move up in each epoch"


counts_of_parts = st.lists(st.integers(1, 12), min_size=1, max_size=4)
constants = st.sampled_from(["examples", "tokens"])


@given(counts_of_parts, st.integers(1, 9), constants)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_at_most_one_batch_of_an_epoch_is_not_full(counts, size, constant):
    """And no shape is compiled for nothing."""
    stream = numbered(counts, range(2, 2 + len(counts)), constant=constant)
    steps, buckets = stream.steps_per_epoch(size), stream.buckets(size)
    plan = jax.eval_shape(lambda key: stream.plan(key, jnp.int32(0), 1, size), jax.random.key(0))
    held = [count for each in plan.examples if (count := each.shape[1])]
    assert sum(held) == sum(counts)
    batches = [-(-n // bucket.batch_size) for n, bucket in zip(held, buckets, strict=True)]
    assert sum(batches) == steps
    assert sum(n % bucket.batch_size > 0 for n, bucket in zip(held, buckets, strict=True)) <= 1
    if constant == "examples":
        assert steps == -(-sum(counts) // size)


@pytest.mark.full
@given(counts_of_parts, st.integers(1, 9), constants, st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=6)
def test_each_example_comes_once_an_epoch_whatever_their_numbers(counts, size, constant, seed):
    lengths = sorted(np.random.default_rng(seed).choice(np.arange(2, 30), len(counts), False))
    stream, key = numbered(counts, map(int, lengths), constant=constant), jax.random.key(seed)
    steps = stream.steps_per_epoch(size)
    buckets = stream.buckets(size)
    order = np.asarray(stream.order(jnp.int32(0), 2 * steps, size)).reshape(2, steps)
    together = [
        planned_together(stream, key, jnp.int32(0), 2 * steps, size, place)
        for place in range(len(buckets))
    ]
    spent = 0
    for epoch, places in enumerate(order):
        seen, short = [], 0
        for step, place in enumerate(places.tolist(), epoch * steps):
            batch = jax.tree.map(lambda a, step=step: np.asarray(a)[step], together[place])
            assert batch.inputs.values.shape == tuple(buckets[place])
            numbers = examples_of(batch, counts, lengths)
            assert numbers and max(lengths[owner(n, counts)] for n in numbers) <= len(
                batch.inputs.values[0]
            )
            seen += numbers
            short += len(numbers) < len(batch.targets)
            spent += batch.inputs.values.size
        assert sorted(seen) == list(range(sum(counts)))
        assert short <= 1
    true = 2 * sum(n * length for n, length in zip(counts, lengths, strict=True))
    assert padding_share(stream, size) == pytest.approx(1 - true / spent, abs=1e-12)


def bucket_of(step: list[int]) -> int:
    """Every batch here holds an example of its bucket's own part."""
    return max(map(owner, step))


def test_the_order_of_buckets_is_of_the_epoch_alone():
    """All keys share it, and so do members side by side; another epoch has another."""
    orders = [tuple(ordered(0, EPOCHS * S)[e * S : (e + 1) * S]) for e in range(EPOCHS)]
    assert len(set(orders)) == EPOCHS
    assert any(list(order) != sorted(order) for order in orders)
    one, other = taken(0, 0, EPOCHS * S), taken(1, 0, EPOCHS * S)
    assert one != other
    assert [bucket_of(step) for step in one] == [bucket_of(step) for step in other]
    assert [bucket_of(step) for step in one] == ordered(0, EPOCHS * S)


@pytest.mark.parametrize("max_steps", [full(1), 3, full(S), full(S + 2)])
@pytest.mark.parametrize("first_step", [full(0), full(1), S - 1, full(S), full(2 * S - 2)])
def test_a_batch_does_not_depend_on_what_was_planned(first_step, max_steps):
    whole, order = taken(5, 0, EPOCHS * S), ordered(0, EPOCHS * S)
    of = slice(first_step, first_step + max_steps)
    assert ordered(first_step, max_steps) == order[of]
    assert taken(5, first_step, max_steps) == whole[of]


@pytest.mark.full
@pytest.mark.parametrize("impl", ["threefry2x32", full("unsafe_rbg")])
def test_plans_are_of_no_consequence_whatever_the_kind_of_key(impl):
    """Some kinds draw other numbers where several epochs are drawn at once, under `vmap`."""
    stream, step = numbered(), jnp.int32(S + 1)
    bucket = stream.buckets(B)[ordered(S + 1, 1)[0]]

    def targets(key, first, most):
        return stream.batch(stream.plan(key, first, most, B), key, step, bucket).targets

    keys = jax.random.split(jax.random.key(2, impl=impl), 3)
    for key in keys:
        alone = targets(key, step, 1)
        np.testing.assert_array_equal(targets(key, jnp.int32(0), 3 * S), alone)
        assert bucket_of(alone.tolist()) == ordered(S + 1, 1)[0]


def test_the_order_does_not_depend_on_the_kind_of_keys():
    with jax.default_prng_impl("unsafe_rbg"):
        other = numbered().order(jnp.int32(0), EPOCHS * S, B)
    assert np.asarray(other).tolist() == ordered(0, EPOCHS * S)


def test_a_stream_is_a_pytree_whose_arrays_are_program_arguments():
    leaves, structure = jax.tree.flatten(numbered())
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    hash(structure)
    assert structure != jax.tree.structure(numbered(constant="tokens"))


def test_batches_of_as_many_examples():
    assert numbered().buckets(B) == tuple(Bucket(B, length) for length in LENGTHS)


def test_batches_of_about_as_many_tokens():
    """batch_size examples of the longest bucket, and of the others as many as fit in their room."""
    counts, lengths, size = (50, 20, 9), (2, 3, 8), 2
    stream = numbered(counts, lengths, constant="tokens")
    buckets = stream.buckets(size)
    assert buckets == (Bucket(8, 2), Bucket(5, 3), Bucket(2, 8))
    room = size * max(lengths)
    for bucket in buckets:
        assert room - bucket.length < bucket.batch_size * bucket.length <= room
    steps = stream.steps_per_epoch(size)
    # One empty example and 47 of the first; 3 of it and 17 of the second; 3 of it and the third.
    assert steps == 6 + 4 + 6
    key, order = jax.random.key(0), np.asarray(stream.order(jnp.int32(0), steps, size)).tolist()
    plan = stream.plan(key, jnp.int32(0), steps, size)
    seen = []
    for step, place in enumerate(order):
        batch = stream.batch(plan, key, jnp.int32(step), buckets[place])
        assert batch.inputs.values.shape == tuple(buckets[place])
        seen += np.asarray(batch.targets)[np.asarray(batch.inputs.lengths) > 0].tolist()
    assert sorted(seen) == list(range(50 + 20 + 9))


def test_all_examples_are_the_parts():
    stream = numbered()
    assert stream.all_examples() is stream.parts


def test_a_batch_of_none_is_refused():
    stream = numbered()
    for ask in (stream.buckets, stream.steps_per_epoch):
        with pytest.raises(SeqexpError, match="batch_size is 0: choose one of at least 1"):
            ask(0)


def test_a_part_too_small_for_a_batch_is_no_bucket():
    stream, key = numbered(), jax.random.key(1)
    assert stream.buckets(20) == (Bucket(20, 2), Bucket(20, 8))
    steps = stream.steps_per_epoch(20)
    assert steps == 2
    plan = stream.plan(key, jnp.int32(0), steps, 20)
    order = np.asarray(stream.order(jnp.int32(0), steps, 20)).tolist()
    found = {
        place: examples_of(
            stream.batch(plan, key, jnp.int32(step), stream.buckets(20)[place]), COUNTS, LENGTHS
        )
        for step, place in enumerate(order)
    }
    # 17 empty ones and 3 of the first; the other 4 of it, 12 of the second and 4 of the third.
    assert len(found[0]) == 3 and set(found[0]) <= set(range(7))
    assert sorted(found[0] + found[1]) == list(range(23))


def test_parts_of_any_order_are_refused():
    with pytest.raises(SeqexpError, match=r"must ascend in length, not \[5, 2\]"):
        numbered((3, 3), (5, 2)).buckets(2)


N, T = 40, 9
OWN_LENGTHS = np.random.default_rng(0).integers(0, T + 1, N)
WORDS = TaskSpec(Tokens(100), "step", 100, T, causal=True)
EDGES = [2, 5, 9]


def ragged(spec: TaskSpec) -> Batch:
    rng = np.random.default_rng(1)
    shape = (N, T) if spec.answer == "step" else (N,)
    inputs = Sequences(rng.integers(0, 100, (N, T)), OWN_LENGTHS)  # type: ignore[arg-type]
    return Batch(inputs, rng.integers(0, 100, shape))


@pytest.mark.parametrize("answer", ["step", "sequence"])
def test_each_example_goes_to_the_shortest_bucket_that_holds_it(answer):
    spec = TaskSpec(Tokens(100), answer, 100, T, causal=True)
    examples = ragged(spec)
    parts = bucketed(spec, examples, EDGES)
    expected: dict[int, list[int]] = {edge: [] for edge in EDGES}
    for row, length in enumerate(OWN_LENGTHS):
        expected[min(edge for edge in EDGES if length <= edge)].append(row)
    assert len(parts) == len(EDGES)
    for (edge, rows), part in zip(expected.items(), parts, strict=True):
        np.testing.assert_array_equal(part.inputs.values, examples.inputs.values[rows][:, :edge])
        np.testing.assert_array_equal(part.inputs.lengths, OWN_LENGTHS[rows])
        targets = examples.targets[rows]
        np.testing.assert_array_equal(
            part.targets, targets[:, :edge] if answer == "step" else targets
        )


def test_targets_of_the_tasks_own_are_not_cut():
    spec = TaskSpec(Tokens(100), "step", 100, T, causal=True, targets="own")
    targets = {"spans": np.zeros((N, T, 2)), "count": np.zeros(N)}
    for part in bucketed(spec, ragged(WORDS)._replace(targets=targets), EDGES):
        count = len(part.inputs.lengths)
        shapes = {name: array.shape for name, array in part.targets.items()}
        assert shapes == {"spans": (count, T, 2), "count": (count,)}


def test_a_prefix_stays_with_its_example():
    spec = TaskSpec(Features(2), "free", 7, T, causal=False, max_answer_length=4, start=0, end=1)
    numbers = np.arange(N)
    prefix = Sequences(np.tile(numbers[:, None], (1, 4)), numbers % 5)  # type: ignore[arg-type]
    inputs = Sequences(np.zeros((N, T, 2)), OWN_LENGTHS)  # type: ignore[arg-type]
    parts = bucketed(spec, Batch(inputs, np.tile(numbers[:, None], (1, 4)), prefix), EDGES)
    for part in parts:
        assert part.prefix is not None
        assert part.prefix.values.shape == part.targets.shape
        rows = np.asarray(part.targets)[:, 0]
        np.testing.assert_array_equal(part.prefix.lengths, rows % 5)
        np.testing.assert_array_equal(part.inputs.lengths, OWN_LENGTHS[rows])
        own = np.maximum(OWN_LENGTHS, numbers % 5)[rows]
        edge = part.inputs.values.shape[1]
        assert edge == min(edge for edge in EDGES if own.max() <= edge)
        assert part.prefix.values.shape[1] == min(edge, 4)
    assert sorted(np.concatenate([part.targets[:, 0] for part in parts])) == list(range(N))


def test_empty_buckets_are_left_out():
    examples = ragged(WORDS)
    short = examples._replace(inputs=examples.inputs._replace(lengths=OWN_LENGTHS % 2 + 3))
    (only,) = bucketed(WORDS, short, EDGES)
    assert only.inputs.values.shape == (N, 5)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([], r"must ascend, not \[\]"),
        ([5, 2, 9], r"must ascend, not \[5, 2, 9\]"),
        ([5, 5, 9], "must ascend"),
        ([2, 5], r"an example of 9 steps is longer than any bucket, \[2, 5\]: add"),
    ],
)
def test_lengths_that_are_no_buckets_are_refused(lengths, said):
    with pytest.raises(SeqexpError, match=said):
        bucketed(WORDS, ragged(WORDS), lengths)


def test_a_task_is_put_in_buckets_and_longer_held_out_examples_in_one_of_their_own():
    train, longer = ragged(WORDS), ragged(WORDS)
    train = train._replace(inputs=train.inputs._replace(lengths=np.minimum(OWN_LENGTHS, 6)))  # type: ignore[arg-type]
    splits = splits_in_buckets(WORDS, {"train": train, "valid": train, "test": longer}, 2)
    assert isinstance(splits.train, LengthBuckets)
    parts = splits.train.all_examples()
    ends = [part.inputs.values.shape[1] for part in parts]
    assert ends[-1] == 6 and len(ends) == 2
    assert [p.inputs.values.shape[1] for p in splits.held_out["valid"]] == ends
    assert [p.inputs.values.shape[1] for p in splits.held_out["test"]] == [*ends, 9]
    assert sum(len(part.targets) for part in splits.held_out["test"]) == N


def test_one_bucket_is_a_plain_set_of_examples():
    splits = splits_in_buckets(WORDS, {"train": ragged(WORDS), "test": ragged(WORDS)}, 1)
    assert isinstance(splits.train, Examples)
    assert splits.train.split.inputs.values.shape == (N, OWN_LENGTHS.max())
