"""Gradients by lag against closed forms, a loop over time in Python, and finite differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.cells import GRU, LSTM, Elman
from seqexp.inspection import (
    chains,
    describe_decay,
    fit_decay,
    gradient_by_lag,
    lag_curve,
    pascanu_bound,
    without_chain,
)
from seqexp.inspection.gradient_by_lag import CHECKPOINTED
from seqexp.models import BagOfWords
from seqexp.types import Features, SeqexpError, TaskSpec
from tests.full import full
from tests.inspection.systems import Cache, Linear, Weighed, Whole, batch, linear, model
from tests.variants import quick_jit

LENGTHS = (4, 2, 0)


@pytest.fixture(autouse=True)
def precise():
    with jax.enable_x64(True):
        yield


compiled = quick_jit(gradient_by_lag, static_argnums=1, static_argnames="answers")


def by_lag(made: Any, task: Any, of: Any, answers: int = 1) -> Any:
    return jax.tree.map(np.asarray, compiled(made, task, of, answers=answers))


def test_a_linear_network_has_powers_of_its_matrix():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 3)) / 2  # not normal: eigenvalues alone don't tell
    task = Weighed("sequence", 2, 3)
    of = batch(task, LENGTHS, 4)
    norms, valid = by_lag(linear(task, matrix), task, of)["layer_1"]
    for n, length in enumerate(LENGTHS):
        assert valid[0, n].tolist() == [lag <= length for lag in range(1, 5)]
        for lag in range(1, length + 1):
            expected = np.linalg.norm(np.linalg.matrix_power(matrix, lag) @ of.targets[n])
            np.testing.assert_allclose(norms[0, n, lag - 1], expected, rtol=1e-12)
        assert not norms[0, n, length:].any()


EIGEN = Weighed("sequence", 2, 2, 130)


@quick_jit
def fitted(norms, valid):
    """The curve of both sequences, and the fit of the first."""
    return lag_curve(norms, valid, fewest=2), fit_decay(norms[:, :1], valid[:, :1])


@settings(deadline=None, derandomize=True, max_examples=5)
@given(eigenvalue=st.floats(0.05, 1.5))
def test_an_eigenvector_decays_at_its_eigenvalue(eigenvalue):
    """Over so many steps that there are gradient checkpoints."""
    task, steps = EIGEN, 130
    assert steps > CHECKPOINTED
    of = batch(task, [steps, steps - 7], steps)
    of = of._replace(targets=np.array([[0.0, 3.0], [0.0, -1e-3]]))
    norms, valid = by_lag(linear(task, np.diag([0.1, eigenvalue])), task, of)["layer_1"]
    curve, fit = (jax.tree.map(np.asarray, each) for each in fitted(norms, valid))
    assert curve.known.tolist() == [lag <= steps - 7 for lag in range(1, steps + 1)]
    assert np.array_equal(np.isnan(curve.mean), ~curve.known)
    powers = eigenvalue ** np.arange(1.0, steps - 6)
    np.testing.assert_allclose(curve.mean[: steps - 7], (3 + 1e-3) / 2 * powers, rtol=1e-10)
    np.testing.assert_allclose(fit.rate, np.log(eigenvalue), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fit.intercept, np.log(3), rtol=1e-8)
    assert fit.points == steps


def test_an_orthogonal_network_keeps_its_gradient():
    matrix, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    task = Weighed("sequence", 2, 6)
    of = batch(task, [30, 20], 30)
    norms, valid = by_lag(linear(task, matrix), task, of)["layer_1"]
    expected = np.linalg.norm(of.targets, axis=-1)[:, None]
    np.testing.assert_allclose(norms[0], np.where(valid[0], expected, 0), rtol=1e-12)
    assert describe_decay(fit_decay(norms[:, :1], valid[:, :1]).rate) == "neither decays nor grows"


def slow(made: Any, of: Any, n: int, places: list[int] | None) -> list[dict[str, Any]]:
    """One sequence, alone, in a loop: for each answer the gradients by zeros added to each carry.

    Args:
        places: the steps of the answers; None for one answer a sequence, pooled.

    Returns:
        By chain, for each answer, the norms by the carry that enters each step.
    """
    length = of.inputs.lengths[n]
    xs = of.inputs.values[n : n + 1, :length]
    along = chains(made)
    zeros = {
        c.name: [
            jax.tree.map(
                lambda a: jnp.zeros_like(a) if a.dtype != np.int32 else None, c.initial_carry(1, 5)
            )
            for _ in range(length)
        ]
        for c in along
    }

    def direction(chain, xs, zeros):
        order = range(length)[:: -1 if chain.reverse else 1]
        carry, ys = chain.initial_carry(1, 5), [jnp.zeros(())] * length
        for t in order:
            leaves, structure = jax.tree.flatten(carry)
            added = jax.tree.leaves(zeros[t], is_leaf=lambda leaf: leaf is None)
            leaves = [
                leaf if zero is None else leaf + zero
                for leaf, zero in zip(leaves, added, strict=True)
            ]
            carry, ys[t] = chain.step(jax.tree.unflatten(structure, leaves), xs[t])
        return ys

    def outputs(zeros):
        ys = [xs[:, t] for t in range(length)]
        for number, _ in enumerate(made.layers, start=1):
            norm = made.stack.norms[number - 1]
            read = ys if norm is None else [norm(y) for y in ys]
            ways = [
                direction(c, read, zeros[c.name])
                for c in along
                if c.name.split("/")[0] == f"layer_{number}"
            ]
            new = [jnp.concatenate(parts, axis=-1) for parts in zip(*ways, strict=True)]
            ys = [y + x for y, x in zip(new, ys, strict=True)] if made.stack.residual else new
        if places is not None:
            return [made.readout(y)[0] for y in ys]
        if made.pooling == "mean":
            return [made.readout(sum(ys) / length)[0]]
        forward = made.forward_features
        return [made.readout(jnp.concatenate([ys[-1][:, :forward], ys[0][:, forward:]], -1))[0]]

    def norms(answer):
        place, target = answer
        slopes = jax.grad(lambda zeros: outputs(zeros)[place] @ target)(zeros)
        return {
            name: [
                jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(at)))
                for at in by_time
            ]
            for name, by_time in slopes.items()
        }

    answers = [(0, of.targets[n])] if places is None else [(t, of.targets[n, t]) for t in places]
    return [norms(answer) for answer in answers]


BIDIRECTIONAL: dict[str, Any] = {"cell": GRU, "bidirectional": True, "depth": 2}


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        full("step", {"cell": LSTM, "depth": 2, "norm": "layer", "residual": True}),
        ("sequence", BIDIRECTIONAL),
        full("step", BIDIRECTIONAL),
        ("sequence", {"cell": partial(LSTM, projection=2), "pooling": "mean"}),
        ("step", {"layers": [Cache, Linear]}),
    ],
    ids=["stack", "both directions", "both directions by step", "mean", "attention"],
)
def test_any_model_agrees_with_a_loop_in_python(answer, options):
    task = Weighed(answer, 4, 2, 5)
    made = model(task, **options)
    of = batch(task, LENGTHS, 4)
    found = by_lag(made, task, of, answers=2)
    assert set(found) == {chain.name for chain in chains(made)}
    places = [
        None if answer == "sequence" else [t for t in (length - 1, length - 2) if t >= 0]
        for length in LENGTHS
    ]
    expected = quick_jit(
        lambda: [slow(made, of, n, places[n]) if LENGTHS[n] else [] for n in range(len(LENGTHS))]
    )()
    assert not any(valid[:, 2].any() for _, valid in found.values())
    for n, length in enumerate(LENGTHS):
        for a, by_time in enumerate(expected[n]):
            for chain in chains(made):
                norms, valid = (part[a, n] for part in found[chain.name])
                chosen = places[n]
                t = length - 1 if chosen is None else chosen[a]
                want = by_time[chain.name][: t + 1][::-1]
                if chain.reverse:
                    want = by_time[chain.name][0 if chosen is None else t :]
                assert valid.sum() == len(want)
                np.testing.assert_allclose(norms[: len(want)], want, rtol=1e-9, atol=1e-15)


def test_a_gradient_is_the_limit_of_finite_differences():
    task = Weighed("sequence", 4, 2, 6)
    made = model(task, cell=GRU)
    of = batch(task, [6], 6)
    norms = by_lag(made, task, of)["layer_1"].norms[0, 0]
    layer, xs = made.layers[0], of.inputs.values
    split, small = 2, 1e-6

    @quick_jit
    def loss(added):
        h = layer.initial_carry(1, 6)
        for t in range(6):
            if t == split:
                h = jax.tree.map(lambda part: part + added, h)
            h, y = layer.step(h, xs[:, t])
        return made.readout(y)[0] @ of.targets[0]

    slopes = [(loss(d) - loss(-d)) / (2 * small) for d in small * np.eye(4)]
    np.testing.assert_allclose(norms[6 - split - 1], np.linalg.norm(slopes), rtol=1e-8)


def test_padding_never_matters():
    task = Weighed("step", 4, 2, 9)
    made = model(task, cell=GRU, bidirectional=True)
    short = by_lag(made, task, batch(task, LENGTHS, 4), answers=3)
    long = by_lag(made, task, batch(task, LENGTHS, 7), answers=3)
    for name, (norms, valid) in long.items():
        assert np.array_equal(valid[..., :4], short[name].valid) and not valid[..., 4:].any()
        np.testing.assert_allclose(norms[..., :4], short[name].norms, rtol=1e-12)


def test_norms_whose_squares_underflow_are_exact():
    task = Weighed("sequence", 2, 2, 50)
    of = batch(task, [50], 50, np.float32)._replace(targets=np.ones((1, 2), np.float32))
    made = linear(task, np.eye(2, dtype=np.float32) / 4)
    norms, valid = by_lag(made, task, of)["layer_1"]
    expected = np.sqrt(2) * 0.25 ** np.arange(1.0, 51.0)
    assert expected[-1] < 1e-29 and norms.dtype == np.float32
    np.testing.assert_allclose(norms[0, 0], expected, rtol=1e-6)
    assert describe_decay(fit_decay(norms, valid).rate) == "half-life 0.5 steps"


def test_answers_that_do_not_count_are_passed_over():
    """As of a task whose loss reads a few steps only."""
    task = Weighed("step", 4, 2, 5)
    of = batch(task, [5, 5], 5)
    of.targets[0, 3:] = 0
    of.targets[1, 1:] = 0
    norms, valid = by_lag(model(task, cell=GRU), task, of, answers=2)["layer_1"]
    assert valid.sum(-1).tolist() == [[3, 1], [2, 0]]
    assert (norms > 0).sum(-1).tolist() == [[3, 1], [2, 0]]


def test_what_has_no_chain_says_why():
    task = Weighed("sequence", 4, 2, 5)
    of = batch(task, LENGTHS, 4)
    mixed = model(task, layers=[Whole, Linear])
    assert set(by_lag(mixed, task, of)) == {"layer_2"}
    assert "reads the whole sequence" in without_chain(mixed)["layer_1"]
    with pytest.raises(SeqexpError, match="layer_1 .* reads the whole sequence"):
        gradient_by_lag(model(task, layers=[Whole]), task, of)
    bag = BagOfWords(task.spec, features=3, depth=0, dropout=0.0, rngs=nnx.Rngs(0))
    with pytest.raises(SeqexpError, match="no layers that run over time"):
        gradient_by_lag(bag, task, of)
    with pytest.raises(SeqexpError, match="at least 1"):
        gradient_by_lag(mixed, task, of, answers=0)
    free: Any = Weighed("step", 4, 2)
    free._spec = TaskSpec(Features(4), "free", 5, 5, False, max_answer_length=3, start=0, end=1)
    with pytest.raises(SeqexpError, match="not defined for free answers"):
        gradient_by_lag(mixed, free, of)


def test_a_fit_of_growth_and_of_nothing():
    norms = jnp.exp(0.25 * jnp.arange(1.0, 9.0))
    fit = fit_decay(norms, norms > 0)
    assert np.isinf(fit.half_life) and describe_decay(fit.rate) == "doubles every 2.8 steps"
    np.testing.assert_allclose(fit.doubling, np.log(2) / 0.25, rtol=1e-12)
    np.testing.assert_allclose(fit.explained, 1, rtol=1e-12)
    noisy = norms * jnp.exp(np.random.default_rng(0).normal(size=8))
    want = np.polyfit(np.arange(1, 9), np.log(noisy), 1)
    got = fit_decay(noisy, noisy > 0)
    np.testing.assert_allclose([got.rate, got.intercept], want, rtol=1e-10)
    assert 0 < got.explained < 1
    one = fit_decay(jnp.array([1.0, 0.0, jnp.inf]), jnp.ones(3, bool))
    assert one.points == 1 and describe_decay(one.rate) == "no decay could be fitted"
    assert np.isnan(one.half_life) and np.isnan(one.doubling)


def test_the_tanh_network_forgets_within_the_bound():
    task = Weighed("sequence", 4, 2, 30)
    made = model(task, cell=Elman, features=8)
    of = batch(task, [30, 11], 30)
    norms, valid = by_lag(made, task, of)["layer_1"]
    bound = pascanu_bound(made.layers[0], jnp.arange(1, 31))
    at_answer = np.linalg.norm(np.asarray(made.readout.kernel) @ of.targets.T, axis=0)
    assert (norms[0] <= at_answer[:, None] * bound * (1 + 1e-12)).all()
    assert (norms[0, 0, :3] > 0.01 * at_answer[0] * bound[:3]).all()
