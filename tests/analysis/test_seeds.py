"""Every seed that was started counts, and why it has no score stands beside."""

from __future__ import annotations

import json

import pytest
from page_reader import Page
from synthetic_records import score, write_json, write_run

from seqexp.analysis import load, report
from seqexp.analysis.findings import findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.table import tabulate, to_text


@pytest.fixture
def study(tmp_path):
    """Seven seeds of a GRU, each with another end, and one folder that says nothing."""
    folder = tmp_path / "study"
    write_run(folder, "gru", "adding", 0, score=score("adding", 0.1, 0.1))
    write_run(folder, "gru", "adding", 1, score=score("adding", 0.1, 0.3))
    none = {"score": score("adding", None, None), "valid": {}, "test": {}}
    write_run(folder, "gru", "adding", 2, status="diverged", diverged_step=7, **none)
    write_run(folder, "gru", "adding", 3, status="failed", error="no memory", **none)
    write_run(folder, "gru", "adding", 4, status="running", **none)
    write_run(folder, "gru", "adding", 5, score=score("adding", 0.4, None), test={"mse": None})
    torn = write_run(folder, "gru", "adding", 6) / "run.json"
    torn.write_text(torn.read_text().partition('"model": {')[0])
    (write_run(folder, "gru", "adding", 7) / "run.json").write_text("garbage")
    return folder


SEEDS = "1 diverged, 1 failed, 1 running, 1 test score not finite and 1 unreadable record"


def test_the_denominator_is_all_seeds_and_the_reasons_stand_beside(study):
    table = tabulate(load(study))
    [row] = table.to_dict("records")
    assert (row["n"], row["test"]) == (2, 0.2)
    assert row["valid"] == pytest.approx(0.2)  # of the three that were trained to the end
    text = to_text(table)
    assert f"  not in the mean of gru: {SEEDS}" in text.splitlines()
    assert text.splitlines()[2].split()[:2] == ["gru", "2/7"]


def test_the_page_and_the_sentences_say_so(study):
    found = load(study)
    said = headlines(findings(found, tabulate(found)))
    assert said.whole == [
        f"7 runs of one model on one task: 2 finished, {SEEDS}. Beside these, one record could "
        'not be read at all. 2 problems with the records: see "Left out".'
    ]
    assert f"(n = 2) (not in the mean: {SEEDS})" in said.tasks["adding"][0]
    page = Page(report(study).read_text())
    [models] = [table for table in page.tables if table.section == "adding" and not table.title]
    assert models.rows[0][1].text == "2 of 7"
    assert f"Not in the mean of gru: {SEEDS}." in [text.text for text in page.texts]
    [lost] = [table for table in page.tables if table.section == "Not finished"]
    assert [[cell.text for cell in row[2:5]] for row in lost.rows] == [
        ["2", "diverged", "not finite at step 7"],
        ["3", "failed", "no memory"],
        ["4", "running", "last record at step 20"],
        ["5", "unscored", "test score not finite"],
        ["6", "unreadable", "unreadable record: malformed"],
    ]


def test_a_test_split_that_gives_no_finite_score_still_makes_a_report(tmp_path):
    for model in ("gru", "lstm"):
        write_run(tmp_path, model, "adding", 0, score=score("adding", 0.1, None))
    table = tabulate(load(tmp_path))
    assert table["chosen"].tolist() == [True, True] and table["n"].tolist() == [0, 0]
    assert "0/1" in to_text(table)
    report(tmp_path)


def test_the_test_split_does_not_choose(tmp_path):
    """The setting that is best on validation stays chosen where its test scores are not finite."""
    for rate, valid, test in ((0.1, 0.1, None), (0.2, 0.5, 0.5)):
        write_run(
            *(tmp_path, "gru", "adding", 0),
            id=f"gru-{rate}",
            group=f"gru-{rate}",
            config={"model": {"units": 8}, "optimizer": {"learning_rate": rate}},
            score=score("adding", valid, test),
        )
    table = tabulate(load(tmp_path)).set_index("label")
    assert table["chosen"].to_dict() == {"gru lr=0.1": True, "gru lr=0.2": False}


def test_a_group_of_which_no_record_is_whole_has_a_row(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    torn = write_run(tmp_path, "lstm", "adding", 0) / "run.json"
    torn.write_text(json.dumps(json.loads(torn.read_text()) | {"config": 3}))
    table = tabulate(load(tmp_path)).set_index("label")
    assert table["unreadable"].to_dict() == {"gru": 0, "lstm #lstm-a": 1}
    report(tmp_path)


def test_a_torn_record_counts_among_its_seeds_whatever_its_group_is_called_today(tmp_path):
    for seed in range(3):
        folder = write_run(tmp_path, "gru", "adding", seed)
        write_json(folder / "manifest.json", {"data_hashes": {}, "device_kind": "cpu"})
    torn = tmp_path / "gru-adding-2" / "run.json"
    torn.write_text(torn.read_text().partition('"model": {')[0])
    study = load(tmp_path)
    [row] = tabulate(study).to_dict("records")
    assert (row["finished"], row["unreadable"], row["name"]) == (2, 1, "gru")
    [group] = set(study.runs["group"].tolist())
    assert group != "gru-adding"
