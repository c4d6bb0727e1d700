"""What SLURM's answers mean, told by answers as it gives them."""

from __future__ import annotations

import pytest

from seqexp.sweeps.executors import slurm
from seqexp.sweeps.executors.settings import Submitit

QUEUE = """\
7_0 RUNNING None
7_1 PENDING JobArrayTaskLimit
7_2 PENDING Priority
8 PENDING JobHeldUser
9_0 PENDING ReqNodeNotAvail, UnavailableNodes:gpu[1-4]
10 REQUEUE_HOLD launch failed requeued held
11 PENDING AssocGrpCpuLimit
"""


@pytest.fixture
def jobs(monkeypatch):
    """Jobs of SLURM whose `squeue` prints QUEUE, in the form that it is asked for."""

    def asked(command, *options):
        if command == "scontrol":
            return "JobId=12 JobState=CANCELLED NodeList=(null)"
        if options[-1] == "%i":
            return "".join(f"{line.split()[0]}\n" for line in QUEUE.splitlines())
        return QUEUE

    monkeypatch.setattr(slurm, "_asked", asked)
    return slurm.Slurm(Submitit())


def test_jobs_are_gone_that_the_queue_no_longer_lists(jobs):
    assert jobs.gone(["7_0", "7_2", "8_0", "10", "12"]) == {"12": "SLURM job 12: CANCELLED"}


def test_what_a_job_waits_for_is_told_unless_it_is_its_turn(jobs):
    asked = ["7_0", "7_1", "7_2", "8_0", "9_0", "10", "11", "12"]
    assert jobs.waiting_for(asked) == {
        "8_0": "JobHeldUser",
        "9_0": "ReqNodeNotAvail",
        "10": "launch failed requeued held",
        "11": "AssocGrpCpuLimit",
    }


def test_where_slurm_does_not_answer_nothing_is_known(jobs, monkeypatch):
    monkeypatch.setattr(slurm, "_asked", lambda *command: None)
    assert jobs.gone(["12"]) == {} and jobs.waiting_for(["8"]) is None
