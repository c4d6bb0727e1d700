"""Recordings cut into frames, on arrays of any batch."""

from __future__ import annotations

from typing import Protocol

import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, SeqexpError, Sequences


class FrontEnd(Protocol):
    """Features of recordings, traced: what stands at padding never matters, and is 0 in the end."""

    @property
    def size(self) -> int:
        """D, features a frame."""
        ...

    def lengths(self, samples: Array) -> Array:
        """How many frames recordings of so many samples have; integers of any shape."""
        ...

    def __call__(self, samples: Array, lengths: Array) -> Sequences:
        """`[B, n]` right-padded samples of true `lengths` `[B]` to `[B, T, D]` features."""
        ...


def frame_count(samples: Array | int, window: int, hop: int) -> Array:
    """T(n) = 1 + ceil(max(n - W, 0) / hop) frames for n samples; T(0) = 0.

    So every sample is in a frame, and any recording has one. What the last lacks is silence.

    Args:
        samples: n, integers of any shape, or one.
        window: W, samples a frame.
        hop: samples from one frame to the next, at most W.

    >>> [int(frame_count(n, window=4, hop=2)) for n in (0, 1, 4, 5, 6, 7)]
    [0, 1, 1, 2, 2, 3]
    """
    more = -(-jnp.maximum(jnp.asarray(samples) - window, 0) // hop)
    return jnp.where(jnp.asarray(samples) > 0, 1 + more, 0).astype(jnp.int32)


def frames(samples: Array, lengths: Array, window: int, hop: int) -> Array:
    """Frame t of a recording is x[t hop : t hop + W], with 0 for what is beyond its length.

    Args:
        samples: `[B, n]`, right-padded; anything at padding.
        lengths: `[B]`, true samples.
        window: W.
        hop: at most W.

    Returns:
        `[B, T, W]`, T the frames of n samples.

    >>> frames(jnp.arange(1.0, 6.0)[None], jnp.array([5]), window=4, hop=2).tolist()
    [[[1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 0.0]]]
    """
    n = samples.shape[1]
    T = 0 if n == 0 else 1 + -(-max(n - window, 0) // hop)
    real = jnp.where(jnp.arange(n) < jnp.asarray(lengths)[:, None], samples, 0)
    padded = jnp.pad(real, ((0, 0), (0, max(0, (T - 1) * hop + window - n))))
    return padded[:, hop * np.arange(T)[:, None] + np.arange(window)]


def check_frames(window: int, hop: int) -> None:
    """Raises SeqexpError unless 1 <= hop <= window."""
    if not 1 <= hop <= window:
        raise SeqexpError(
            f"hop is {hop} samples, and must be from 1 to the window's {window}: else samples "
            "between two frames were lost"
        )


def masked(features: Array, lengths: Array) -> Sequences:
    """`[B, T, D]` features with 0 at padding, as sequences."""
    mask = jnp.arange(features.shape[1]) < lengths[:, None]
    return Sequences(jnp.where(mask[..., None], features, 0), lengths)
