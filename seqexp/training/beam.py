"""Beam search for the likeliest free answers of any model, through its `prefill` and `step`."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqexp.types import Array, Carry, Model, Sequences, require_width


class Hypotheses(NamedTuple):
    """What a beam holds in the end, of each example the best first.

    Attributes:
        tokens: `[B, W, U]` int32, filled up behind `lengths`.
        lengths: `[B, W]` int32.
        scores: `[B, W]`; -inf where there are fewer than W hypotheses.
    """

    tokens: Array
    lengths: Array
    scores: Array

    @property
    def best(self) -> Sequences:
        """The first of each example, `[B, U]`."""
        return Sequences(self.tokens[:, 0], self.lengths[:, 0])


class _Beam(NamedTuple):
    """While it searches.

    Attributes:
        steps: tokens written so far of those that are not finished.
        carry: of the model, `[B W, ...]`.
        last: `[B, W]`, what is read next.
        tokens: `[B, W, U]`, `end` where nothing is written.
        log_p: `[B, W]`; -inf where there is no hypothesis.
        written: `[B, W]`, tokens, the end among them.
        finished: `[B, W]`, whether the end is.
    """

    steps: Array
    carry: Carry
    last: Array
    tokens: Array
    log_p: Array
    written: Array
    finished: Array


def beam_search(
    model: Model,
    inputs: Sequences,
    *,
    start: int,
    end: int,
    length: int,
    width: int,
    length_penalty: float | Array = 0.0,
) -> Hypotheses:
    """The answers y of the largest score among those that a beam of W hypotheses meets.

        score(y) = log p(y | inputs) / ((5 + |y|) / 6)^alpha

    with |y| the number of its tokens, the end among them (Wu et al. 2016, eq. 14,
    https://arxiv.org/abs/1609.08144). At each step the hypotheses that go on are extended by every
    token, and those of the largest log p, which are all of one length, take the places that the
    finished ones leave. A hypothesis that is finished stays, and takes no further part (Sutskever
    et al. 2014, https://arxiv.org/abs/1409.3215). What has no end after U tokens is cut there. Of
    equals the one of the earlier hypothesis comes first, then that of the smaller token. So a
    beam of 1 is greedy decoding, whatever alpha.

    Args:
        model: its outputs are logits of the tokens that it reads.
        inputs: of B examples, what is read before.
        start: the token that is read first.
        end: the token that ends an answer.
        length: U, the most tokens of an answer, its end included.
        width: W.
        length_penalty: alpha.

    Returns:
        Hypotheses, with `lengths` up to the end, which is left out and fills `tokens` behind.

    Raises:
        SeqexpError: for a width below 1.
    """
    require_width(width)
    B, W = inputs.lengths.shape[0], width
    rows = jnp.arange(B)[:, None]

    def extended(beam: _Beam) -> _Beam:
        carry, logits = model.step(beam.carry, beam.last.reshape(B * W))
        # The likeliest of each hypothesis are enough, and are chosen as greedy decoding does,
        # before anything is rounded.
        top_logits, top = jax.lax.top_k(logits, min(W, logits.shape[-1]))
        normalizer = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
        log_p = (top_logits - normalizer).astype(beam.log_p.dtype).reshape(B, W, -1)
        log_p = beam.log_p[:, :, None] + log_p
        # One candidate of a finished hypothesis is itself, before all others; the rest are none.
        itself = jnp.arange(log_p.shape[2]) == 0
        finished = beam.finished[:, :, None]
        log_p = jnp.where(finished, jnp.where(itself, beam.log_p[:, :, None], -jnp.inf), log_p)
        candidates = jnp.where(finished & itself, jnp.inf, log_p).reshape(B, -1)
        chosen = jax.lax.top_k(candidates, W)[1]
        parents = chosen // log_p.shape[2]
        log_p = jnp.take_along_axis(log_p.reshape(B, -1), chosen, axis=1)
        done = beam.finished[rows, parents]
        token = jnp.take_along_axis(top.reshape(B, -1), chosen, axis=1)
        token = jnp.where(done, end, token).astype(jnp.int32)
        return _Beam(
            beam.steps + 1,
            _reordered(carry, parents),
            token,
            beam.tokens[rows, parents].at[:, :, beam.steps].set(token),
            log_p,
            beam.written[rows, parents] + ~done,
            (done | (token == end)) & (log_p > -jnp.inf),
        )

    def unfinished(beam: _Beam) -> Array:
        return (beam.steps < length) & jnp.any(~beam.finished & (beam.log_p > -jnp.inf))

    carry = jax.tree.map(lambda leaf: jnp.repeat(leaf, W, axis=0), model.prefill(inputs))
    beam = _Beam(
        jnp.zeros((), jnp.int32),
        carry,
        jnp.full((B, W), start, jnp.int32),
        jnp.full((B, W, length), end, jnp.int32),
        jnp.broadcast_to(jnp.where(jnp.arange(W) == 0, 0.0, -jnp.inf), (B, W)),
        jnp.zeros((B, W), jnp.int32),
        jnp.zeros((B, W), bool),
    )
    return _ranked(jax.lax.while_loop(unfinished, extended, beam), end, length_penalty)


def _reordered(carry: Carry, parents: Array) -> Carry:
    B, W = parents.shape
    places = (W * jnp.arange(B)[:, None] + parents).reshape(-1)
    return jax.tree.map(lambda leaf: leaf[places], carry)


def _ranked(beam: _Beam, end: int, length_penalty: float | Array) -> Hypotheses:
    scores = beam.log_p / ((5 + beam.written) / 6) ** length_penalty
    order = jnp.argsort(-scores, axis=1, stable=True)
    real = scores > -jnp.inf
    tokens = jnp.where(real[:, :, None], beam.tokens, end)
    lengths = jnp.where(real, beam.written - beam.finished, 0)
    return Hypotheses(
        jnp.take_along_axis(tokens, order[:, :, None], axis=1),
        jnp.take_along_axis(lengths, order, axis=1),
        jnp.take_along_axis(scores, order, axis=1),
    )
