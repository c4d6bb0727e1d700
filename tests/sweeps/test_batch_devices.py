"""`trainer.batch_devices=auto`: a number before the identity, the same run as by that number."""

from __future__ import annotations

import json

import pytest

from seqexp.sweeps.groups import plan
from seqexp.sweeps.point import Point
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point

LARGE = ["task=digits", "model=lstm", "model.features=64", "trainer.batch_size=32"]
SMALL = ["task=digits", "model=lstm", "model.features=3", "trainer.batch_size=4"]
AUTO = "trainer.batch_devices=auto"


def planned(*points: Point) -> list[tuple[int, bool, int]]:
    """By group: its batch devices, whether they were left to us, and its members."""
    groups, _ = plan(points)
    for group in groups:
        for member in group.members:
            assert member.info.config["trainer"]["batch_devices"] == group.batch_devices
    return [(group.batch_devices, group.auto, len(group.members)) for group in groups]


def test_a_large_run_alone_is_split_over_the_two_devices():
    assert planned(point(*LARGE, AUTO)) == [(2, True, 1)]


def test_a_small_run_is_not():
    assert planned(point(*SMALL, AUTO)) == [(1, True, 1)]


def test_members_come_before_shares_of_a_batch():
    assert planned(*[point(*LARGE, AUTO, f"seed={seed}") for seed in (0, 1)]) == [(1, True, 2)]
    rates = [point(*LARGE, AUTO, f"optimizer.learning_rate={rate}") for rate in (1e-3, 1e-2)]
    assert planned(*rates) == [(1, True, 2)]


def test_a_point_that_is_there_twice_is_one_member():
    assert planned(point(*LARGE, AUTO), point(*LARGE, AUTO)) == [(2, True, 1)]


def test_by_auto_and_by_its_number_is_the_same_run():
    _, (by_auto, by_number, whole) = plan(
        [point(*LARGE, AUTO), point(*LARGE, "trainer.batch_devices=2"), point(*LARGE)]
    )
    assert by_auto == by_number != whole
    both = [point(*LARGE, AUTO), point(*LARGE, "trainer.batch_devices=2", "seed=1")]
    assert planned(*both) == [(2, True, 2)]


def test_a_number_is_left_as_it_is():
    assert planned(point(*SMALL, "trainer.batch_devices=2")) == [(2, False, 1)]


def test_a_misspelt_auto_is_refused():
    with pytest.raises(SeqexpError, match="batch_devices must be a whole number or auto"):
        plan([point(*SMALL, "trainer.batch_devices=automatic")])


@pytest.mark.full
def test_the_record_holds_the_number_and_the_message_says_it(tmp_path, capsys):
    arguments = ["run", *TINY, "model=gru", "trainer.steps=3", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*arguments, AUTO) == 0
    assert "batch_devices=auto is 1" in capsys.readouterr().err
    (run,) = runs(tmp_path / "a").values()
    assert run["config"]["trainer"]["batch_devices"] == 1
    assert "auto" not in json.dumps(run["config"]["trainer"])
    for again in (AUTO, "trainer.batch_devices=1"):
        assert seqexp(*arguments, again) == 0
        assert "1 skipped" in capsys.readouterr().err
