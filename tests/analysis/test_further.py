"""Scores on further held-out splits: whose they are, their intervals, and the curve by length."""

from __future__ import annotations

import re

import numpy as np
import pytest
from synthetic_records import SEEDS, known_scores, write_run, write_study

from seqexp.analysis import load, report
from seqexp.analysis.findings import findings
from seqexp.analysis.further import length_figures
from seqexp.analysis.table import tabulate


def found_in(study, task="digits"):
    records = load(study)
    return findings(records, tabulate(records)).of(task)


def further(study):
    """Of each model and split (multiple of the length, mean, half-width, seeds)."""
    rows = found_in(study).further.to_dict("records")
    return {
        (row["label"], row["split"]): tuple(row[key] for key in ("multiple", "mean", "half", "n"))
        for row in rows
    }


def write(study, model="gru", splits=("length 16x", "length 2x", "noisy"), scores=(0.5, 0.7, 0.9)):
    """Three seeds whose scores on the further splits are (in that order) these."""
    for seed, value in zip(SEEDS, scores, strict=True):
        held_out = {split: {"accuracy": value} for split in splits}
        write_run(study, model, "digits", seed, test={"accuracy": 0.5}, held_out=held_out)
    return study


def test_means_over_seeds_with_intervals_by_split_the_shorter_first(tmp_path):
    found = further(write(tmp_path / "study"))
    # Student's quantile for two degrees of freedom is 4.302653; s = 0.2.
    half = pytest.approx(4.302653 * 0.2 / np.sqrt(3), rel=1e-6)
    assert found == {
        ("gru", "test"): (1, 0.5, 0, 3),
        ("gru", "noisy"): (pytest.approx(np.nan, nan_ok=True), pytest.approx(0.7), half, 3),
        ("gru", "length 2x"): (2, pytest.approx(0.7), half, 3),
        ("gru", "length 16x"): (16, pytest.approx(0.7), half, 3),
    }
    assert [split for _, split in found] == ["test", "noisy", "length 2x", "length 16x"]


def test_runs_without_a_score_there_are_not_counted(tmp_path):
    found = further(write(tmp_path / "study", splits=["length 2x"], scores=(0.5, None, 0.9)))
    assert found["gru", "length 2x"][1::2] == (pytest.approx(0.7), 2)
    assert found["gru", "test"][3] == 3


def test_unfinished_runs_and_other_metrics_are_not_counted(tmp_path):
    study = write(tmp_path / "study", splits=["length 2x"])
    held_out = {"length 2x": {"accuracy": 0.0}}
    write_run(study, "gru", "digits", 7, status="running", held_out=held_out)
    assert further(study)["gru", "length 2x"][3] == 3


def test_a_task_without_further_splits_has_none(tmp_path):
    found = found_in(write_study(tmp_path / "study", known_scores()))
    assert found.further.empty
    assert length_figures(found.further, found.table, found.looks) == []
    page = (report(tmp_path / "study")).read_text(encoding="utf-8")
    assert "Further held-out splits" not in page and "Longer sequences" not in page


def test_splits_of_another_kind_have_a_table_and_no_curve(tmp_path):
    study = write(tmp_path / "study", splits=["noisy", "length"])
    page = report(study).read_text(encoding="utf-8")
    assert "Further held-out splits" in page and "Longer sequences" not in page
    assert not list((study / "report").glob("*length.svg"))


def test_the_curve_has_a_point_a_length_at_its_multiple(tmp_path):
    study = write(write(tmp_path / "study", scores=(0.6, 0.7, 0.8)), "lstm", scores=(0.3,) * 3)
    report(study)
    svg = (study / "report" / "digits-length.svg").read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert [text for text in texts if text in ("1", "2", "16")] == ["1", "2", "16"]
    assert {"gru", "lstm", "accuracy"} <= set(texts)
    assert (study / "report" / "digits-length.pdf").is_file()
