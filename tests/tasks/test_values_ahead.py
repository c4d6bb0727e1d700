"""Generated series: windows by a loop, the score by its formula, baselines by a solver."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.lorenz import lorenz
from seqexp.tasks import Lorenz, MackeyGlass
from seqexp.tasks.values_ahead import (
    ORDERS,
    PENALTIES,
    SEEDS,
    autoregression,
    last_value,
)
from seqexp.types import Prediction, SeqexpError, Splits

T, K, WARMUP = 12, 2, 4
SIZES = {"length": T, "ahead": K, "warmup": WARMUP, "train_steps": 80, "held_out_steps": 40}


def task(**options) -> Lorenz:
    return Lorenz(**{**SIZES, "interval": 0.05, **options})


@pytest.fixture(scope="module")
def splits() -> Splits:
    return task().load()


@pytest.fixture(scope="module")
def series() -> dict[str, np.ndarray]:
    steps = {"train": 80, "valid": 40, "test": 40}
    raw = {name: lorenz(SEEDS[name], count, 0.05) for name, count in steps.items()}
    train = raw["train"]
    return {name: (own - train.mean(0)) / train.std(0) for name, own in raw.items()}


def test_windows_by_a_loop(splits, series):
    (train,) = splits.train.all_examples()  # type: ignore[misc]
    parts = {"train": (train, 1), **{name: (part, T) for name, (part,) in splits.held_out.items()}}
    for name, (part, stride) in parts.items():
        starts = range(0, len(series[name]) - T - K + 1, stride)
        assert len(part.inputs.lengths) == len(starts)
        for n, s in enumerate(starts):
            np.testing.assert_allclose(part.inputs.values[n], series[name][s : s + T], atol=1e-4)
            np.testing.assert_allclose(part.targets[n], series[name][s + K : s + K + T], atol=1e-4)


def test_the_score_is_the_nrmse_behind_the_warm_up(splits):
    (test,) = splits.held_out["test"]
    outputs = np.random.default_rng(0).normal(size=test.targets.shape).astype(np.float32)
    sums = task().measure(Prediction(jnp.asarray(outputs), ()), test)
    errors = (outputs - test.targets)[:, WARMUP:]
    found = task().summarize(sums)
    assert found["nrmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert found["loss"] == found["mse"] == pytest.approx(np.mean(errors**2), rel=1e-5)


def test_the_last_value_by_a_loop(splits, series):
    own, errors = series["test"], []
    for s in range(0, 40 - T - K + 1, T):
        errors += [(own[s + t] - own[s + t + K]) ** 2 for t in range(WARMUP, T)]
    assert last_value(splits, WARMUP) == pytest.approx(np.sqrt(np.mean(errors)), rel=1e-4)


def test_autoregression_is_the_best_of_ridge_regressions_on_validation(splits, series):
    def rows(name: str, p: int) -> tuple[np.ndarray, np.ndarray]:
        own, x, y = series[name], [], []
        for s in range(0, len(own) - T - K + 1, T):
            for t in range(s + WARMUP, s + T):
                x.append(np.append(own[t - p + 1 : t + 1][::-1].reshape(-1), 1.0))
                y.append(own[t + K])
        return np.array(x), np.array(y)

    scores = []
    for p in [order for order in ORDERS if order <= WARMUP + 1]:
        for penalty in PENALTIES:
            x, y = rows("train", p)
            # Ridge regression as least squares with rows that pull to 0.
            pull = np.sqrt(penalty) * np.eye(x.shape[1])
            weights = np.linalg.lstsq(
                np.vstack([x, pull]), np.vstack([y, np.zeros((len(pull), 3))]), rcond=None
            )[0]
            scores.append(
                [
                    np.sqrt(np.mean((a @ weights - b) ** 2))
                    for a, b in (rows("valid", p), rows("test", p))
                ]
            )
    assert autoregression(splits, WARMUP) == pytest.approx(min(scores)[1], rel=1e-2)


def test_the_mean_has_about_1():
    big = task(train_steps=2000, held_out_steps=2000)
    (test,) = big.load().held_out["test"]
    found = big.summarize(big.measure(Prediction(jnp.zeros(test.targets.shape), ()), test))
    assert found["nrmse"] == pytest.approx(1, abs=0.15)


def test_what_is_shown(splits):
    (test,) = splits.held_out["test"]
    shown = task().show(test, np.asarray(test.targets), None)
    picture = shown["forecasts"]
    assert isinstance(picture, np.ndarray) and picture.shape[1] == T - WARMUP
    assert set(np.unique(picture)) == {0.0, 1.0}  # nothing but black where nothing differs


@pytest.mark.parametrize(
    "wrong",
    [{"warmup": T}, {"ahead": 0}, {"train_steps": T}, {"held_out_steps": 1}, {"interval": 9.0}],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(SeqexpError):
        task(**wrong)


def test_a_delay_of_0_is_refused():
    with pytest.raises(SeqexpError, match="delay tau"):
        MackeyGlass(**SIZES, tau=0)


def test_messages_name_the_task():
    with pytest.raises(SeqexpError, match="^MackeyGlass: ahead"):
        MackeyGlass(**{**SIZES, "ahead": 0}, tau=17)
