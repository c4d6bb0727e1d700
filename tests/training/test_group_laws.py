"""Laws 4, 5, 6 and 8: groups, resuming, divergence, selection, randomness."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization

from seqexp.training import Hyper
from seqexp.training.loop import Standing, train
from tests.full import full
from tests.training.small import (
    HYPERS,
    adding,
    assert_bitwise,
    digits,
    experiment,
    program,
    trained,
)

TASKS = {"generated": adding, "finite": digits}


@pytest.fixture(scope="module", params=[task if task == "finite" else full(task) for task in TASKS])
def setting(request):
    """An experiment, its data, and what a group of three members on two devices gives."""
    task = TASKS[request.param]()
    splits = task.load()
    small = experiment(task)
    return small, splits, trained(program(small, splits, HYPERS))


def test_a_member_of_a_group_is_bitwise_what_it_is_alone(setting):
    small, splits, (states, records, _) = setting
    for m, hyper in enumerate(HYPERS):
        alone, alone_records, _ = trained(program(small, splits, [hyper]))
        assert_bitwise(alone[0], states[m])
        assert [chunk[0] for chunk in alone_records] == [chunk[m] for chunk in records]


def test_members_differ(setting):
    _, _, (states, _, _) = setting
    weights = [np.concatenate([a.ravel() for a in jax.tree.leaves(s.params)]) for s in states]
    assert not np.allclose(weights[0], weights[1])
    assert not np.allclose(weights[0], weights[2])


def test_resuming_is_bitwise_never_having_stopped(setting):
    """Stop after the first evaluation; members then go on together from bytes on a disk."""
    small, splits, (states, records, _) = setting
    first = program(small, splits, HYPERS)
    chunk = next(train(first, first.init()))
    saved = serialization.msgpack_serialize(
        [jax.tree.leaves(state) for state in first.take(chunk.states)]
    )
    second = program(small, splits, HYPERS)
    structure = jax.tree.structure(second.take(second.init())[0])
    restored = [
        jax.tree.unflatten(structure, leaves) for leaves in serialization.msgpack_restore(saved)
    ]
    resumed, later, _ = trained(second, second.place(restored), list(chunk.standings))
    assert_bitwise(resumed, states)
    assert [chunk.records, *later] == records


@pytest.mark.full
def test_members_may_stand_at_different_steps(setting):
    """A group of one member that is half way and one that starts: each as if alone."""
    small, splits, (states, _, _) = setting
    first = program(small, splits, HYPERS[:1])
    half = first.take(next(train(first, first.init())).states)[0]
    pair = program(small, splits, HYPERS[:2])
    fresh = pair.take(pair.init())[1]
    together, _, _ = trained(pair, pair.place([half, fresh]))
    assert_bitwise(together[0].params, states[0].params)
    assert_bitwise(together[1].params, states[1].params)


@pytest.mark.full
def test_the_order_of_data_does_not_depend_on_when_it_is_evaluated(setting):
    small, splits, (states, _, _) = setting
    often, _, _ = trained(program(experiment(small.task, eval_every=2), splits, HYPERS))
    for ours, theirs in zip(often, states, strict=True):
        assert_bitwise(ours.params, theirs.params)
        assert_bitwise(ours.opt_state, theirs.opt_state)


def test_a_member_that_diverges_stops_alone(setting):
    small, splits, (states, _, _) = setting
    wild = Hyper(0, 1e38, 0.0, float("inf"))
    with_wild, records, chunks = trained(program(small, splits, [*HYPERS[:2], wild]))
    assert_bitwise(with_wild[0], states[0])
    assert_bitwise(with_wild[1], states[1])
    assert not with_wild[2].alive
    steps = [chunk.diverged for chunk in chunks if chunk.diverged]
    assert steps == [{2: int(with_wild[2].step) + 1}]
    after = [2 in chunk for chunk in records]
    assert after == sorted(after, reverse=True), "a diverged member has no later records"
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(with_wild[2].params))


def test_the_test_split_is_not_read_during_training(setting):
    small, splits, (states, records, _) = setting
    spoilt = jax.tree.map(
        lambda a: a * 0 - 1e6 if jnp.issubdtype(a.dtype, jnp.floating) else jnp.minimum(a, 1),
        splits.held_out["test"],
    )
    other = splits._replace(held_out={**splits.held_out, "test": spoilt})
    same, same_records, _ = trained(program(small, other, HYPERS))
    assert_bitwise(same, states)
    assert same_records == records


def test_the_best_weights_are_those_of_the_best_validation_score(setting):
    small, splits, _ = setting
    group = program(small, splits, HYPERS)
    score = small.task.score
    snapshots: dict[int, list] = {m: [] for m in range(3)}
    last = None
    for chunk in train(group, group.init()):
        for m, state in enumerate(group.take(chunk.states)):
            snapshots[m].append((chunk.records[m][f"valid/{score.name}"], state))
        last = chunk
    assert last is not None
    for m, evaluations in snapshots.items():
        sign = 1 if score.goal == "min" else -1
        best_score, best = min(evaluations, key=lambda e: sign * e[0])
        assert last.standings[m].best_score == best_score
        assert last.standings[m].best_step == int(best.step)
        assert_bitwise(evaluations[-1][1].best_params, best.params)


@pytest.mark.full
def test_splitting_a_batch_over_devices_is_the_same_to_rounding():
    task = digits()
    model = experiment(task).model
    bare = partial(model.func, **{**model.keywords, "dropout": 0.0, "cell_dropout": None})
    small = experiment(task, model=bare)
    splits = task.load()
    whole, records, _ = trained(program(small, splits, HYPERS[:1]))
    split, split_records, _ = trained(program(small, splits, HYPERS[:1], batch_devices=2))
    for ours, theirs in zip(
        jax.tree.leaves(split[0].params), jax.tree.leaves(whole[0].params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    for ours, theirs in zip(split_records, records, strict=True):
        assert ours[0].keys() == theirs[0].keys()
        np.testing.assert_allclose(
            list(ours[0].values()), list(theirs[0].values()), rtol=1e-3, atol=1e-6
        )


def test_a_score_that_is_not_a_number_is_never_the_best():
    score = adding().score
    standing = Standing().after(10, 4, 100, float("nan"), score)
    assert standing == Standing(None, 0, tokens=100, examples=4)
    standing = standing.after(20, 4, 100, 0.5, score).after(30, 4, 100, float("nan"), score)
    assert (standing.best_score, standing.best_step) == (0.5, 20)
    assert (standing.tokens, standing.examples) == (300, 12)


def test_batches_are_counted_by_their_true_steps(setting):
    small, _, (_, records, _) = setting
    length = small.task.spec.max_length
    assert [chunk[0]["step"] for chunk in records] == [3, 6, 8]
    assert [chunk[0]["examples"] for chunk in records] == [12, 24, 32]
    assert [chunk[0]["tokens"] for chunk in records] == [12 * length, 24 * length, 32 * length]
