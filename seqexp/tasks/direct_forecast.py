"""Forecasts of a whole horizon at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from seqexp.data.forecast_stream import (
    Center,
    CutForecasts,
    Series,
    forecast_split,
    forecast_stream,
)
from seqexp.data.forecast_windows import Windows, window_starts
from seqexp.tasks.forecast_picture import LEGEND, channel_pictures
from seqexp.tasks.metrics import absolute_error, quantile_loss, squared_error
from seqexp.types import (
    Array,
    Batch,
    Features,
    Mean,
    Prediction,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    TaskSpec,
)


@dataclass(frozen=True, kw_only=True)
class DirectForecast:
    """From L steps of D features the H next ones of the first C of them, as one answer.

    Outputs are `[B, H C]` values, the H steps one after the other; with Q quantiles `[B, H C Q]`,
    those of a value side by side, of which the median is the forecast that is scored.

    Attributes:
        length: L.
        horizon: H.
        features: D.
        channels: C.
        center: what is subtracted from a window, see `seqexp.data.forecast_stream.Center`.
        centered: how many of the D features, the first, are centered.
        quantiles: ascending, 0.5 among them; () for the mean.
        missing: whether targets may be missing: NaN, which weighs nothing.

    Raises:
        SeqexpError: `quantiles` that are none.
    """

    length: int
    horizon: int
    features: int
    channels: int
    center: Center
    centered: int
    quantiles: tuple[float, ...] = ()
    missing: bool = False

    def __post_init__(self) -> None:
        q = self.quantiles
        if q and not (0 < q[0] and q[-1] < 1 and 0.5 in q and sorted(set(q)) == list(q)):
            raise SeqexpError(
                f"quantiles must ascend between 0 and 1, with 0.5 among them, not {list(q)}"
            )

    @property
    def spec(self) -> TaskSpec:
        values = self.horizon * self.channels
        own = bool(self.quantiles) or self.missing
        return TaskSpec(
            Features(self.features),
            "sequence",
            values * max(len(self.quantiles), 1),
            self.length,
            causal=False,
            targets="own" if own else "values",
        )

    def splits(self, series: Series, borders: Mapping[str, tuple[int, int]]) -> Splits:
        """Windows of each split.

        Args:
            series: of D and C columns.
            borders: for "train", "valid" and "test" the first row that is forecast, and the row
                after the last.
        """
        L, H = self.length, self.horizon
        cut = CutForecasts(L, H, self.center, self.centered)
        starts = {name: window_starts(*border, L, H) for name, border in borders.items()}
        train = forecast_stream(series, starts.pop("train"), L, cut)
        held_out = {name: (forecast_split(series, own, L, cut),) for name, own in starts.items()}
        return Splits(train, held_out)

    def windows(self, split: Batch) -> Windows:
        """Inputs `[N, L, D]` and targets `[N, H, C]`, in numpy."""
        targets = np.asarray(split.targets).reshape(-1, self.horizon, self.channels)
        return Windows(np.asarray(split.inputs.values), targets)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """MSE and MAE over all values; with quantiles their loss, and the coverage: the share of
        values between the lowest and the highest."""
        examples = self.spec.answer_mask(batch)[:, None]
        mask = examples & ~jnp.isnan(jnp.where(examples, batch.targets, 0))
        forecasts = prediction.outputs.reshape(*mask.shape, -1)
        middle = self.quantiles.index(0.5) if self.quantiles else 0
        median, targets = forecasts[..., middle : middle + 1], batch.targets[..., None]
        mse = squared_error(median, targets, mask)
        sums = {"loss": mse, "mse": mse, "mae": absolute_error(median, targets, mask)}
        if not self.quantiles:
            return sums
        loss = quantile_loss(forecasts, batch.targets, mask, self.quantiles)
        return {
            **sums,
            "loss": loss,
            "quantile_loss": loss,
            "coverage": _coverage(forecasts, batch.targets, mask),
        }

    @property
    def decoding(self) -> None:
        """Nothing is decoded."""
        return None

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """Nothing besides."""
        return {}

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The first window's channels, 7 at most, what came after them, and their forecasts, with
        the band between the lowest and the highest quantile."""
        past, future = self.windows(batch)
        forecasts = outputs.reshape(*future.shape, -1)[0]
        if len(q := self.quantiles) < 2:
            picture = channel_pictures(past[0], future[0], forecasts[..., 0])
            return {"forecasts": picture, "forecasts_legend": LEGEND}
        band = forecasts[..., 0], forecasts[..., -1]
        picture = channel_pictures(past[0], future[0], forecasts[..., q.index(0.5)], band)
        said = f"{LEGEND}; light grey: from its quantile {q[0]} to {q[-1]}"
        return {"forecasts": picture, "forecasts_legend": said}


def _coverage(forecasts: Array, targets: Array, mask: Array) -> Mean:
    inside = (forecasts[..., 0] <= targets) & (targets <= forecasts[..., -1])
    return Mean(
        jnp.sum(jnp.where(mask, inside, False), dtype=jnp.float32),
        jnp.sum(mask, dtype=jnp.float32),
    )
