"""What the report says of inspections: the last of each finished run, over seeds, or nothing."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from page_reader import Page
from synthetic_records import known_scores, write_lines, write_study

from seqexp.analysis import canvas, load, report
from seqexp.analysis.evidence import inside_table
from seqexp.analysis.findings import findings
from seqexp.analysis.inside import inside_figures
from seqexp.analysis.table import tabulate


def inspect(run: Path, half_lives: list[float | None], memory: float = 0.5) -> None:
    """An inspection a half-life, at the steps 10, 20 ..; curves that halve every step."""
    (run / "inspection").mkdir()
    lines = []
    for i, half_life in enumerate(half_lives):
        line = {"step": 10 * (i + 1), "half_life/layer_1": half_life}
        lines.append(line | {"memory_capacity/layer_1": 4 * memory, "saturated/layer_1": 0.25})
        norms = np.outer([1, 2, 4], 0.5 ** np.arange(1, 6))
        curves: dict[str, np.ndarray] = {"gradient_by_lag/layer_1": norms}
        curves["memory/layer_1"] = np.full(4, memory)
        np.savez(run / "inspection" / f"{10 * (i + 1)}.npz", allow_pickle=False, **curves)
    write_lines(run / "inspection.jsonl", lines)


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "one", known_scores())


def found(study):
    records = load(study)
    return findings(records, tabulate(records))


def test_a_study_without_inspections_says_nothing_of_them(study):
    assert found(study).inside.empty


def test_the_last_inspections_count_and_what_is_not_finite_is_left_out(study):
    inspect(study / "lstm-adding-0", [1.0, 9.0])
    inspect(study / "lstm-adding-1", [1.0, 5.0])
    inspect(study / "lstm-adding-2", [1.0, None])
    inspect(study / "rnn-adding-0", [None])
    rows = found(study).inside.set_index("label")
    assert list(rows.index) == ["lstm", "rnn"] and set(rows["task"]) == {"adding"}
    lstm = rows.loc["lstm"]
    assert (lstm["n"], lstm["half_life"]) == (3, 7.0)
    assert (lstm["half_life_low"], lstm["half_life_high"]) == (5.0, 9.0)
    assert (lstm["memory_capacity"], lstm["saturated_high"]) == (2.0, 0.25)
    assert math.isnan(rows.loc["rnn", "half_life"]) and math.isnan(lstm["effective_rank"])


def test_a_gradient_that_does_not_decay_is_told_from_an_unknown_one(study):
    """A null half-life is infinite where `no_decay` names the layer, and unknown elsewhere."""
    for run, endless in (("lstm-adding-0", True), ("lstm-adding-1", True), ("gru-adding-0", False)):
        inspect(study / run, [None])
        path = study / run / "inspection.jsonl"
        line = json.loads(path.read_text())
        write_lines(path, [line | {"no_decay": ["layer_1"] if endless else []}])
    inspect(study / "lstm-adding-2", [5.0])
    inspect(study / "rnn-adding-0", [6.0])
    inside = found(study).inside
    rows = inside.set_index("label")
    assert list(rows.loc["lstm", ["half_life_low", "half_life"]]) == [5.0, math.inf]
    assert math.isnan(rows.loc["gru", "half_life"])
    table = tabulate(load(study))
    [markup] = inside_table(inside, table.loc[table["task"] == "adding"])
    cells = re.findall(r">([^<>]*(?:to no decay|\(6.00 to 6.00)[^<>]*)<", markup)
    assert cells == ["no decay (5.00 to no decay)", "6.00 (6.00 to 6.00)"]


def test_clipped_is_the_share_of_intervals_over_the_seeds(study):
    for seed, norms in enumerate(([3.0, 1.0], [3.0, 3.0], [0.5, 0.5])):
        run = study / f"lstm-adding-{seed}"
        inspect(run, [6.0])
        record = json.loads((run / "run.json").read_text())
        record["config"]["optimizer"] = {"clip_norm": 2.0}
        (run / "run.json").write_text(json.dumps(record))
        steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        with_norms = zip(steps, norms, strict=True)
        write_lines(run / "metrics.jsonl", [s | {"train/grad_norm": n} for s, n in with_norms])
    [row] = found(study).inside.to_dict("records")
    assert (row["clipped_low"], row["clipped"], row["clipped_high"]) == (0.0, 0.5, 1.0)


def test_the_section_stands_where_runs_were_inspected(study, monkeypatch):
    monkeypatch.setattr(canvas, "pdf", lambda _: b"")  # takes most of the time
    for seed in (0, 1):
        inspect(study / f"lstm-adding-{seed}", [6.0 + seed])
    page = report(study)
    markup = page.read_text(encoding="utf-8")
    assert markup.count("<h3>Inside</h3>") == 1
    [table] = [one for one in Page(markup).tables if one.title == "Inside the models"]
    assert table.section == "adding" and len(table.rows) == 1
    said = [cell.text for cell in table.rows[0]]
    assert said[:3] == ["lstm", "layer_1", "2"] and "6.50 (6.00 to 7.00)" in said
    assert {path.name for path in page.parent.glob("*inside*.svg")} == {
        "adding-inside-gradient.svg",
        "adding-inside-memory.svg",
    }


def test_figures_have_a_line_a_model_and_its_band(study):
    inspect(study / "lstm-adding-0", [6.0], memory=0.2)
    inspect(study / "lstm-adding-1", [6.0], memory=0.6)
    inspect(study / "rnn-adding-0", [6.0])
    analysis = found(study)
    of = analysis.of("adding")
    gradient, memory = inside_figures(of.study, of.table, of.looks)
    for figure in (gradient, memory):
        words = re.findall(r">([^<>]+)</text>", figure.svg)
        assert {"lstm", "rnn", "lag k, steps"} <= set(words) and "gru" not in words
    assert "norm of dL(t) / dh(t − k)" in gradient.svg
    assert "decoded of the input at t − k" in memory.svg
    other = analysis.of("digits")
    assert inside_figures(other.study, other.table, other.looks) == []


def test_damaged_inspections_are_named_and_nothing_else_is_lost(study):
    inspect(study / "lstm-adding-0", [6.0])
    inspect(study / "rnn-adding-0", [6.0])
    (study / "lstm-adding-0" / "inspection.jsonl").write_text("no line\n{}\n")
    (study / "rnn-adding-0" / "inspection" / "10.npz").write_bytes(b"no archive")
    records = load(study)
    named = {problem.where.split("/")[1]: problem.what for problem in records.problems}
    assert set(named) == {"lstm-adding-0", "rnn-adding-0"}
    assert "the file is left out" in named["lstm-adding-0"]
    assert "its curves are left out" in named["rnn-adding-0"]
    assert list(found(study).inside["label"]) == ["rnn"]
    assert len(records.runs) == 18
