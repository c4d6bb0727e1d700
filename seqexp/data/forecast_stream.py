"""Windows of one long series as training examples: gathered by index, never laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from seqexp.data.padding import sequences_of
from seqexp.data.prepared import Prepared
from seqexp.data.streams import Examples
from seqexp.types import Array, Batch, Sequences

Center = Literal["none", "last", "mean"]
"""What is subtracted from a window: nothing, its last value before the forecast (NLinear, Zeng et
al. 2023, https://arxiv.org/abs/2205.13504), or the mean of its inputs."""


class Series(NamedTuple):
    """A series made ready: standardized, missing values filled in what is read.

    Attributes:
        inputs: `[T, D]` float32 features; the first C of them are of the channels that are
            forecast.
        targets: `[T, C]` float32, NaN where a value is missing.
    """

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class CutForecasts:
    """From where windows begin, `[B, 1]`, to inputs `[B, L, D]` and the C channels after them.

    Targets are `[B, H C]`, the H steps one after the other. Of numpy or JAX, traced or not.

    Attributes:
        length: L.
        horizon: H.
        center: what is subtracted from a window's inputs and targets, channel by channel.
        centered: how many of the D features, the first, are centered; of the targets all are.
    """

    length: int
    horizon: int
    center: Center
    centered: int

    def __call__(self, batch: Batch, inputs: Array, targets: Array) -> Batch:
        rows = batch.inputs.values + np.arange(self.length + self.horizon, dtype=np.int32)
        past, future = inputs[rows[:, : self.length]], targets[rows[:, self.length :]]
        B, H, C = future.shape
        if self.center != "none":
            xp = np if isinstance(past, np.ndarray) else jnp
            values, rest = past[..., : self.centered], past[..., self.centered :]
            last = self.center == "last"
            middle = values[:, -1:] if last else values.mean(axis=1, keepdims=True)
            past = xp.concatenate([values - middle, rest], axis=-1)
            future = future - middle[..., :C]
        return Batch(batch.inputs._replace(values=past), future.reshape(B, H * C))


@dataclass(frozen=True)
class CutNextValues:
    """From where windows begin, `[B, 1]`, to `length` rows of D features, and for each row the C
    channels some rows later, `[B, T, C]`. Of numpy or JAX, traced or not.

    Attributes:
        length: T.
        ahead: how many rows later; 1 for the next.
    """

    length: int
    ahead: int = 1

    def __call__(self, batch: Batch, inputs: Array, targets: Array) -> Batch:
        rows = batch.inputs.values + np.arange(self.length, dtype=np.int32)
        values = batch.inputs._replace(values=inputs[rows])
        return Batch(values, targets[rows + self.ahead])


def forecast_stream(series: Series, starts: np.ndarray, length: int, cut: Callable) -> Prepared:
    """Every window once an epoch; the series lies on the device once, whatever windows overlap.

    Args:
        series: of numpy.
        starts: `[N]` int32, of `window_starts`.
        length: T of a window's inputs.
        cut: `CutForecasts` or `CutNextValues`.
    """
    held = jnp.asarray(series.inputs), jnp.asarray(series.targets)
    begins = _begins(starts, length)
    values, lengths = map(jnp.asarray, begins.inputs)
    return Prepared(Examples(begins._replace(inputs=Sequences(values, lengths))), cut, held)


def forecast_split(series: Series, starts: np.ndarray, length: int, cut: Callable) -> Batch:
    """All windows laid out, in numpy."""
    return cut(_begins(starts, length), *series)


def _begins(starts: np.ndarray, length: int) -> Batch:
    lengths = np.full(len(starts), length, np.int32)
    return Batch(sequences_of(starts[:, None], lengths), ())
