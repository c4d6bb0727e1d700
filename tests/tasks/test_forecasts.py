"""Forecasts: metrics by slow versions, baselines by solvers, and what free running reads."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from seqexp.data.forecast_stream import Series
from seqexp.tasks.direct_forecast import DirectForecast
from seqexp.tasks.forecast_baselines import PENALTIES, last_value, linear, seasonal_naive
from seqexp.tasks.forecast_picture import (
    BAND,
    FORECAST,
    GAP,
    HEIGHT,
    channel_pictures,
    forecast_pictures,
)
from seqexp.tasks.free_forecast import FreeForecast
from seqexp.tasks.metrics import quantile_loss
from seqexp.types import Batch, Prediction, SeqexpError, Sequences, Splits

L, H, C, ROWS = 5, 3, 2, 60
BORDERS = {"train": (0, 40), "valid": (40, 50), "test": (50, 60)}


def direct(**options) -> DirectForecast:
    usual = {"length": L, "horizon": H, "features": C, "channels": C, "center": "none"}
    return DirectForecast(**{**usual, "centered": C, **options})


@pytest.fixture(scope="module")
def series() -> Series:
    steps = np.arange(ROWS)[:, None] + np.array([0.0, 2.0])
    noise = np.random.default_rng(1).normal(0, 0.3, (ROWS, C))
    values = (np.sin(steps * 2 * np.pi / 4) + noise).astype(np.float32)
    return Series(values, values)


@pytest.fixture(scope="module")
def splits(series) -> Splits:
    return direct().splits(series, BORDERS)


def numbers(sums) -> dict[str, float]:
    return {name: float(each.total / each.weight) for name, each in sums.items()}


def test_errors_are_those_of_the_values(splits):
    (test,) = splits.held_out["test"]
    outputs = np.random.default_rng(0).normal(size=test.targets.shape).astype(np.float32)
    found = numbers(direct().measure(Prediction(jnp.asarray(outputs), ()), test))
    errors = outputs - test.targets
    assert found["mse"] == found["loss"] == pytest.approx(np.mean(errors**2), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)


def test_quantiles_by_their_definition(splits):
    (test,) = splits.held_out["test"]
    q = (0.1, 0.5, 0.8)
    task = direct(quantiles=q)
    assert task.spec.output_size == H * C * 3 and task.spec.targets == "own"
    outputs = np.random.default_rng(0).normal(size=(*test.targets.shape, 3)).astype(np.float32)
    found = numbers(
        task.measure(Prediction(jnp.asarray(outputs.reshape(len(outputs), -1)), ()), test)
    )
    losses = [
        max(each * (y - o[k]), (each - 1) * (y - o[k]))
        for y, o in zip(test.targets.reshape(-1), outputs.reshape(-1, 3), strict=True)
        for k, each in enumerate(q)
    ]
    assert found["loss"] == found["quantile_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    median = outputs[..., 1]
    assert found["mse"] == pytest.approx(np.mean((median - test.targets) ** 2), rel=1e-5)
    inside = (outputs[..., 0] <= test.targets) & (test.targets <= outputs[..., 2])
    assert found["coverage"] == pytest.approx(inside.mean())


def test_the_quantile_loss_is_least_at_the_quantile():
    """Of the values 1 .. 9 the 0.8 quantile is 8 (any of 7.2 to 8 less than one value above)."""
    values = jnp.arange(1.0, 10.0)
    mask = jnp.ones(9, bool)

    def loss(at: float) -> float:
        total, weight = quantile_loss(jnp.full((9, 1), at), values, mask, (0.8,))
        return float(total / weight)

    assert min(np.arange(0, 10.5, 0.5), key=loss) == 8


@pytest.mark.parametrize("q", [(0.1, 0.9), (0.5, 0.1), (0.0, 0.5), (0.5, 0.5)])
def test_quantiles_that_are_none_are_refused(q):
    with pytest.raises(SeqexpError, match="quantiles must ascend"):
        direct(quantiles=q)


def test_missing_targets_weigh_nothing(splits):
    (test,) = splits.held_out["test"]
    targets = np.array(test.targets)
    targets[0, :3] = np.nan
    task = direct(missing=True)

    def loss(outputs, targets):
        mse = task.measure(Prediction(outputs, ()), test._replace(targets=targets))["loss"]
        return mse.total / mse.weight

    outputs = jnp.zeros(targets.shape)
    value, slope = jax.value_and_grad(loss)(outputs, jnp.asarray(targets))
    assert float(value) == pytest.approx(np.nanmean(targets**2), rel=1e-5)
    assert np.isfinite(np.asarray(slope)).all() and not np.asarray(slope)[0, :3].any()


def test_naive_baselines_by_loops(series, splits):
    task = direct()
    values = series.inputs
    last, seasonal = [], []
    for s in range(50 - L, ROWS - L - H + 1):
        for h in range(H):
            true = values[s + L + h]
            last.append((values[s + L - 1] - true) ** 2)
            seasonal.append((values[s + L + h - 4] - true) ** 2)
    assert last_value(splits, task.windows) == pytest.approx(np.mean(last), rel=1e-5)
    assert seasonal_naive(splits, task.windows, period=4) == pytest.approx(
        np.mean(seasonal), rel=1e-5
    )


@pytest.mark.parametrize("center", ["none", "last"])
def test_the_linear_baseline_is_ridge_regression(series, center):
    task = direct(center=center)
    splits = task.splits(series, BORDERS)

    def rows(split: Batch) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = task.windows(split)
        return (
            np.concatenate([inputs[..., c] for c in range(C)]).astype(np.float64),
            np.concatenate([targets[..., c] for c in range(C)]).astype(np.float64),
        )

    parts = splits.train.all_examples()
    assert parts is not None
    train, valid, test = map(
        rows, (parts[0], splits.held_out["valid"][0], splits.held_out["test"][0])
    )
    scores = []
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty).fit(*train)
        scores.append([np.mean((model.predict(x) - y) ** 2) for x, y in (valid, test)])
    assert linear(splits, task.windows) == pytest.approx(min(scores)[1], rel=1e-4)


def test_a_free_forecast_has_the_windows_of_a_direct_one(series, splits):
    free = FreeForecast(length=L, horizon=H, channels=C)
    own = free.splits(series, BORDERS)
    for name in ("valid", "test"):
        for got, want in zip(
            free.windows(own.held_out[name][0]),
            direct().windows(splits.held_out[name][0]),
            strict=True,
        ):
            np.testing.assert_array_equal(got, want)
    assert linear(own, free.windows) == pytest.approx(linear(splits, direct().windows))
    (test,) = own.held_out["test"]
    said = np.zeros((len(test.inputs.lengths), H, C), np.float32)
    judged = free.judge(Sequences(said, np.full(len(said), H)), test)  # type: ignore[arg-type]
    targets = free.windows(test).targets
    assert judged == {
        "mse": pytest.approx(np.mean(targets**2), rel=1e-5),
        "mae": pytest.approx(np.mean(np.abs(targets)), rel=1e-5),
    }


def test_a_picture_shades_the_band_between_quantiles_behind_the_lines():
    past, future = np.array([[0.0, 4.0, 2.0]]), np.array([[2.0, 2.0]])
    band = np.array([[1.0, np.nan]]), np.array([[3.0, 3.0]])
    picture = forecast_pictures(past, future, np.array([[2.0, 2.0]]), band)
    quarter = (HEIGHT - 1) / 4  # a unit of the series, which reaches from 0 to 4
    shaded = np.flatnonzero(picture[:, 3] == BAND)
    assert shaded.min() == round(quarter) and shaded.max() == round(3 * quarter)
    assert picture[:, 3].max() == 1  # the line stays
    assert not (picture[:, 4] == BAND).any()  # a quantile that is not known


def test_quantiles_are_shown_as_a_band_and_told(splits):
    valid, task = splits.held_out["valid"][0], direct(quantiles=(0.1, 0.5, 0.9))
    few = jax.tree.map(lambda array: array[:1], valid)
    outputs = np.broadcast_to(np.array([-2.0, 0.0, 2.0]), (1, H * C, 3)).reshape(1, -1)
    shown = task.show(few, outputs, None)
    assert BAND in np.unique(shown["forecasts"])  # pyright: ignore[reportArgumentType]
    assert str(shown["forecasts_legend"]).endswith("light grey: from its quantile 0.1 to 0.9")
    shown = direct().show(few, np.zeros((1, H * C)), None)
    assert BAND not in np.unique(shown["forecasts"])  # pyright: ignore[reportArgumentType]
    assert "quantile" not in str(shown["forecasts_legend"])


def test_quantiles_that_cross_are_shaded_and_one_alone_has_no_band(splits):
    past, future = np.array([[0.0, 4.0, 2.0]]), np.array([[2.0]])
    right, crossed = (
        forecast_pictures(past, future, np.array([[2.0]]), (np.array([[a]]), np.array([[b]])))
        for a, b in ((1.0, 3.0), (3.0, 1.0))
    )
    np.testing.assert_array_equal(right, crossed)
    few = jax.tree.map(lambda array: array[:1], splits.held_out["valid"][0])
    shown = direct(quantiles=(0.5,)).show(few, np.zeros((1, H * C)), None)
    assert "quantile" not in str(shown["forecasts_legend"])


def test_pictures_hold_the_series_and_the_forecast():
    past, future = np.array([[0.0, 1.0, 2.0]]), np.array([[3.0, np.nan]])
    picture = forecast_pictures(past, future, np.array([[2.0, 0.0]]))
    assert picture.shape == (HEIGHT, 5)
    assert picture[-1, 0] == 1 and picture[0, 3] == 1  # the least and the greatest value
    assert set(np.unique(picture)) == {0.0, FORECAST, 1.0}
    assert picture[-1, 4] == np.float64(FORECAST) and not (picture[:, 4] == 1).any()
    both = forecast_pictures(np.repeat(past, 2, 0), np.repeat(future, 2, 0), np.ones((2, 2)))
    assert both.shape == (2 * HEIGHT + GAP, 5)
    one = channel_pictures(past.T, future.T, np.array([[2.0], [0.0]]))
    np.testing.assert_array_equal(one, picture)
    assert (
        channel_pictures(np.ones((3, 9)), np.ones((2, 9)), np.ones((2, 9))).shape[0] == 7 * 56 - 8
    )
