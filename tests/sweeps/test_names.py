"""What people are shown of a sweep: names by what varies, ids, folders, whole lines."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from seqexp.sweeps.groups import plan
from seqexp.sweeps.names import group_names, run_names
from seqexp.sweeps.outcome import Outcome
from seqexp.sweeps.progress import print_outcomes
from seqexp.sweeps.widths import question
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point

SIZES = ("task=digits", "model.features=3")


def test_runs_and_groups_are_named_by_what_varies():
    points = [
        point(*SIZES, "model=gru", f"optimizer={optimizer}", f"seed={seed}", *rate)
        for optimizer in ("adam", "rmsprop")
        for rate in ([], ["optimizer.learning_rate=0.03"])
        for seed in (0, 1)
    ]
    assert run_names(points)[::2] == [
        "gru digits lr=0.002 optimizer=adam seed 0",
        "gru digits lr=0.03 optimizer=adam seed 0",
        "gru digits lr=0.001 optimizer=rmsprop seed 0",
        "gru digits lr=0.03 optimizer=rmsprop seed 0",
    ]
    assert run_names(points)[1] == "gru digits lr=0.002 optimizer=adam seed 1"
    assert sorted(set(group_names(points))) == [
        "gru optimizer=adam on digits",
        "gru optimizer=rmsprop on digits",
    ]
    assert run_names(points[:1]) == ["gru digits seed 0"]


def decaying(*decayed: str):
    """Points without and with weight decay."""
    return [
        point(*SIZES, "model=gru", f"optimizer.weight_decay={much}", *of)
        for of in ([f"optimizer.decayed={what}"] for what in decayed)
        for much in (0, 0.1)
    ]


def test_what_decays_is_told_where_something_does_and_more_than_one_thing():
    assert run_names(decaying("matrices")) == [
        "gru digits weight_decay=0 seed 0",
        "gru digits weight_decay=0.1 seed 0",
    ]
    assert run_names(decaying("matrices", "all"))[1::2] == [
        "gru digits weight_decay=0.1 decayed=matrices seed 0",
        "gru digits weight_decay=0.1 decayed=all seed 0",
    ]


def test_what_would_decay_makes_no_second_run_and_no_second_width():
    points = decaying("matrices", "all")
    groups, ids = plan(points)
    assert ids[0] == ids[2] and len(set(ids)) == 3
    assert [len(group.members) for group in groups] == [2, 1]
    matched = (replace(each, config={**each.config, "match": None}) for each in points)
    assert len({str(question(each)) for each in matched}) == 1


def test_mistaken_points_are_named_by_what_varies():
    with pytest.raises(SeqexpError, match=r"^gru digits lr=-1 seed 0: optimizer.learning_rate"):
        plan([point(*SIZES, "model=gru", f"optimizer.learning_rate={r}") for r in (-1, 0.1)])


@pytest.mark.full
@pytest.mark.usefixtures("free")
def test_the_names_of_a_sweep_are_in_its_table_and_records(tmp_path, capsys):
    rates = "optimizer.learning_rate=1e-3,2e-3"
    where = [f"runs_dir={tmp_path}", "study=a"]
    assert seqexp("sweep", *TINY, "model=gru", rates, *where) == 0
    said = capsys.readouterr()
    for run_id, run in runs(tmp_path / "a").items():
        rate = run["config"]["optimizer"]["learning_rate"]
        assert run["name"] == f"gru digits lr={rate} seed 0"
        assert re.search(rf"^{run['name']} +{run_id} +finished", said.err, re.MULTILINE)
        assert run["choices"]["optimizer"] == "adam" and run["choices"]["cell_dropout"] is None
        assert "hydra/launcher" not in run["choices"]
    assert seqexp("run", *TINY, "model=gru", "optimizer.learning_rate=1e-3", *where) == 0
    said = capsys.readouterr()
    folder = next(
        tmp_path / "a" / run_id
        for run_id, run in runs(tmp_path / "a").items()
        if run["config"]["optimizer"]["learning_rate"] == 1e-3
    )
    assert re.fullmatch(rf"{re.escape(str(folder))}: accuracy test \S+, valid \S+\n", said.out)


@pytest.mark.parametrize("width", [60, 200])
def test_the_closing_table_shows_names_whole_and_as_they_are(width):
    name = f"gru digits tags=[a] {'setting=1 ' * 5}seed 0"
    outcome = Outcome(name, Path("runs/a/0123456789abcdef"), "failed", "[/] is wrong", None)
    written = io.StringIO()
    print_outcomes([outcome], Console(file=written, width=width))
    shown = written.getvalue()
    assert "0123456789abcdef" in shown and "[/] is wrong" in shown and "tags=[a]" in shown
    assert (name in shown) == (width == 200) and "…" not in shown
