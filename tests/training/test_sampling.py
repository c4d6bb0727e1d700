"""Which tokens may be drawn, against the definitions by sorting in Python."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.training.sampling import among_top_k, draw, nucleus

LOGITS = st.lists(st.integers(-6, 6), min_size=1, max_size=9)
QUICK = settings(deadline=None, derandomize=True, max_examples=40)


def likeliest(logits: list[int]) -> list[int]:
    """Tokens, the likeliest first; of equal ones the smaller."""
    return sorted(range(len(logits)), key=lambda token: (-logits[token], token))


def kept(logits: jax.Array) -> set[int]:
    return set(np.flatnonzero(np.asarray(logits) > -np.inf).tolist())


@QUICK
@given(LOGITS, st.integers(1, 12))
def test_top_k_keeps_the_k_likeliest(logits, k):
    found = among_top_k(jnp.asarray(logits, jnp.float32), k)
    assert kept(found) == set(likeliest(logits)[:k])


@pytest.mark.full
@QUICK
@given(LOGITS, st.sampled_from([0.001, 0.1, 0.37, 0.5, 0.77, 0.93, 0.999]))
def test_the_nucleus_is_the_smallest_set_of_at_least_the_probability(logits, p):
    probabilities = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum()
    found = kept(nucleus(jnp.asarray(logits, jnp.float32), p))
    order = likeliest(logits)
    assert found == set(order[: len(found)])
    inside = probabilities[order[: len(found)]]
    assert inside.sum() >= p - 1e-5 and inside[:-1].sum() < p + 1e-5


@pytest.mark.full
def test_the_whole_probability_keeps_every_token():
    logits = jax.random.normal(jax.random.key(0), (20, 30))
    assert np.isfinite(nucleus(logits, 1.0)).mean() > 0.99, "all but for rounding"
    np.testing.assert_array_equal(among_top_k(logits, 30), logits)


@pytest.mark.full
@pytest.mark.parametrize(
    ("how", "weights"),
    [
        ({}, [4, 3, 2, 1]),
        ({"top_k": 2}, [4, 3, 0, 0]),
        ({"top_p": 0.75}, [4, 3, 2, 0]),
        ({"temperature": 0.5}, [16, 9, 4, 1]),
        ({"temperature": 0.5, "top_p": 0.8}, [16, 9, 0, 0]),
        ({"top_k": 3, "top_p": 0.7}, [4, 3, 0, 0]),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_p": 1e-6}, [1, 0, 0, 0]),
    ],
    ids=str,
)
def test_draws_have_the_frequencies_of_what_is_left(how, weights):
    """The nucleus is of what temperature and top-k left. Within five standard deviations."""
    n, logits = 4000, jnp.log(jnp.array([4.0, 3.0, 2.0, 1.0]))
    drawn = jax.jit(lambda key: draw(key, jnp.tile(logits, (n, 1)), **how))(jax.random.key(0))
    assert drawn.dtype == jnp.int32
    p = np.array(weights) / np.sum(weights)
    found = np.bincount(np.asarray(drawn), minlength=4) / n
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / n)).all(), found
