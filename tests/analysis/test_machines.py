"""Times that were measured on machines that differ are told so, and compared nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_records import SEEDS, known_scores, write_json, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import Findings, findings
from seqexp.analysis.fronts import ALL
from seqexp.analysis.headlines import headlines
from seqexp.analysis.machines import apart, machine, not_compared
from seqexp.analysis.reproducibility import Spread, spreads
from seqexp.analysis.table import tabulate, to_text
from seqexp.commands.report import report_on

QUICK, SLOW = ({"model": name, "cores": 8, "usable": n} for name, n in (("Q 9", 4), ("S 1", 2)))
ON_TWO = {"Q 9, 4 usable cores": 6, "S 1, 2 usable cores": 3}
SAID = (
    "Times are not compared, for they were measured on different machines: "
    "6 runs on Q 9, 4 usable cores; 3 runs on S 1, 2 usable cores."
)


def on(folder: Path, cpu: dict[str, Any], device: str = "cpu") -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    write_json(folder / "manifest.json", manifest | {"cpu": cpu, "device_kind": device})


@pytest.fixture
def study(tmp_path) -> Path:
    """Three models on two tasks; on adding one of them was trained on another machine."""
    study = write_study(tmp_path / "study", known_scores())
    for path in study.iterdir():
        cost = json.loads((path / "cost.json").read_text())
        write_json(path / "cost.json", cost | {"decode_seconds_per_token": 1e-6})
        on(path, SLOW if path.name.startswith("gru-adding") else QUICK)
    return study


def found_in(*studies: Path) -> Findings:
    study = load(*studies)
    return findings(study, tabulate(study))


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ({}, None),
        ({"cpu": "damaged"}, None),
        ({"device_kind": "cpu"}, "a processor without a name"),
        ({"device_kind": "cpu", "cpu": QUICK}, "Q 9, 4 usable cores"),
        ({"cpu": QUICK | {"usable": 1}}, "Q 9, one usable core"),
        ({"cpu": QUICK | {"usable": None}}, "Q 9"),
        ({"device_kind": "NVIDIA H100", "cpu": SLOW}, "NVIDIA H100 on S 1, 2 usable cores"),
    ],
)
def test_what_a_machine_is_called(manifest, name):
    assert machine(manifest) == name


def test_which_tasks_were_measured_on_several_machines(study):
    assert apart(load(study)) == {"adding": ON_TWO}
    assert not_compared(ON_TWO) == SAID


@pytest.mark.parametrize(
    ("cpu", "device"),
    [(SLOW | {"usable": 4}, "cpu"), (QUICK | {"usable": 2}, "cpu"), (QUICK, "NVIDIA H100")],
    ids=["processor", "usable cores", "device"],
)
def test_machines_differ_in_any_of_three(tmp_path, cpu, device):
    for seed in SEEDS:
        on(write_run(tmp_path, "rnn", "adding", seed), QUICK)
    assert apart(load(tmp_path)) == {}
    on(tmp_path / "rnn-adding-0", QUICK | {"cores": 99})
    assert apart(load(tmp_path)) == {}, "cores that may not be used change nothing"
    other = write_run(tmp_path, "gru", "adding", 0)
    on(other, cpu, device)
    [counts] = apart(load(tmp_path)).values()
    assert sorted(counts.values()) == [1, 3]


def test_what_has_no_time_or_no_result_is_on_no_machine(tmp_path):
    for seed in SEEDS:
        on(write_run(tmp_path, "rnn", "adding", seed), QUICK)
    on(write_run(tmp_path, "gru", "adding", 0, status="diverged", diverged_step=3), SLOW)
    counted = write_run(tmp_path, "gru", "adding", 1)
    on(counted, SLOW)
    write_json(counted / "cost.json", {"parameters": 10})
    (write_run(tmp_path, "gru", "adding", 2) / "manifest.json").unlink()
    assert apart(load(tmp_path)) == {}


def test_studies_of_two_machines_are_compared_but_for_times(tmp_path):
    for name, model, cpu in (("a", "rnn", QUICK), ("b", "gru", SLOW)):
        for seed in SEEDS:
            on(write_run(tmp_path / name, model, "adding", seed), cpu)
    assert apart(load(tmp_path / "a")) == {}
    [counts] = apart(load(tmp_path / "a", tmp_path / "b")).values()
    assert set(counts.values()) == {3}


def test_no_finding_compares_them(study):
    found = found_in(study)
    timed = {"step_seconds", "decode_seconds_per_token"}
    for task, expected in (("adding", set()), ("digits", timed)):
        mine = found.of(task)
        assert set(mine.fronts[task].points["axis"]) & timed == expected
        assert set(mine.fronts[task].points["axis"]) > {"parameters", ALL}
        assert set(mine.volumes["axis"]) & timed == expected
        marked = {axis for axis in timed if True in set(mine.table[f"front/{axis}"])}
        assert marked == expected
        drawn = payload(found)["tasks"][task]
        assert {axis for model in drawn["models"] for axis in model["cost"]} & timed == expected
        assert any(mine.curves["seconds"].notna()) == bool(expected)
        assert np.isfinite(mine.reached["seconds"]).any() == bool(expected)
        said = " ".join(headlines(found).tasks[task])
        assert ("Times are not compared: they were measured on different" in said) != bool(expected)
        assert "step time" not in said or expected
    # What was measured stays in the table.
    assert all(found.table["step_seconds"].notna())


def test_times_of_tuning_are_not_compared_either(tmp_path):
    for model, cpu in (("rnn", QUICK), ("gru", SLOW)):
        for rate in (0.1, 0.2):
            for seed in SEEDS:
                config = {"seed": seed, "optimizer": {"learning_rate": rate}}
                name = {"id": f"{model}-{rate}-{seed}", "group": f"{model}-{rate}"}
                on(write_run(tmp_path, model, "adding", seed, config=config, **name), cpu)
    trials = found_in(tmp_path).trials
    assert len(trials) and all(trials["seconds"].isna()) and all(trials["flops"].notna())


def test_page_and_printed_table_say_so_beside_the_times(study, capsys):
    assert report_on([study])
    printed = capsys.readouterr().out
    adding, digits = printed.split("digits (", 1)
    assert f"  {SAID}" in adding.splitlines() and "not compared" not in digits
    page = (study / "report" / "index.html").read_text()
    body = page.partition("<body")[2]
    note = body.index(SAID)
    assert body.count(SAID) == 1
    # Right behind the table of models.
    assert body[:note].rpartition("</table>")[2].count("<p") == 1
    figures = {path.stem for path in (study / "report").glob("*.svg")}
    assert any("digits" in name and "step" in name for name in figures)
    assert not any("adding" in name and "step" in name for name in figures)


def test_one_machine_changes_nothing(study):
    for path in study.iterdir():
        on(path, QUICK)
    found = found_in(study)
    assert set(found.table["timed"]) == {True} and apart(found.study) == {}
    said = headlines(found).tasks["adding"]
    assert not any("not compared" in text for text in said)
    assert "not compared" not in to_text(found.table, machines=apart(found.study))


def test_the_spread_of_a_time_is_not_that_between_machines(tmp_path):
    """Ten measurements on each machine, which agree, and a machine ten times as slow."""
    for seed in range(20):
        folder = write_run(tmp_path, "rnn", "adding", seed)
        cost = json.loads((folder / "cost.json").read_text())
        slow = seed >= 10
        seconds = 1e-3 * (10 if slow else 1) * (1 + 1e-6 * seed)
        write_json(folder / "cost.json", cost | {"step_seconds": seconds})
        on(folder, SLOW if slow else QUICK)
    spread = spreads(load(tmp_path))["step_seconds"]
    assert isinstance(spread, Spread) and spread.freedom == 18 and spread.relative < 1e-5
