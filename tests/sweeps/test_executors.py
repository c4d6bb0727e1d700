"""Jobs elsewhere, by an executor that runs them in this process: what a sweep makes of them."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from seqexp.runs import attempts, jobs
from seqexp.runs.locks import Locks
from seqexp.runs.status import look
from seqexp.sweeps import execute
from seqexp.sweeps.executors import cores, follow, work
from seqexp.sweeps.executors.settings import SETTINGS as EXECUTORS
from seqexp.sweeps.executors.worker import work as do
from seqexp.sweeps.groups import plan
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")

EXECUTE = sys.modules[execute.__module__]


class Beside:
    """Does the jobs in this process when it is asked which are gone.

    Attributes:
        asked: the folders of the jobs that were submitted.
        deaths: how often each job dies, by its group's name.
        holds: how often it is asked before jobs begin, which wait so long for a licence.
    """

    name = "ray"
    cpus = devices = 1
    poll_seconds = 0.0
    outlives = True
    farewell = "the jobs go on"

    def __init__(self, members_per_job=None, tries=3, deaths=None, interrupted=False, holds=0):
        self.members_per_job, self.tries = members_per_job, tries
        self.deaths, self.interrupted = dict(deaths or {}), interrupted
        self.holds = holds
        self.asked: list[str] = []
        self.waiting: dict[str, Path] = {}

    @contextmanager
    def opened(self, study):
        yield

    def submit(self, folders):
        handles = [str(folder) for folder in folders]
        self.asked += handles
        self.waiting |= dict(zip(handles, folders, strict=True))
        return handles

    def gone(self, handles):
        if self.interrupted and handles:
            raise KeyboardInterrupt
        gone = {}
        if self.holds:
            self.holds -= 1
            return gone
        for handle in handles:
            folder = Path(handle)
            self.waiting.pop(handle, None)
            if (folder / work.RESULT).exists():
                continue
            model = work.Work.read(folder).points[0].model
            if self.deaths.get(model, 0):
                self.deaths[model] -= 1
                gone[handle] = "the node lost its power"
            else:
                do(str(folder))
        return gone

    def waiting_for(self, handles):
        return dict.fromkeys(handles, "Licenses") if self.holds else {}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(follow, "GRACE", -1.0)


@pytest.fixture
def use(monkeypatch):
    def use(executor: Beside) -> Beside:
        found = EXECUTE.executor_of
        monkeypatch.setattr(
            EXECUTE, "executor_of", lambda s: executor if s.name == "ray" else found(s)
        )
        return executor

    return use


def sweep(place: Path, *more: str) -> int:
    return seqexp("sweep", *TINY, "model=rnn,gru", f"runs_dir={place}", "study=a", *more)


def test_records_are_those_of_the_local_executor(tmp_path, use, capsys):
    assert sweep(tmp_path / "here", "seed=0,1") == 0
    here = capsys.readouterr().err
    beside = use(Beside())
    assert sweep(tmp_path / "there", "seed=0,1", "executor=ray") == 0
    there = capsys.readouterr().err
    one, other = tmp_path / "here" / "a", tmp_path / "there" / "a"
    assert len(beside.asked) == 2 and deterministic(one) == deterministic(other)
    assert {i: r["name"] for i, r in runs(one).items()} == {
        i: r["name"] for i, r in runs(other).items()
    }
    # The same closing table, too.
    assert here.splitlines()[-5:] == there.splitlines()[-5:]
    assert {job.state for job in jobs.read(other)} == {"ended"}
    assert sweep(tmp_path / "there", "seed=0,1", "executor=ray") == 0
    assert len(beside.asked) == 2 and "4 skipped" in capsys.readouterr().err


def test_an_executor_is_no_part_of_a_run():
    ids = [plan([point(*TINY, f"executor={e}")])[1] for e in EXECUTORS]
    assert all(each == ids[0] for each in ids)
    (one,) = plan([point(*TINY, "executor=ray")])[0][0].members
    assert "executor" not in one.info.config and "executor" not in one.info.choices


LARGE = ["model=lstm", "model.features=64", "trainer.batch_size=32"]
"""Of a size whose batch two devices would share."""


def test_devices_are_those_of_a_job_and_not_of_who_plans(tmp_path, use, capsys):
    beside = use(Beside())
    place = [*LARGE, f"runs_dir={tmp_path}", "study=a"]
    wanted = point(*TINY, *place, "trainer.batch_devices=auto", "executor=ray")
    assert plan([wanted])[0][0].batch_devices == 2  # Of this process.
    (outcome,) = execute([wanted])
    assert outcome.status == "finished"
    ((id, run),) = runs(tmp_path / "a").items()
    assert run["config"]["trainer"]["batch_devices"] == 1
    # What the sweep planned is what its job trained.
    assert [job.runs for job in jobs.read(tmp_path / "a")] == [(id,)]
    assert execute([wanted])[0].status == "skipped" and len(beside.asked) == 1
    two = point(*TINY, *place, "trainer.batch_devices=2", "executor=ray")
    with pytest.raises(SeqexpError, match=r"a job has 1 device\(s\) \(executor\.cpus"):
        execute([two])


def test_large_groups_are_split_into_equal_jobs(tmp_path, use):
    beside = use(Beside(members_per_job=3))
    assert (
        seqexp(
            "sweep", *TINY, "model=rnn", "seed=0,1,2,3", f"runs_dir={tmp_path}", "study=a",
            "executor=ray",
        )
        == 0
    )  # fmt: skip
    assert sorted(len(job.runs) for job in jobs.read(tmp_path / "a")) == [2, 2]
    assert len(beside.asked) == 2 and len(runs(tmp_path / "a")) == 4


def test_a_job_that_dies_is_started_again_and_fails_after_so_many_tries(tmp_path, use, capsys):
    beside = use(Beside(tries=2, deaths={"rnn": 1, "gru": 5}))
    assert sweep(tmp_path, "executor=ray") == 1
    said = capsys.readouterr().err
    assert "rnn on digits is started again (2 of 2): the node lost its power" in said
    assert "its job was started 2 times, the last time: the node lost its power" in said
    assert "1 finished, 1 failed" in said and len(beside.asked) == 4
    (failed,) = [job for job in jobs.read(tmp_path / "a") if job.state == "failed"]
    assert (
        failed.group == "gru on digits"
        and failed.tries == 2
        and failed.why
        and "lost its power" in failed.why
    )
    beside.deaths.clear()
    assert sweep(tmp_path, "executor=ray") == 0  # Started anew by the user: from the first try.
    assert {job.state for job in jobs.read(tmp_path / "a")} == {"ended"}


def test_what_a_job_waits_for_is_said_once_and_written_down_while_it_waits(
    tmp_path, use, capsys, monkeypatch
):
    use(Beside(holds=4))
    told = []

    def noted(study, job):
        write(study, job)
        told.append((job.why, look(study).runs[0].why))

    write = jobs.write
    monkeypatch.setattr(jobs, "write", noted)
    assert sweep(tmp_path, "model=rnn", "executor=ray") == 0
    said = capsys.readouterr().err
    assert said.count("1 job(s) of ray wait for: Licenses") == 1
    # Submitted, held, held no longer, ended.
    assert [why for why, _ in told] == [None, "Licenses", None, None]
    assert [
        (why or "").endswith("; when last asked, it waited for: Licenses") for _, why in told
    ] == [
        False,
        True,
        False,
        False,
    ]


def test_jobs_of_a_sweep_that_was_interrupted_are_followed(tmp_path, use, capsys):
    first = use(Beside(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        execute([point(*TINY, f"runs_dir={tmp_path}", "study=a", "executor=ray")])
    assert len(first.asked) == 1 and not runs(tmp_path / "a")
    assert "the jobs go on" in capsys.readouterr().err
    second = use(Beside())
    (outcome,) = execute([point(*TINY, f"runs_dir={tmp_path}", "study=a", "executor=ray")])
    assert outcome.status == "finished" and second.asked == []
    assert "jobs of an earlier sweep that are followed: 1" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "state"), [(None, "ended"), ("no disk", "failed")])
def test_how_a_job_ended_is_noted_where_its_sweep_died_before_it_could(tmp_path, use, error, state):
    use(Beside())
    assert sweep(tmp_path, "executor=ray") == 0
    job, *_ = noted = jobs.read(tmp_path / "a")
    for each in noted:
        jobs.write(tmp_path / "a", replace(each, state="submitted"))
    if error:
        work.write_result(follow.folder_of(tmp_path / "a", job), error=error)
    # There is nothing left to train, by this executor or another.
    assert sweep(tmp_path) == 0
    now = jobs.read_one(tmp_path / "a", job.key)
    assert now is not None and (now.state, now.why) == (state, error)
    assert {each.state for each in jobs.read(tmp_path / "a")} == {"ended", state}


def test_a_job_that_other_code_would_do_is_refused_and_not_tried_again(
    tmp_path, use, capsys, monkeypatch
):
    beside = use(Beside())
    monkeypatch.setattr(work, "source_hash", iter(["one", "one", "another"] * 9).__next__)
    assert sweep(tmp_path, "model=rnn", "executor=ray") == 1
    assert "planned by other code" in capsys.readouterr().err and len(beside.asked) == 1


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["executor=ray", "executor.cpus=0"], "executor.cpus must be a whole number of at least 1"),
        (["executor=processes", "executor.processes=0"], "processes must be a whole number"),
        (["executor=ray", "executor.groups_per_device=2"], "needs gpus=1, not gpus=0"),
        (["executor=submitit", "executor.minutes=1"], "must be less than the time limit"),
        (["executor=submitit", "executor.memory_gb=-1"], "memory_gb must be a number above 0"),
        (["executor=submitit", "+executor.partitions=a"], "did you mean executor.partition?"),
        (["executor.name=slurm"], "no executor 'slurm'"),
        (["executor=submitit", "executor.parameters=[a]"], "executor.parameters"),
    ],
)
def test_what_an_executor_cannot_be_is_refused(overrides, message):
    with pytest.raises(SeqexpError) as refused:
        point(*TINY, *overrides)
    assert message in str(refused.value)


def test_jobs_of_one_machine_have_cores_of_their_own(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cores, "POLL", 0.01)
    there = os.sched_getaffinity(0)
    if len(there) < 2:
        pytest.skip("one core")
    first = cores._locked(min(there))
    assert first is not None
    with cores.own_cores(1):
        assert os.sched_getaffinity(0) == {sorted(there)[1]}
    assert os.sched_getaffinity(0) == there
    # A job that asks for more waits until there are so many, and locks none meanwhile.
    waiter = threading.Thread(target=_run_on, args=(len(there),))
    waiter.start()
    while "waiting for" not in capfd.readouterr().err:
        time.sleep(0.01)
    first.close()
    waiter.join()
    with cores.own_cores(None):
        assert os.sched_getaffinity(0) == there


def _run_on(count: int) -> None:
    with cores.own_cores(count):
        pass


def test_work_comes_back_as_it_was_and_is_its_owners_alone(tmp_path):
    one = replace(point(*TINY), name="a name")
    odd = replace(one, config={**one.config, "model": {"_target_": "a.B", "cap": math.inf}})
    given = work.Work.of([one, odd], 2)
    given.write(tmp_path / "jobs" / "one")
    assert work.Work.read(tmp_path / "jobs" / "one") == given
    assert (tmp_path / "jobs" / "one").stat().st_mode & 0o077 == 0


def test_a_mistake_in_a_users_own_code_leaves_its_traceback(tmp_path, use, capsys, monkeypatch):
    use(Beside())
    place = [f"runs_dir={tmp_path}", "study=a", "executor=ray"]
    healthy, inside = EXECUTE.plan, []

    def plan(*arguments):
        inside.append(1)
        if len(inside) > 1:
            raise KeyError("no such thing")
        return healthy(*arguments)

    monkeypatch.setattr(EXECUTE, "plan", plan)
    (outcome,) = execute([point(*TINY, *place)])
    assert outcome.status == "failed" and "KeyError: 'no such thing'" in outcome.detail
    (written,) = (tmp_path / "a" / jobs.JOBS).glob("*/error.txt")
    assert str(written) in outcome.detail and "Traceback" in written.read_text()


def test_what_another_sweep_trains_is_left_to_it(tmp_path, use, capsys):
    """Its jobs are of a Ray of its own, of which this sweep can know nothing."""

    class Alone(Beside):
        looks = 0

        def gone(self, handles):
            # Nobody here knows them; the other sweep ends while this one looks a third time.
            self.looks += 1
            if self.looks == 3:
                locks.release(ids[0])
                do(*handles)
            return {handle: "not known" for handle in handles}

    place = [f"runs_dir={tmp_path}", "study=a", "executor=ray"]
    _, ids = plan([point(*TINY, *place)])
    use(Beside(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        execute([point(*TINY, *place)])
    with Locks(tmp_path / "a") as locks:
        assert locks.take(ids[0]) is None
        second = use(Alone())
        (outcome,) = execute([point(*TINY, *place)])
    assert outcome.status == "finished" and second.asked == []
    assert "jobs of an earlier sweep that are followed: 1" in capsys.readouterr().err


def test_jobs_that_end_with_the_sweep_did_not_die(tmp_path, use):
    place = [f"runs_dir={tmp_path}", "study=a", "executor=ray"]
    _, (id,) = plan([point(*TINY, *place)])
    ending = Beside(interrupted=True)
    ending.outlives = False
    use(ending)
    (tmp_path / "a" / id).mkdir(parents=True)
    attempts.write(tmp_path / "a" / id, attempts.Attempt(0, 1, "measuring costs", None))
    with pytest.raises(KeyboardInterrupt):
        execute([point(*TINY, *place)])
    assert attempts.read(tmp_path / "a" / id) is None
    assert [job.state for job in jobs.read(tmp_path / "a")] == ["ended"]
