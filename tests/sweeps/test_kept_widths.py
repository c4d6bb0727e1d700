"""A width that was kept is found again, under the names of earlier versions too."""

from __future__ import annotations

from seqexp.matching.budgets import Budget
from seqexp.matching.search import Match
from seqexp.runs.store import read_json, write_json_atomic
from seqexp.sweeps.kept_widths import WIDTHS, KeptWidths
from seqexp.sweeps.widths import question
from tests.sweeps.tiny import TINY
from tests.test_configs import point

MATCH = ["match=step_time", "match.budget=200e-6"]


def test_a_null_option_measures_nothing_anew(tmp_path):
    one = point(*TINY, *MATCH, "model=rnn")
    asked, budget = question(one), Budget.of(one.config["match"])
    KeptWidths(tmp_path, asked, one).keep(budget, Match(10, 200e-6), [])
    newer = {**asked, "model": {**asked["model"], "new": None}}
    found = KeptWidths(tmp_path, newer, one).find(budget)
    assert found is not None and found.match.width == 10
    other = {**asked, "model": {**asked["model"], "new": 1}}
    assert KeptWidths(tmp_path, other, one).find(budget) is None


def test_entries_of_earlier_versions_are_found(tmp_path):
    """Their names were made with the nulls."""
    one = point(*TINY, *MATCH, "model=rnn")
    asked, budget = {**question(one), "null": None}, Budget.of(one.config["match"])
    widths = KeptWidths(tmp_path, asked, one)
    widths.keep(budget, Match(10, 200e-6), [])
    (entry,) = (read_json(tmp_path / WIDTHS) or {}).values()
    write_json_atomic(tmp_path / WIDTHS, {widths._earlier: entry})
    assert KeptWidths(tmp_path, asked, one).find(budget) is not None
