"""What a linear readout of the present state tells of the input some steps ago."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.inspection.linear_probe import (
    PENALTIES,
    Parts,
    Probe,
    fitted,
    parts,
    probe,
    weighted_mean,
)
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, SeqexpError, Sequences

BLOCK = 1024


class MemoryCurve(NamedTuple):
    """How well each lag is decoded from the states.

    Attributes:
        curve: `[K + 1]`, the mean of `by_input` over the inputs that vary: 1 for what is known
            exactly; at chance noise about 0.
        by_input: `[K + 1, D]`, for lags 0 to K and each input feature; 0 of one that doesn't vary.
        capacity: the sum of `by_input`, in numbers remembered.
        penalty: `[K + 1]`, that was chosen.
    """

    curve: Float[Array, " K+1"]
    by_input: Float[Array, "K+1 D"]
    capacity: Float[Array, ""]
    penalty: Float[Array, " K+1"]


class TokenMemory(NamedTuple):
    """How well the token at each lag is decoded from the states.

    Attributes:
        curve: `[K + 1]`, (accuracy - chance) / (1 - chance): 0 for always saying the most frequent
            token, 1 for no mistake.
        accuracy: `[K + 1]`, how often the right token has the largest output.
        chance: `[K + 1]`, the share of the most frequent of the tokens that are to be said.
        capacity: the sum of `curve`, in tokens remembered.
        penalty: `[K + 1]`, that was chosen.
    """

    curve: Float[Array, " K+1"]
    accuracy: Float[Array, " K+1"]
    chance: Float[Array, " K+1"]
    capacity: Float[Array, ""]
    penalty: Float[Array, " K+1"]


def memory_curve(
    states: Float[Array, "B T P"],
    inputs: Sequences,
    max_lag: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> MemoryCurve:
    """The short-term memory of states for features (Jaeger 2001, GMD report 152,
    https://www.ai.rug.nl/minds/uploads/STMEchoStatesTechRep.pdf).

        MC_k = max over w of corr(u_{t-k}, w h_t)^2,    capacity = sum over k of MC_k

    of inputs u that are independent the capacity is at most P. The readouts are ridge regressions
    from the steps t >= max_lag, so that all lags see the same states; the penalty of each lag is
    chosen on sequences that were not fitted, and the score is from sequences of neither kind: of
    four, two fit, one chooses, one is scored. The squared correlation over n scored steps is
    corrected for chance, 1 - (1 - r^2) (n - 1) / (n - 2), so that its mean is 0 where nothing is
    remembered. Of inputs that are correlated in time the present one tells of past ones: compare
    with the curve of the inputs themselves in the place of states.

    Args:
        states: `[B, T, P]`, B at least 4.
        inputs: `[B, T, D]` features and `[B]` lengths; sequences of at most `max_lag` steps, and
            padding, don't count.
        max_lag: K, below T.
        penalties: to choose from, in units of the states' sum_i s_i^2 / P.

    Returns:
        NaN where no step counts.

    Raises:
        SeqexpError: for fewer sequences, a lag that is out of range, or shapes that don't fit.
    """
    _require(states, inputs.values, 3, max_lag)
    weights, of = _probed(states, inputs, max_lag, penalties)
    gram = of.choose.T @ of.choose

    def at(lag: Array) -> tuple[Array, Array, Array]:
        targets = parts(_lagged(inputs, lag, max_lag).astype(states.dtype))
        mean = weighted_mean(targets.fit, weights.fit)
        scale = jnp.sqrt(weighted_mean(jnp.square(targets.fit - mean), weights.fit))
        varies = scale > 0
        fit, choose, score = ((y - mean) / jnp.where(varies, scale, 1) for y in targets)
        readout, penalty = fitted(of, of.left.T @ fit, of.choose.T @ choose, gram)
        return _squared_correlation(of.score @ readout, score, weights.score), varies, penalty

    scores, varies, penalty = jax.lax.map(at, jnp.arange(max_lag + 1))
    by_input = jnp.where(varies, scores, 0)
    curve = jnp.sum(by_input, 1) / jnp.sum(varies, 1)
    return MemoryCurve(curve, by_input, jnp.sum(by_input), penalty)


def token_memory(
    states: Float[Array, "B T P"],
    inputs: Sequences,
    size: int,
    max_lag: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> TokenMemory:
    """The memory of states for tokens, as `memory_curve`'s for features.

    The readouts are ridge regressions to the one-hot tokens, and say the token of the largest
    output. The score is their accuracy on sequences that were neither fitted nor chose the penalty,
    corrected for chance: that of always saying the most frequent token among those that are scored.

    Args:
        states: `[B, T, P]`, B at least 4.
        inputs: `[B, T]` tokens and `[B]` lengths; sequences of at most `max_lag` steps, and
            padding, don't count.
        size: V, how many tokens there are.
        max_lag: K, below T.
        penalties: to choose from, in units of the states' sum_i s_i^2 / P.

    Returns:
        NaN where no step counts, or all tokens are one.

    Raises:
        SeqexpError: as `memory_curve`.
    """
    _require(states, inputs.values, 2, max_lag)
    weights, of = _probed(states, inputs, max_lag, penalties)
    gram = of.choose.T @ of.choose

    def by_token(rows: Float[Array, "N R"], tokens: Int[Array, " N"]) -> Float[Array, "R V"]:
        return jax.ops.segment_sum(rows, tokens, size).T

    def at(lag: Array) -> tuple[Array, Array, Array]:
        tokens = parts(jnp.clip(_lagged(inputs, lag, max_lag), 0, size - 1))
        counts = jax.ops.segment_sum(weights.fit, tokens.fit, size)
        mean = counts / jnp.maximum(jnp.sum(counts), 1)
        # Less the mean of the one-hot tokens, which are never made.
        by_left = by_token(of.left, tokens.fit) - jnp.outer(weights.fit @ of.left, mean)
        by_choose = by_token(of.choose, tokens.choose)
        by_choose -= jnp.outer(jnp.sum(of.choose, 0), mean)
        readout, penalty = fitted(of, by_left, by_choose, gram)

        def said(row: Float[Array, " R"]) -> Int[Array, ""]:
            return jnp.argmax(row @ readout + mean)

        # In blocks: N rows of V outputs may be more than there is memory for.
        answers = jax.lax.map(said, of.score, batch_size=BLOCK)
        right = weighted_mean(answers == tokens.score, weights.score)
        often = jax.ops.segment_sum(weights.score, tokens.score, size)
        return right, jnp.max(often) / jnp.sum(often), penalty

    accuracy, chance, penalty = jax.lax.map(at, jnp.arange(max_lag + 1))
    curve = (accuracy - chance) / jnp.where(chance < 1, 1 - chance, jnp.nan)
    return TokenMemory(curve, accuracy, chance, jnp.sum(curve), penalty)


def _require(states: Array, values: Array, dimensions: int, max_lag: int) -> None:
    kind = "features" if dimensions == 3 else "tokens"
    if values.ndim != dimensions or states.ndim != 3 or states.shape[:2] != values.shape[:2]:
        raise SeqexpError(
            f"states {list(states.shape)} and {kind} {list(values.shape)} don't fit: give "
            f"[B, T, P] and {'[B, T, D]' if dimensions == 3 else '[B, T]'} of one B and T"
        )
    if not 0 <= max_lag < states.shape[1]:
        raise SeqexpError(
            f"max_lag must be from 0 to {states.shape[1] - 1}, less than the steps, not {max_lag}"
        )


def _probed(
    states: Array, inputs: Sequences, max_lag: int, penalties: tuple[float, ...]
) -> tuple[Parts, Probe]:
    """The weight of each row, and the states that are decoded."""
    real = jnp.arange(max_lag, states.shape[1]) < inputs.lengths[:, None]
    rows = jnp.where(real[..., None], states[:, max_lag:], 0)
    weights = parts(real.astype(states.dtype))
    return weights, probe(parts(rows), weights, penalties)


def _lagged(inputs: Sequences, lag: Array, max_lag: int) -> Array:
    """The input `lag` steps before each step from `max_lag` on; 0 for a step that is padding."""
    values, lengths = inputs
    steps = values.shape[1] - max_lag
    seen = jax.lax.dynamic_slice_in_dim(values, max_lag - lag, steps, axis=1)
    real = jnp.arange(max_lag, values.shape[1]) < lengths[:, None]
    return where_mask(real, seen, jnp.zeros_like(seen))


def _squared_correlation(
    said: Float[Array, "N D"], true: Float[Array, "N D"], weights: Float[Array, " N"]
) -> Float[Array, " D"]:
    """r^2 of each column, corrected for chance."""
    said, true = (each - weighted_mean(each, weights) for each in (said, true))
    both, ours, theirs = (
        weighted_mean(product, weights) for product in (said * true, said * said, true * true)
    )
    squares = ours * theirs
    r2 = jnp.where(squares > 0, jnp.square(both) / jnp.where(squares > 0, squares, 1), 0)
    n = jnp.sum(weights)
    return jnp.where(n > 2, 1 - (1 - r2) * (n - 1) / (n - 2), jnp.nan)
