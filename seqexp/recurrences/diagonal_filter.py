"""Diagonal state spaces of one input and one output each, a chunk of steps at a time."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences import linear
from seqexp.recurrences.complex_pairs import Pair, times
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array

CHUNK = 64
"""Steps between two states that are computed."""
FEATURES = 16
"""Features at once on a CPU: what they need of a chunk fits in its caches, and a cache line holds
16 numbers."""
FEATURE_AXES = 2, (0, 0), (0, 0), (1, 1)
"""Where H stands in the inputs, the powers, c and x."""


def unroll(
    us: Float[Array, "T B H"], a: Pair, c: Pair, x: Pair, mask: Bool[Array, "T B"] | None
) -> tuple[Float[Array, "T B H"], Pair]:
    """All steps, time first.

        x_t = a * x_{t-1} + u_t              N complex numbers for each of H features
        y_t = Re(sum_n c_n x_tn)

    In chunks of K = 64 steps, as Mamba-2 does (Dao and Gu 2024,
    https://arxiv.org/abs/2405.21060, section 6): within one, y is a convolution with the K numbers
    Re(sum_n c_n a_n^l), and between them the states at their starts are the recurrence with a^K.
    All are products of matrices for each feature, and `[T, B, H, N]` is never there. On a CPU 16
    features come after one another.

    Args:
        us: `[T, B, H]`, finite at padding.
        a: a pair of `[H, N]`.
        c: a pair of `[H, N]`.
        x: before the first step, a pair of `[B, H, N]`.
        mask: `[T, B]`, False at padding on the right, where the state is held; None if nowhere.

    Returns:
        `ys` `[T, B, H]`, of any value at padding, and the final x.
    """
    size = min(CHUNK, len(us))
    us = where_mask(mask, us, jnp.zeros_like(us))
    powers = _powers(a, size + 1)
    width = us.shape[-1]
    at_once = FEATURES if jax.default_backend() == "cpu" else width
    blocks = -(-width // at_once)
    if blocks == 1:
        return _together(us, powers, c, x, mask)
    # Such blocks are turned around in cache; all features at once, XLA would make one kernel of it
    # with what stands before and behind.
    split = jax.tree.map(partial(_split, blocks=blocks), (us, powers, c, x), FEATURE_AXES)
    ys, final = jax.lax.map(lambda block: _together(*block, mask=mask), split)
    re, im = (_joined(part, 1, width) for part in final)
    return _joined(ys, 2, width), (re, im)


def _split(array: Array, axis: int, blocks: int) -> Array:
    """Blocks of features, `[blocks, ...]`, with zeros where the last one wants some."""
    size = -(-array.shape[axis] // blocks)
    missing = [(0, 0)] * array.ndim
    missing[axis] = 0, blocks * size - array.shape[axis]
    shape = *array.shape[:axis], blocks, size, *array.shape[axis + 1 :]
    return jnp.moveaxis(jnp.pad(array, missing).reshape(shape), axis, 0)


def _joined(blocks: Array, axis: int, width: int) -> Array:
    """So many features of such blocks, in one array again."""
    array = jnp.moveaxis(blocks, 0, axis)
    array = array.reshape(*array.shape[:axis], -1, *array.shape[axis + 2 :])
    return jax.lax.slice_in_dim(array, 0, width, axis=axis)


def _together(
    us: Float[Array, "T B H"], powers: Pair, c: Pair, x: Pair, mask: Bool[Array, "T B"] | None
) -> tuple[Float[Array, "T B H"], Pair]:
    """All steps of all these features; `us` 0 at padding, `powers` up to a^K."""
    steps, batch, width = us.shape
    size = powers[0].shape[-1] - 1
    chunks = -(-steps // size)
    us = jnp.pad(us, ((0, chunks * size - steps), (0, 0), (0, 0)))
    grouped = us.reshape(chunks, size, batch, width)
    by_feature = jnp.transpose(grouped, (3, 1, 0, 2)).reshape(width, size, -1)

    states = _between(by_feature, powers, x)
    starts = jnp.concatenate([part[:-1] for part in states], axis=-1)
    starts = jnp.transpose(starts, (2, 0, 1, 3)).reshape(width, chunks * batch, -1)
    moved, later = _reading(c, powers)
    ys = jnp.einsum("hjt,hjr->htr", moved, by_feature) + jnp.einsum("hjt,hrj->htr", later, starts)
    ys = jnp.transpose(ys.reshape(width, size, chunks, batch), (2, 1, 3, 0))
    ys = ys.reshape(-1, batch, width)[:steps]
    if mask is None and steps == chunks * size:
        return ys, (states[0][-1], states[1][-1])
    lengths = jnp.full(batch, steps) if mask is None else jnp.sum(mask, 0, dtype=jnp.int32)
    return ys, _final(grouped, (powers[0][..., 1], powers[1][..., 1]), states, lengths)


def _powers(a: Pair, count: int) -> Pair:
    """a^0 to a^(count - 1), `[H, N, count]`: by products, which need no logarithm of 0."""
    one = jnp.ones_like(a[0]), jnp.zeros_like(a[0])
    re, im = jax.lax.scan(lambda power, _: (times(a, power), power), one, length=count)[1]
    return jnp.moveaxis(re, 0, -1), jnp.moveaxis(im, 0, -1)


def _between(us: Float[Array, "H K R"], powers: Pair, x: Pair) -> Pair:
    """The states at the start of each chunk, and behind the last: `[chunks + 1, B, H, N]`."""
    batch, width, count = x[0].shape
    # What step j of a chunk adds to its end: a^(K - 1 - j).
    entering = jnp.concatenate([part[..., -2::-1] for part in powers], axis=1)
    added = jnp.einsum("hmj,hjr->rhm", entering, us).reshape(-1, batch, width, 2 * count)
    b = tuple(part.reshape(len(part), batch, -1) for part in jnp.split(added, 2, axis=-1))
    ends, _ = linear.unroll(
        (powers[0][..., -1].reshape(-1), powers[1][..., -1].reshape(-1)),
        (b[0], b[1]),
        (x[0].reshape(batch, -1), x[1].reshape(batch, -1)),
        None,
        False,
    )
    re, im = (
        jnp.concatenate([first[None], part.reshape(-1, batch, width, count)])
        for first, part in zip(x, ends, strict=True)
    )
    return re, im


def _reading(c: Pair, powers: Pair) -> tuple[Float[Array, "H K K"], Float[Array, "H M K"]]:
    """What each input of a chunk, and each part of the state before it, add to each of its outputs;
    M = 2 N, the real parts first."""
    re, im = times((c[0][..., None], c[1][..., None]), powers)
    size = re.shape[-1] - 1
    filtered = jnp.sum(re[..., :-1], axis=1)
    # Row j is the filter moved by j: rows of 2 K laid behind each other, cut again at 2 K - 1.
    rows = jnp.tile(jnp.pad(filtered, ((0, 0), (0, size))), (1, size))[:, : size * (2 * size - 1)]
    moved = rows.reshape(-1, size, 2 * size - 1)[:, :, :size]
    later = jnp.concatenate([re[..., 1:], -im[..., 1:]], axis=1)
    return moved, later


def _final(us: Float[Array, "C K B H"], a: Pair, states: Pair, lengths: Array) -> Pair:
    """The state behind the last true step: from the start of its chunk, step by step."""
    chunks, size, batch, width = us.shape
    at = jnp.minimum(lengths // size, chunks - 1)
    rows = jnp.arange(batch)
    inside = jnp.transpose(us[at, :, rows], (1, 0, 2))
    b = jnp.broadcast_to(inside[..., None], (*inside.shape, a[0].shape[-1]))
    mask = jnp.arange(size)[:, None] < lengths - at * size
    x = tuple(part[at, rows] for part in states)

    def advance(x: Pair, now: tuple[Array, Array]) -> tuple[Pair, None]:
        b, keep = now
        re, im = times(a, x)
        return where_mask(keep, (re + b, im), x), None

    return jax.lax.scan(advance, (x[0], x[1]), (b, mask))[0]
