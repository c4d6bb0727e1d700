"""What `seqexp cost` measured: read as it was written, and whatever is wrong is named."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_records import write_growth, write_json, write_run

from seqexp.analysis import load
from seqexp.analysis.measured import read_measured


def test_measurements_are_read_as_they_were_written(tmp_path):
    write_growth(tmp_path / "study", "one", {"gru": (1, 2)})
    measured, problems = read_measured([tmp_path / "study"])
    assert problems == []
    # The config's own size, with nothing varied, is no part of a growth.
    assert measured["varied"].value_counts().to_dict() == {"length": 4, "width": 4}
    assert set(measured["task"]) == {"adding"} and set(measured["device"]) == {"cpu"}
    length = measured.loc[measured["varied"] == "length"]
    np.testing.assert_allclose(length["step_seconds"], 1e-6 * length["length"])
    assert np.isnan(measured["decode_seconds_per_token"]).all()  # null


def test_a_study_without_measurements_has_none(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    study = load(tmp_path)
    assert study.growth.empty and study.problems == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.update(format=2),
        lambda record: record.pop("format"),
        lambda record: record.update(measured=None),
        lambda record: record["measured"].append("text"),
        lambda record: record["measured"].append({}),
        lambda record: record["measured"][-1].update(width="wide"),
        lambda record: record["measured"][-1].update(width=0),
        lambda record: record["measured"][-1].update(width=None),
        lambda record: record["measured"][-1].update(width=float("inf")),
        lambda record: record["measured"][-1]["cost"].update(step_seconds="fast"),
        lambda record: record.update(manifest=[]),
    ],
)
def test_what_can_not_be_read_is_named_and_left_out(tmp_path, spoil):
    record = write_growth(tmp_path / "study", "bad", {"gru": (1, 2)})
    spoil(record)
    write_json(tmp_path / "study" / "cost" / "bad" / "cost.json", record)
    write_growth(tmp_path / "study", "good", {"lstm": (1, 2)})
    measured, [problem] = read_measured([tmp_path / "study"])
    assert set(measured["label"]) == {"lstm"}
    assert problem.where == "study/cost/bad/cost.json" and "left out" in problem.what


def test_half_a_file_is_named_and_left_out(tmp_path):
    write_growth(tmp_path / "study", "half", {"gru": (1, 2)})
    path = tmp_path / "study" / "cost" / "half" / "cost.json"
    path.write_text(path.read_text()[:100])
    measured, [problem] = read_measured([tmp_path / "study"])
    assert measured.empty and problem.where.endswith("half/cost.json")


def test_what_was_measured_twice_is_never_merged(tmp_path):
    """The times of two calls, or of two machines, do not go together; the first by name counts."""
    write_growth(tmp_path / "a", "one", {"gru": (1, 2)})
    write_growth(tmp_path / "a", "two", {"gru": (3, 3), "lstm": (1, 2)})
    write_growth(tmp_path / "b", "one", {"lstm": (3, 3)})
    measured, problems = read_measured([tmp_path / "a", tmp_path / "b"])
    assert measured["label"].value_counts().to_dict() == {"gru": 8, "lstm": 8}
    gru = measured.loc[(measured["label"] == "gru") & (measured["varied"] == "length")]
    np.testing.assert_allclose(gru["step_seconds"], 1e-6 * gru["length"])
    assert [problem.where for problem in problems] == [
        "a/cost/two/cost.json",
        "b/cost/one/cost.json",
    ]
    assert "8 measurements are of what a/cost/one/cost.json tells" in problems[0].what
