"""What a group costs was measured on a machine, and counts there alone."""

from __future__ import annotations

import json

import pytest

from seqexp.runs.record import COST, MANIFEST, RUN
from seqexp.sweeps.groups import plan
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")

MARK = 123.0


@pytest.mark.parametrize("processor, credited", [(None, True), ("Another 9000", False)])
def test_costs_of_another_machine_are_not_credited_to_this_one(tmp_path, processor, credited):
    """A member that began elsewhere keeps what was measured there; one that begins here does not
    get it."""
    place = [f"runs_dir={tmp_path}", "study=a", "model=rnn"]
    assert seqexp("sweep", *TINY, *place, "seed=0") == 0
    _, (began,) = plan([point(*TINY, *place, "seed=0")])
    folder = tmp_path / "a" / began

    def change(name, **values):
        whole = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**whole, **values}))

    change(RUN, status="running")
    change(COST, compile_seconds=MARK)
    if processor is not None:
        cpu = json.loads((folder / MANIFEST).read_text())["cpu"]
        change(MANIFEST, cpu={**cpu, "model": processor})
    assert seqexp("sweep", *TINY, *place, "seed=0,1") == 0
    costs = {
        run: json.loads((tmp_path / "a" / run / COST).read_text()) for run in runs(tmp_path / "a")
    }
    assert costs.pop(began)["compile_seconds"] == MARK
    (other,) = costs.values()
    assert (other["compile_seconds"] == MARK) is credited
