"""Settings in the tables of runs: numbers are numbers, and null is no missing value."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from synthetic_records import write_run

from seqexp.analysis import load, report

SETTINGS = {
    "rate": (0.003, 0.01, 1e-4, 0.03),
    "whole": (10, 9, 128, 64),
    "mixed": (1, 0.5, 2, 3),
    "flag": (True, False, True, True),
    "text": ("a", "b", "none", "1 2"),
    "clip": (None, 1.0, None, 0.5),
    "maybe": (None, True, False, None),
    "list": ([1, 2], [], [1], [2]),
    "deep": ({"inside": 3}, {"inside": None}, {"inside": 4}, {"inside": 5}),
    "own": (7, ..., 8, ...),  # two runs do not have it
}


@pytest.fixture
def study(tmp_path):
    for i in range(4):
        optimizer = {key: values[i] for key, values in SETTINGS.items() if values[i] is not ...}
        config = {"seed": 0, "model": {"units": 8}, "optimizer": optimizer}
        write_run(
            *(tmp_path / "study", "gru", "adding", 0), id=f"run{i}", group=f"g{i}", config=config
        )
    return tmp_path / "study"


def tables(study):
    """The runs as they are loaded, and as they are read again from the files of a report."""
    report(study)
    frames = [load(study).runs, pd.read_csv(study / "report" / "results.csv")]
    frames.append(pd.DataFrame(json.loads((study / "report" / "results.json").read_text())))
    for frame in frames:
        frame = frame.sort_values("run", ignore_index=True)
        frame.columns = frame.columns.str.removeprefix("config/optimizer.")
        yield frame


def test_numbers_are_numbers_and_null_survives(study):
    for runs in tables(study):
        for key in ("rate", "whole", "mixed"):
            assert pd.api.types.is_numeric_dtype(runs[key].dtype)
            assert runs[key].tolist() == list(SETTINGS[key])
        assert runs["whole"].dtype.kind == "i" and runs["flag"].dtype == bool
        assert runs.loc[runs["rate"] == 0.003, "run"].tolist() == ["run0"]
        assert runs.sort_values("rate")["run"].tolist() == ["run2", "run0", "run1", "run3"]
        assert runs["text"].tolist() == list(SETTINGS["text"])
        for key, nulls in (("clip", 2), ("maybe", 2), ("deep.inside", 1)):
            assert not runs[key].isna().tolist().count(True)
            assert runs[key].tolist().count("(null)") == nulls
            assert sum(runs.groupby(key).size().tolist()) == 4  # none is left out
        assert runs["list"].tolist() == ["[1, 2]", "[]", "[1]", "[2]"]
        assert runs["own"].dtype.kind == "f" and runs["own"].tolist()[::2] == [7, 8]
        assert runs["own"].isna().tolist() == [False, True, False, True]


def test_what_is_loaded_keeps_the_types_of_mixed_columns(study):
    for runs in list(tables(study))[::2]:  # a file of texts can not
        assert runs.loc[runs["clip"] == 1.0, "run"].tolist() == ["run1"]
        assert runs["maybe"].tolist() == ["(null)", True, False, "(null)"]


def test_curves_are_numbers(study):
    curves = load(study).curves
    for key in ("step", "examples", "tokens", "seconds", "value"):
        assert curves[key].dtype in (np.int64, np.float64)


def test_metrics_that_were_never_finite_are_numbers(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, test={"mse": 0.5, "loss": None})
    assert load(tmp_path).runs["test/loss"].dtype == np.float64
