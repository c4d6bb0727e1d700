"""The diagonal linear recurrence h_t = a_t h_{t-1} + b_t, with a backward pass written by hand."""

from __future__ import annotations

from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Bool

from seqexp.recurrences.complex_pairs import Pair, times
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import previous
from seqexp.types import Array, SeqexpError

Way = Literal["sequential", "associative"]
V = TypeVar("V", Array, Pair)


def unroll(
    a: V, b: V, h: V, mask: Bool[Array, "T B"] | None, reverse: bool, how: Way | None = None
) -> tuple[V, V]:
    """All steps of a diagonal linear recurrence, time first, of real or of complex numbers.

        h_t = a_t * h_{t-1} + b_t

    The backward pass is the same recurrence against time, and keeps nothing but `a` and `hs`:

        db_t = dh_t + conj(a_{t+1}) * db_{t+1}
        da_t = db_t * conj(h_{t-1})

    "sequential" is a `lax.scan` over the steps. "associative" combines pairs of neighbouring steps
    in log2(T) rounds (Blelloch 1990; Martin and Cundy 2018,
    https://arxiv.org/abs/1709.04057). Neither divides, so neither overflows where |a| <= 1.

    Args:
        a: `[T, B, H]`, or what broadcasts to it, which is never spread out in memory: `[H]` where
            it varies neither in time nor in the batch. Complex numbers are a pair of such arrays,
            real and imaginary, and then so are `b`, `h` and the results.
        b: `[T, B, H]`.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False at padding on the right, where the carry is held and the output 0;
            None if nowhere.
        reverse: from the last step to the first.
        how: None for "sequential" on a CPU, the faster there but for a constant `a` with long and
            narrow sequences, and "associative" on an accelerator, where nothing was measured.

    Returns:
        `hs` `[T, B, H]` and the final `h` `[B, H]`.

    Raises:
        SeqexpError: if `how` is none of these.
    """
    if how is None:
        how = "sequential" if jax.default_backend() == "cpu" else "associative"
    if how not in ("sequential", "associative"):
        raise SeqexpError(f'how="{how}" is unknown: choose "sequential" or "associative"')
    a = jax.tree.map(lambda part: part.reshape((1,) * (3 - part.ndim) + part.shape), a)
    return _unroll(a, b, h, mask, reverse, how)


def _primal(a: V, b: V, h: V, mask: Array | None, reverse: bool, how: Way) -> tuple[V, V]:
    way = _sequential if how == "sequential" else _associative
    return way(a, b, h, mask, reverse)


def _forward(a, b, h, mask, reverse, how):
    hs, final = _primal(a, b, h, mask, reverse, how)
    return (hs, final), (a, h, mask, hs)


def _backward(reverse, how, residuals, cotangents):
    a, first, mask, hs = residuals
    dhs, dfinal = cotangents
    way = _sequential_backward if how == "sequential" else _associative_backward
    db, dfirst = way(_conjugate(a), dhs, dfinal, mask, not reverse)
    da = _times(db, _conjugate(_previous(hs, first, mask, reverse)))
    return jax.tree.map(_sum_to, da, a), db, dfirst, None


_unroll = jax.custom_vjp(_primal, nondiff_argnums=(4, 5))
_unroll.defvjp(_forward, _backward)


def _sequential(a, b, h, mask, reverse):
    varying, constant = _split(a)

    def body(h, inputs):
        a, b, keep = inputs
        new = _plus(_times(constant if a is None else a, h), b)
        return where_mask(keep, new, h), where_mask(keep, new, _zeros(new))

    final, hs = jax.lax.scan(body, h, (varying, b, mask), reverse=reverse)
    return hs, final


def _sequential_backward(a, dhs, dfinal, mask, reverse):
    varying, constant = _split(a)

    def body(dh, inputs):
        a, dy, keep = inputs
        db = where_mask(keep, _plus(dh, dy), _zeros(dh))
        back = _times(constant if a is None else a, db)
        return where_mask(keep, back, dh), db

    dfirst, db = jax.lax.scan(body, dfinal, (varying, dhs, mask), reverse=reverse)
    return db, dfirst


def _associative(a, b, h, mask, reverse):
    if reverse:
        a, b, mask = jax.tree.map(lambda part: part[::-1], (a, b, mask))
    hs, final = _associative_in_time(a, b, h, mask)
    return jax.tree.map(lambda part: part[::-1], hs) if reverse else hs, final


def _associative_in_time(a, b, h, mask):
    if mask is None:
        entering = _times(jax.tree.map(lambda part: part[0], a), h)
        hs = _states(a, jax.tree.map(lambda part, first: part.at[0].add(first), b, entering))
        return hs, jax.tree.map(lambda part: part[-1], hs)
    if jax.tree.leaves(a)[0].shape[:2] == mask.shape:
        # Products of what stands at padding could overflow, and infinity times 0 is NaN.
        a = where_mask(mask, a, _zeros(a))
    # A constant `a` cannot hold the state through padding: it enters at its first real step.
    outside = jnp.zeros_like(mask[:1])
    starts = mask & ~jnp.concatenate([outside, mask[:-1]])
    ends = mask & ~jnp.concatenate([mask[1:], outside])
    entered = where_mask(starts, _plus(_times(a, h), b), b)
    states = _states(a, where_mask(mask, entered, _zeros(b)))
    last = jax.tree.map(lambda part: jnp.sum(part, 0), where_mask(ends, states, _zeros(states)))
    return where_mask(mask, states, _zeros(states)), where_mask(jnp.any(mask, 0), last, h)


def _states(a, b):
    """The recurrence from 0: two steps are one with a_2 a_1 and a_2 b_1 + b_2, and so on.

    Unlike `lax.associative_scan` it needs no products of `a` on the way back, nor a constant `a`
    at every step.
    """
    steps = jax.tree.leaves(b)[0].shape[0]
    if steps == 1:
        return b
    evens = slice(0, steps - 1, 2)
    odds = slice(1, steps, 2)
    later = slice(2, steps, 2)
    odd_a = _at(odds, a)
    odd_b = _plus(_times(odd_a, _at(evens, b)), _at(odds, b))
    odd = _states(_times(odd_a, _at(evens, a)), odd_b)
    before = jax.tree.map(lambda part: part[: (steps - 1) // 2], odd)
    even = _plus(_times(_at(later, a), before), _at(later, b))
    return jax.tree.map(_interleave, b, even, odd)


def _at(steps: slice, value):
    """`value` at these steps; as it is where it is constant in time."""
    return jax.tree.map(lambda part: part if part.shape[0] == 1 else part[steps], value)


def _interleave(b: Array, even: Array, odd: Array) -> Array:
    """b_0, odd_0, even_0, odd_1, even_1, ..."""
    pairs = jnp.stack([jnp.concatenate([b[:1], even])[: len(odd)], odd], 1)
    rows = pairs.reshape(-1, *b.shape[1:])
    return jnp.concatenate([rows, even[-1:]]) if len(b) % 2 else rows


def _associative_backward(a, dhs, dfinal, mask, reverse):
    # With dh_t the gradient that comes to h_t from later steps, dh_{t-1} = a_t dh_t + a_t dhs_t.
    dh, dfirst = _associative(a, _times(a, dhs), dfinal, mask, reverse)
    db = _plus(dhs, _previous(dh, dfinal, mask, reverse))
    return where_mask(mask, db, _zeros(db)), dfirst


def _split(a):
    """`a` if it varies in time, and what it is at every step if not; None in the other's place."""
    if jax.tree.leaves(a)[0].shape[0] > 1:
        return a, None
    return None, jax.tree.map(lambda part: part[0], a)


def _times(x, y):
    return times(x, y) if isinstance(x, tuple) else x * y


def _plus(x, y):
    return jax.tree.map(jnp.add, x, y)


def _conjugate(x):
    return (x[0], -x[1]) if isinstance(x, tuple) else x


def _zeros(x):
    return jax.tree.map(jnp.zeros_like, x)


def _previous(hs, first, mask, reverse):
    return jax.tree.map(lambda hs, first: previous(hs, first, mask, reverse), hs, first)


def _sum_to(array: Array, like: Array) -> Array:
    """`array` summed over the axes along which `like` was broadcast."""
    axes = [i for i in range(3) if like.shape[i] == 1]
    return jnp.sum(array, axes, keepdims=True) if axes else array
