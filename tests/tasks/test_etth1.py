"""ETTh1 by the file itself, its splits by the published counts, its baselines as published."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import ETT
from seqexp.tasks import ETTh1
from seqexp.types import SeqexpError

USUAL = {
    "window": 96,
    "horizon": 96,
    "channels": "multivariate",
    "mode": "direct",
    "center": "none",
    "quantiles": None,
}


def task(**options) -> ETTh1:
    return ETTh1(**{**USUAL, **options})


@pytest.fixture(scope="module")
def rows(require_files) -> np.ndarray:
    """`[17420, 7]`, as the csv module reads them, standardized by the first year."""
    require_files(task())
    (path,) = fetch(ETT).values()
    with path.open() as file:
        values = np.array([line[1:] for line in list(csv.reader(file))[1:]], np.float64)
    train = values[:8640]
    return (values - train.mean(0)) / train.std(0)


def test_windows_are_those_of_the_file(rows):
    splits = task().load()
    assert splits.train.steps_per_epoch(1) == 8449
    for name, first in (("valid", 8640), ("test", 11_520)):
        (part,) = splits.held_out[name]
        assert part.targets.shape == (2785, 96 * 7)
        for n in (0, 17, 2784):
            start = first - 96 + n
            np.testing.assert_allclose(part.inputs.values[n], rows[start : start + 96], atol=1e-4)
            np.testing.assert_allclose(
                np.reshape(part.targets[n], (96, 7)), rows[start + 96 : start + 192], atol=1e-4
            )


def test_univariate_is_the_oil_temperature(rows):
    (part,) = task(channels="univariate", horizon=24).load().held_out["valid"]
    np.testing.assert_allclose(part.targets[5], rows[8645:8669, -1], atol=1e-5)


@pytest.mark.full
def test_repeating_the_last_value_is_as_bad_as_published(require_files):
    """1.295 of Zeng et al. 2023, table 3 ("Repeat"), https://arxiv.org/abs/2205.13504; its linear
    model has 0.375 with a window of 336."""
    require_files(task())
    found = task(window=336).baselines
    assert found["last value"] == pytest.approx(1.295, abs=1e-3)
    assert found["linear"] == pytest.approx(0.375, abs=0.01)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"horizon": 2881},
        {"window": 8000, "horizon": 720},
        {"mode": "autoregressive", "center": "last"},
        {"mode": "autoregressive", "quantiles": [0.5]},
        {"quantiles": [0.1, 0.9]},
        {"channels": "OT"},
        {"center": "first"},
    ],
)
def test_what_does_not_fit_is_refused(options):
    with pytest.raises(SeqexpError):
        task(**options)


def test_quantiles_of_a_config_make_a_task_that_can_be_hashed():
    assert hash(task(quantiles=[0.1, 0.5, 0.9])) == hash(task(quantiles=(0.1, 0.5, 0.9)))


def test_autoregressive_asks_for_the_next_value():
    spec = task(mode="autoregressive").spec
    assert spec.causal and spec.answer == "step" and spec.max_length == 191
    assert spec.output_size == 7
