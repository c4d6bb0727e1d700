"""The diagonal linear recurrence: every way of computing it, against a plain loop in float64."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from seqexp.recurrences import linear
from seqexp.types import SeqexpError
from tests.full import full
from tests.variants import quick_jit

T, B, H = 7, 3, 2
MASK = np.arange(T)[:, None] < np.array([T, 4, 0])
WAYS = get_args(linear.Way)

ways = pytest.mark.parametrize("how", WAYS)
numbers = pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def draw(a_shape, is_complex, steps=T, seed=0) -> list[Any]:
    """a, b and h."""
    rng = np.random.default_rng(seed)
    shapes = [a_shape, (steps, B, H), (B, H)]
    parts = [rng.normal(0, 0.7, (2, *shape)) for shape in shapes]
    return [(re, im) if is_complex else re for re, im in parts]


def slow(inputs, mask, reverse) -> Any:
    """The equation step by step, on arrays of numpy or JAX; complex numbers as such."""
    is_complex = isinstance(inputs[1], tuple)
    a, b, h = (re + 1j * im for re, im in inputs) if is_complex else inputs
    steps = range(len(b))
    a = a + 0 * b
    hs: list[Any] = [h] * len(b)
    for t in reversed(steps) if reverse else steps:
        keep = 1 if mask is None else 1 * mask[t][:, None]
        new = a[t] * h + b[t]
        hs[t] = keep * new
        h = keep * new + (1 - keep) * h
    stacked: Any = (np if isinstance(b, np.ndarray) else jnp).stack(hs)
    if is_complex:
        return (stacked.real, stacked.imag), (h.real, h.imag)
    return stacked, h


def fast(inputs, mask, reverse, how):
    a, b, h = inputs
    return linear.unroll(a, b, h, mask, reverse, how)


def score(results):
    """A number that every output and the final state enter."""
    return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results))


def with_gradients(run, inputs):
    """Results and the gradients of all inputs."""
    return run(inputs), jax.grad(lambda inputs: score(run(inputs)))(inputs)


def assert_close(got, want):
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mask", [None, MASK], ids=["full", "ragged"])
@directions
@numbers
@pytest.mark.parametrize("a_shape", [(T, B, H), full((H,)), full((T, 1, H)), full((1, B, 1))])
def test_states_and_gradients_are_those_of_a_loop(a_shape, is_complex, reverse, mask):
    inputs = draw(a_shape, is_complex)
    runs = [partial(slow, mask=mask, reverse=reverse)]
    runs += [partial(fast, mask=mask, reverse=reverse, how=how) for how in WAYS]
    with jax.enable_x64(True):
        want, *got = quick_jit(lambda inputs: [with_gradients(run, inputs) for run in runs])(inputs)
    assert_close(want[0], slow(inputs, mask, reverse))
    for results in got:
        assert_close(results, want)


@ways
@numbers
@directions
def test_gradients_are_those_of_finite_differences(how, is_complex, reverse):
    inputs = draw((T, B, H), is_complex)
    with jax.enable_x64(True):
        run = jax.jit(partial(fast, mask=MASK, reverse=reverse, how=how))
        check_grads(run, (inputs,), order=1, modes=["rev"], atol=1e-7, rtol=1e-7, eps=1e-5)


@ways
@directions
def test_what_stands_at_padding_never_matters(how, reverse):
    clean = draw((T, B, H), False)
    dirty = [np.where(MASK[..., None], x, 1e200) for x in clean[:2]] + clean[2:]
    with jax.enable_x64(True):
        run = quick_jit(partial(with_gradients, partial(fast, mask=MASK, reverse=reverse, how=how)))
        want, got = run(clean), run(dirty)
    assert_close(got, want)
    (hs, final), (da, db, dh) = got
    for array in (hs, da, db):
        np.testing.assert_array_equal(array[~MASK], 0)
    np.testing.assert_array_equal(final[2], clean[2][2])
    np.testing.assert_array_equal(dh[2], np.cos(clean[2][2]))


@ways
@numbers
@directions
def test_long_memories_stay_exact(how, is_complex, reverse):
    steps = 4096
    rng = np.random.default_rng(0)
    _, b, h = draw((H,), is_complex, steps)
    size = 1 - 10 ** rng.uniform(-6, -3, (steps, B, H))
    angle = rng.uniform(-np.pi, np.pi, size.shape)
    a = (size * np.cos(angle), size * np.sin(angle)) if is_complex else size
    with jax.enable_x64(True):
        got = quick_jit(partial(fast, mask=None, reverse=reverse, how=how))([a, b, h])
    assert_close(got, slow([a, b, h], None, reverse))


@pytest.mark.full
@ways
@numbers
def test_long_gradients_stay_exact(how, is_complex):
    """Of the last state: da_t = h_{t-1} times all later a, and db_t = all later a."""
    steps = 4096
    a, b, h = draw((H,), False, steps)
    a = 1 - 10 ** np.random.default_rng(0).uniform(-6, -3, (steps, B, H))
    hs, _ = slow([a, b, h], None, False)
    later = np.concatenate([np.cumprod(a[:0:-1], 0)[::-1], np.ones((1, B, H))])
    before = np.concatenate([h[None], hs[:-1]])
    inputs = [a, b, h]
    if is_complex:
        inputs = [(part, np.zeros_like(part)) for part in inputs]
    with jax.enable_x64(True):
        gradients = quick_jit(
            jax.grad(lambda inputs: jnp.sum(jax.tree.leaves(fast(inputs, None, False, how)[1])[0]))
        )(inputs)
    da, db, dh = (part[0] for part in gradients) if is_complex else gradients
    assert_close([da, db, dh], [before * later, later, later[0] * a[0]])


@ways
@directions
def test_one_step(how, reverse):
    a, b, h = inputs = draw((1, B, H), False, steps=1)
    with jax.enable_x64(True):
        results, gradients = quick_jit(
            partial(with_gradients, partial(fast, mask=None, reverse=reverse, how=how))
        )(inputs)
    state = a[0] * h + b[0]
    slope = 2 * np.cos(state)
    assert_close(results, (state[None], state))
    assert_close(gradients, [(slope * h)[None], slope[None], slope * a[0]])


@ways
def test_members_under_vmap_are_each_alone(how):
    members = [draw((H,), False, seed=seed) for seed in range(2)]
    run = partial(with_gradients, partial(fast, mask=MASK, reverse=False, how=how))
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *parts: np.stack(parts), *members)
        together = quick_jit(jax.vmap(run))(stacked)
        for index, member in enumerate(members):
            alone = quick_jit(run)(member)
            assert_close(jax.tree.map(lambda part, at=index: part[at], together), alone)


@ways
def test_only_a_and_the_states_are_kept_for_the_gradient(how):
    """And a constant `a` isn't spread over time or batch for it."""
    inputs = [jnp.asarray(x, jnp.float32) for x in draw((H,), False)]
    kept = jax.vjp(lambda *inputs: fast(inputs, None, False, how), *inputs)[1]
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(kept))
    assert shapes == sorted([(1, 1, H), (B, H), (T, B, H)])


def test_an_unknown_way_is_refused():
    with pytest.raises(SeqexpError, match='choose "sequential"'):
        fast(draw((H,), False), None, False, "cumulative")
