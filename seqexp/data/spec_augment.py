"""SpecAugment: bands of frequencies and spans of time that a model doesn't get to see."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from seqexp.types import Array, SeqexpError, Sequences


@dataclass(frozen=True)
class SpecAugment:
    """Masks frequencies and times of spectrograms at random; for training alone, traced.

    Each frequency mask covers the features [f0, f0 + f), f drawn from 0 .. F and f0 from
    0 .. D - f; each time mask the frames [t0, t0 + t) of an example of length L, t drawn from
    0 .. min(T, floor(p L)) and t0 from 0 .. L - t; all uniformly, ends included. Masks may overlap.
    What they cover becomes the mean. There is no time warping, which the paper finds to matter
    least.

    Park et al. 2019, "SpecAugment: A simple data augmentation method for automatic speech
    recognition", https://arxiv.org/abs/1904.08779.

    Attributes:
        frequency_masks: how many, 0 or more (m_F in the paper).
        frequency_width: F, the most features that one covers.
        time_masks: how many (m_T).
        time_width: T, the most frames that one covers.
        time_share: p, the most of an example that a time mask covers, 0 to 1.
    """

    frequency_masks: int
    frequency_width: int
    time_masks: int
    time_width: int
    time_share: float = 1.0

    def __post_init__(self) -> None:
        numbers = self.frequency_masks, self.frequency_width, self.time_masks, self.time_width
        if min(numbers) < 0 or not 0 <= self.time_share <= 1:
            raise SeqexpError(
                "SpecAugment needs counts and widths of at least 0 and a time_share from 0 to 1, "
                f"not {numbers} and {self.time_share}"
            )

    @property
    def masks(self) -> int:
        """How many masks an example gets."""
        return self.frequency_masks + self.time_masks

    def require_features(self, size: int) -> None:
        """Raises SeqexpError where a mask is wider than so many features."""
        if self.frequency_masks and self.frequency_width > size:
            raise SeqexpError(
                f"frequency_width is {self.frequency_width}, more than the {size} features there "
                "are"
            )

    def __call__(self, key: Array, inputs: Sequences, mean: Array | float) -> Sequences:
        """Masked sequences; padding and lengths stay as they are.

        Args:
            key: draws the masks: the same for any padding of the batch.
            inputs: `[B, T, D]`.
            mean: what covers: `[D]` or one number, 0 for standardized features.

        Raises:
            SeqexpError: frequency_width is more than D.
        """
        B, T, D = inputs.values.shape
        self.require_features(D)
        of_frequency, of_time = jax.random.split(key)
        lengths = jnp.asarray(inputs.lengths, jnp.int32)
        shares = jnp.floor(self.time_share * lengths).astype(jnp.int32)
        covered = jnp.logical_or(
            _spans(
                of_frequency,
                self.frequency_masks,
                jnp.full(B, self.frequency_width),
                jnp.full(B, D),
                D,
            )[:, None, :],
            _spans(of_time, self.time_masks, jnp.minimum(self.time_width, shares), lengths, T)[
                :, :, None
            ],
        )
        values = jnp.where(covered & inputs.mask[..., None], mean, inputs.values)
        return inputs._replace(values=values.astype(inputs.values.dtype))


def _spans(key: Array, count: int, widest: Array, room: Array, size: int) -> Array:
    """`[B, size]`, True within any of `count` spans a row, each of up to `widest` within `room`."""
    of_width, of_start = jax.random.split(key)
    shape = (len(room), count)
    # One draw for the batch, not one a row under vmap, where some kinds of key draw otherwise.
    width = jax.random.randint(of_width, shape, 0, widest[:, None] + 1)
    start = jax.random.randint(of_start, shape, 0, room[:, None] - width + 1)
    place = jnp.arange(size)
    inside = (place >= start[..., None]) & (place < (start + width)[..., None])
    return inside.any(axis=1)
