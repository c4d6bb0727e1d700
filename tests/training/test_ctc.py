"""Decoding of paths with blanks, against all paths that there are."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import groupby, product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.training.ctc import best_path, prefix_beam_search
from seqexp.training.decoding import decoded
from seqexp.types import CTC, Batch, Features, Prediction, SeqexpError, Sequences, TaskSpec
from tests.full import full

LENGTHS = np.array([4, 1, 3, 0])
QUICK = settings(deadline=None, derandomize=True, max_examples=30)


def labels_of(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in groupby(path) if label != blank)


def by_brute_force(logits: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """The probability of each labelling, summed over all paths."""
    p = np.exp(np.float64(logits))
    p /= p.sum(-1, keepdims=True)
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(logits.shape[1]), repeat=len(logits)):
        found[labels_of(path, blank)] += float(np.prod([p[t, c] for t, c in enumerate(path)]))
    return found


def drawn(seed: int, C: int, T: int = 4) -> np.ndarray:
    """Logits of examples of LENGTHS, NaN behind them."""
    logits = np.random.default_rng(seed).normal(0, 1.5, (4, T, C)).astype(np.float32)
    logits[np.arange(T) >= LENGTHS[:, None]] = np.nan
    return logits


search = jax.jit(prefix_beam_search, static_argnames=("blank", "width"))


def told(found, row: int) -> list[tuple[int, ...]]:
    return [
        tuple(np.asarray(labels)[: int(n)].tolist())
        for labels, n in zip(found.tokens[row], found.lengths[row], strict=True)
    ]


@QUICK
@given(st.lists(st.integers(0, 2), min_size=6, max_size=6), st.integers(0, 6), st.integers(0, 2))
def test_the_best_path_is_collapsed(path, length, blank):
    logits = jax.nn.one_hot(jnp.array([path]), 3)
    found = best_path(logits, jnp.array([length]), blank=blank)
    expected = list(labels_of(tuple(path[:length]), blank))
    n = int(found.lengths[0])
    assert np.asarray(found.values)[0, :n].tolist() == expected
    assert set(np.asarray(found.values)[0, n:].tolist()) <= {blank}


@pytest.mark.parametrize(("C", "blank"), [(3, 0), (3, 2), (2, 1)])
@pytest.mark.parametrize("seed", [0, full(1), full(2)])
def test_a_beam_wide_enough_finds_every_labelling_with_its_probability(seed, C, blank):
    """Of 4 steps over two labels there are 31 at the most; the beam has room for more."""
    logits = drawn(seed, C)
    found = search(jnp.asarray(logits), jnp.asarray(LENGTHS), blank=blank, width=40)
    for row, length in enumerate(LENGTHS):
        expected = by_brute_force(logits[row, :length], blank)
        ranked = sorted(expected, key=lambda labels: -expected[labels])
        assert told(found, row)[: len(ranked)] == ranked
        p = np.exp(np.asarray(found.scores[row]))
        np.testing.assert_allclose(p[: len(ranked)], [expected[each] for each in ranked], rtol=1e-4)
        assert not p[len(ranked) :].any() and p.sum() == pytest.approx(1, rel=1e-5)


def test_scores_are_those_of_the_loss_that_is_trained():
    """Of optax, for each labelling that is found, also of a narrow beam where nothing was lost."""
    logits = np.nan_to_num(drawn(5, 3))
    found = search(jnp.asarray(logits), jnp.asarray(LENGTHS), blank=0, width=40)
    for w in range(3):
        losses = optax.ctc_loss(
            jnp.asarray(logits),
            jnp.asarray(np.arange(4) >= LENGTHS[:, None], jnp.float32),
            found.tokens[:, w],
            jnp.asarray(np.arange(4) >= found.lengths[:, w][:, None], jnp.float32),
        )
        real = np.asarray(found.scores[:, w]) > -np.inf
        np.testing.assert_allclose(-np.asarray(losses)[real], found.scores[real, w], rtol=1e-4)


def slow(logits: np.ndarray, blank: int, width: int) -> list[tuple[tuple[int, ...], float]]:
    """Prefix beam search with dictionaries, in probabilities: Hannun et al. 2014, algorithm 1."""
    p = np.exp(np.float64(logits))
    p /= p.sum(-1, keepdims=True)
    beam = {(): (1.0, 0.0)}
    for step in p:
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (in_blank, in_label) in beam.items():
            after[prefix][0] += (in_blank + in_label) * step[blank]
            if prefix:
                after[prefix][1] += in_label * step[prefix[-1]]
            for c in set(range(len(step))) - {blank}:
                same = prefix and prefix[-1] == c
                after[*prefix, c][1] += (in_blank if same else in_blank + in_label) * step[c]
        ranked = sorted(after, key=lambda prefix: -sum(after[prefix]))
        beam = {prefix: (after[prefix][0], after[prefix][1]) for prefix in ranked[:width]}
    return [(prefix, sum(parts)) for prefix, parts in beam.items()]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_is_the_slow_one_over_long_sequences(width):
    rng = np.random.default_rng(width)
    lengths = np.array([25, 12, 1, 20])
    logits = rng.normal(0, 1.5, (4, 25, 5)).astype(np.float32)
    found = search(jnp.asarray(logits), jnp.asarray(lengths), blank=0, width=width)
    for row, length in enumerate(lengths):
        expected = slow(logits[row, :length], 0, width)
        assert told(found, row) == [prefix for prefix, _ in expected]
        p = [each for _, each in expected]
        np.testing.assert_allclose(np.exp(found.scores[row]), p, rtol=1e-3)


def test_the_likeliest_labelling_is_not_that_of_the_best_path():
    """By hand: blank, blank is the best path, with 0.36, and the label has 0.64."""
    logits = jnp.log(jnp.array([[[0.6, 0.4], [0.6, 0.4]]]))
    spec = TaskSpec(Features(1), "step", 2, 2, causal=False, targets="own")

    class Says:
        def __call__(self, inputs):
            return Prediction(logits, ())

    batch = Batch(Sequences(jnp.zeros((1, 2, 1)), jnp.array([2])), ())
    ask = jax.jit(partial(decoded, spec, Says(), batch), static_argnums=0)  # type: ignore[arg-type]
    assert ask(CTC(blank=0)).lengths.tolist() == [0]
    labels, lengths = ask(CTC(blank=0, width=3))
    assert lengths.tolist() == [1] and labels.tolist() == [[1, 0]]
    found = search(logits, jnp.array([2]), blank=0, width=3)
    np.testing.assert_allclose(np.exp(found.scores[0, :2]), [0.64, 0.36], rtol=1e-5)


def test_an_impossible_width_is_refused():
    with pytest.raises(SeqexpError, match="width of a beam"):
        CTC(blank=0, width=0)
