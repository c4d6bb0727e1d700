"""Forecasts of a CSV file of one's own, written here."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.inspection.shown import Shows
from seqexp.tasks import SeriesForecast
from seqexp.training.check_data import check_data
from seqexp.types import Features, Prediction, SeqexpError
from tests.test_configs import point

ROWS = 50
VALUES = np.random.default_rng(0).normal(size=(ROWS, 3)).round(3)


def written(folder: Path, cells: list[list[str]]) -> str:
    path = folder / "own.csv"
    lines = ["time,a,b,c", *(f"{t},{','.join(row)}" for t, row in enumerate(cells))]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def whole(tmp_path) -> str:
    return written(tmp_path, [[str(v) for v in row] for row in VALUES])


@pytest.fixture
def torn(tmp_path) -> str:
    """With b missing in rows 3 to 5 and 45."""
    cells = [[str(v) for v in row] for row in VALUES]
    for row, said in ((3, ""), (4, "NaN"), (5, "NA"), (45, "")):
        cells[row][1] = said
    return written(tmp_path, cells)


def task(path: str, **options) -> SeriesForecast:
    usual = {
        "path": path,
        "columns": None,
        "targets": None,
        "time": "time",
        "delimiter": ",",
        "split": (0.6, 0.2, 0.2),
        "window": 4,
        "horizon": 2,
        "center": "none",
        "quantiles": None,
        "period": None,
        "metric": "mse",
    }
    return SeriesForecast(**{**usual, **options})


def test_windows_of_a_whole_file(whole):
    own = task(whole, targets=["c"], columns=["a", "c"])
    splits = own.load()
    check_data(own, splits, batch_size=2)
    assert own.spec.inputs == Features(2) and own.spec.output_size == 2
    assert own.spec.targets == "values"
    standard = (VALUES - VALUES[:30].mean(0)) / VALUES[:30].std(0)
    assert splits.train.steps_per_epoch(1) == 25
    for name, first, last in (("valid", 30, 40), ("test", 40, 50)):
        (part,) = splits.held_out[name]
        assert len(part.targets) == last - first - 1
        for n, (past, future) in enumerate(zip(part.inputs.values, part.targets, strict=True)):
            s = first - 4 + n
            np.testing.assert_allclose(past, standard[s : s + 4, [2, 0]], atol=1e-5)
            np.testing.assert_allclose(future, standard[s + 4 : s + 6, 2], atol=1e-5)


def test_missing_values_are_filled_marked_and_weigh_nothing(torn):
    own = task(torn, targets=["b"])
    splits = own.load()
    check_data(own, splits, batch_size=2)
    assert own.spec.inputs == Features(6) and own.spec.targets == "own"
    (train,) = splits.train.all_examples()  # type: ignore[misc]
    # The window of rows 2 to 5: b is there in row 2 alone, and stays so.
    window = np.asarray(train.inputs.values)[2]
    np.testing.assert_allclose(window[:, 0], window[0, 0])
    np.testing.assert_array_equal(window[:, 3:], [[1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 1, 1]])
    (test,) = splits.held_out["test"]
    missing = np.isnan(test.targets)
    assert missing.sum() == 2  # row 45 is the first of one horizon and the second of another
    outputs = jnp.zeros(test.targets.shape)
    total, weight = own.measure(Prediction(outputs, ()), test)["mse"]
    assert float(total / weight) == pytest.approx(np.nanmean(test.targets**2), rel=1e-5)
    assert all(np.isfinite(score) for score in own.baselines.values())


def test_the_baselines(whole):
    assert set(task(whole).baselines) == {"last value", "linear"}
    assert set(task(whole, period=3).baselines) == {"last value", "seasonal naive", "linear"}
    assert task(whole, metric="mae").baselines == {}


def test_another_file_is_another_run(whole):
    before = task(whole).data_hashes()
    Path(whole).write_text(Path(whole).read_text().replace("a", "x", 1))
    assert task(whole).data_hashes() != before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": (0.8, 0.2)}, "three shares"),
        ({"targets": ["d"]}, "choose among a, b, c"),
        ({"targets": ["a", "a"]}, "twice"),
        ({"columns": ["z"]}, "no column 'z'"),
        ({"window": 40}, "no window of 40"),
        ({"quantiles": [0.9]}, "quantiles must ascend"),
        ({"metric": "accuracy"}, "metric must be one of mse, mae"),
        ({"center": "first"}, "center must be one of"),
        ({"period": 0}, "period must be an integer >= 1"),
    ],
)
def test_what_does_not_fit_is_refused(whole, options, said):
    with pytest.raises(SeqexpError, match=said):
        task(whole, **options).load()


def test_a_malformed_cell_is_named(tmp_path):
    path = written(tmp_path, [["1", "2", "3"], ["1", "two", "3"]])
    with pytest.raises(SeqexpError, match="own.csv, line 3, column 'b': 'two'"):
        task(path).load()


def test_the_config_takes_a_path(whole):
    composed = point(
        "model=gru",
        "task=series",
        f"task.path={whole}",
        "task.time=time",
        "task.window=4",
        "task.horizon=2",
        "task.quantiles=[0.1,0.5,0.9]",
        "task.split=[0.6,0.2,0.2]",
    )
    own = composed.build().task
    (valid,) = own.load().held_out["valid"]
    outputs = np.zeros((len(valid.targets), own.spec.output_size), np.float32)
    sums = jax.jit(lambda o, b: dict(own.measure(Prediction(o, ()), b)))(outputs, valid)
    assert {"loss", "mse", "mae", "quantile_loss", "coverage"} == set(sums)
    few = jax.tree.map(lambda array: np.asarray(array)[:2], valid)
    assert isinstance(own, Shows)
    assert np.ndim(own.show(few, outputs[:2], None)["forecasts"]) == 2
