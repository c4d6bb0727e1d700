"""Decoding for connectionist temporal classification: the best path, and prefix beam search."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqexp.training.beam import Hypotheses
from seqexp.types import Array, Sequences, require_width


def best_path(logits: Array, lengths: Array, *, blank: int) -> Sequences:
    """The labels of the likeliest path, of each run of one label one, without blanks.

    Graves et al. 2006, section 3.2, https://doi.org/10.1145/1143844.1143891

    Args:
        logits: `[B, T, C]`; what stands at padding never matters.
        lengths: `[B]`.
        blank: the output that is no label.

    Returns:
        `[B, T]` int32 labels, blanks behind them.

    >>> path = jnp.array([[1, 1, 0, 1, 2, 2]])
    >>> labels, lengths = best_path(jax.nn.one_hot(path, 3), jnp.array([5]), blank=0)
    >>> labels.tolist(), lengths.tolist()
    ([[1, 1, 2, 0, 0, 0]], [3])
    """
    B, T, _ = logits.shape
    path = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    before = jnp.pad(path, ((0, 0), (1, 0)), constant_values=blank)[:, :-1]
    kept = (path != blank) & (path != before) & (jnp.arange(T) < lengths[:, None])
    places = jnp.where(kept, jnp.cumsum(kept, axis=1) - 1, T)
    labels = jnp.full((B, T), blank, jnp.int32)
    labels = labels.at[jnp.arange(B)[:, None], places].set(path, mode="drop")
    return Sequences(labels, kept.sum(axis=1, dtype=jnp.int32))


class _Prefixes(NamedTuple):
    """What a beam keeps of one example.

    Attributes:
        labels: `[W, T]`, -1 behind `lengths`.
        lengths: `[W]`.
        log_blank: `[W]`, log p of the paths to a prefix that end in a blank.
        log_label: `[W]`, log p of those that end in its last label.
    """

    labels: Array
    lengths: Array
    log_blank: Array
    log_label: Array

    @property
    def log_p(self) -> Array:
        return jnp.logaddexp(self.log_blank, self.log_label)

    @property
    def last(self) -> Array:
        """`[W]` last labels, -1 of an empty prefix."""
        index = jnp.maximum(self.lengths - 1, 0)[:, None]
        return jnp.take_along_axis(self.labels, index, axis=1)[:, 0]


def prefix_beam_search(logits: Array, lengths: Array, *, blank: int, width: int) -> Hypotheses:
    """The labellings of the largest probability among those that a beam of W prefixes meets.

        p(l) = sum of p(path) over the paths that l is left of, without repetitions and blanks

    The paths to a prefix that end in a blank and those that end in its last label are summed apart,
    for only behind a blank the same label is a new one (Hannun et al. 2014,
    https://arxiv.org/abs/1408.2873, without its language model; Graves et al. 2006). Paths through
    prefixes that fell out of the beam are missing in the sums. Of equals the prefix that stays
    comes first, then the earlier one and the smaller label.

    Args:
        logits: `[B, T, C]`; what stands at padding never matters.
        lengths: `[B]`.
        blank: the output that is no label.
        width: W.

    Returns:
        Hypotheses of at most T labels, blanks behind them, with the log p that was summed.

    Raises:
        SeqexpError: for a width below 1.
    """
    require_width(width)
    T = logits.shape[1]

    def search(logits: Array, length: Array) -> Hypotheses:
        log_probs = jax.nn.log_softmax(logits)
        empty = jnp.where(jnp.arange(width) == 0, 0.0, -jnp.inf).astype(log_probs.dtype)
        beam = _Prefixes(
            jnp.full((width, T), -1, jnp.int32),
            jnp.zeros(width, jnp.int32),
            empty,
            jnp.full_like(empty, -jnp.inf),
        )

        def step(beam: _Prefixes, at: tuple[Array, Array]) -> tuple[_Prefixes, None]:
            log_probs, real = at
            after = _extended(beam, log_probs, blank)
            return jax.tree.map(lambda new, old: jnp.where(real, new, old), after, beam), None

        beam, _ = jax.lax.scan(step, beam, (log_probs, jnp.arange(T) < length))
        order = jnp.argsort(-beam.log_p, stable=True)
        beam = jax.tree.map(lambda leaf: leaf[order], beam)
        real = beam.log_p > -jnp.inf
        labels = jnp.where(real[:, None] & (beam.labels >= 0), beam.labels, blank)
        return Hypotheses(labels, jnp.where(real, beam.lengths, 0), beam.log_p)

    return jax.vmap(search)(logits, lengths)


def _extended(beam: _Prefixes, log_probs: Array, blank: int) -> _Prefixes:
    """One step more: each prefix as it is, and longer by each label; the W likeliest."""
    W, C = beam.lengths.shape[0], log_probs.shape[0]
    labels, last, log_p = jnp.arange(C), beam.last, beam.log_p
    log_blank = log_p + log_probs[blank]
    log_label = jnp.where(last >= 0, beam.log_label + log_probs[last], -jnp.inf)
    repeated = last[:, None] == labels
    longer = log_probs + jnp.where(repeated, beam.log_blank[:, None], log_p[:, None])
    longer = jnp.where(labels == blank, -jnp.inf, longer)
    # Where prefix i, longer by a label, is prefix j of the beam, the two are one.
    becomes = _is_parent(beam) & (log_p > -jnp.inf)
    gained = jnp.where(becomes, longer[:, last], -jnp.inf).max(axis=0)
    log_label = jnp.logaddexp(log_label, gained)
    longer = jnp.where((becomes[:, :, None] & repeated).any(axis=1), -jnp.inf, longer)

    stays = jnp.logaddexp(log_blank, log_label)
    chosen = jax.lax.top_k(jnp.concatenate([stays, longer.reshape(-1)]), W)[1]
    stay = chosen < W
    parents = jnp.where(stay, chosen, (chosen - W) // C)
    added = (chosen - W) % C
    places = jnp.where(stay, beam.labels.shape[1], beam.lengths[parents])
    return _Prefixes(
        beam.labels[parents].at[jnp.arange(W), places].set(added, mode="drop"),
        beam.lengths[parents] + ~stay,
        jnp.where(stay, log_blank[parents], -jnp.inf),
        jnp.where(stay, log_label[parents], longer[parents, added]),
    )


def _is_parent(beam: _Prefixes) -> Array:
    """`[W, W]`: whether prefix i is prefix j without its last label."""
    places = jnp.arange(beam.labels.shape[1])
    parents = jnp.where(places == beam.lengths[:, None] - 1, -1, beam.labels)
    same = (beam.labels[:, None, :] == parents[None, :, :]).all(axis=-1)
    return same & (beam.lengths[:, None] + 1 == beam.lengths[None, :])
