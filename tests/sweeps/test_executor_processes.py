"""Processes of this machine for real: killed, interrupted, and with cores of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from seqexp.runs import jobs
from seqexp.runs.record import MANIFEST
from seqexp.runs.store import read_json
from seqexp.sweeps.executors import on_processes
from seqexp.sweeps.executors.follow import folder_of
from seqexp.sweeps.executors.on_processes import OnProcesses, processes_of
from seqexp.sweeps.executors.settings import Processes
from seqexp.sweeps.executors.work import LOG, RESULT, STARTED
from seqexp.types import SeqexpError
from tests.sweeps.on_cluster import LONG, caught, kill, kill_job, local, process_of, until
from tests.sweeps.tiny import TINY, deterministic, runs, start


@pytest.mark.parametrize(
    "cpus, asked, cores, count", [(1, None, 8, 8), (3, None, 8, 2), (2, 3, 8, 3), (1, 1, 8, 1)]
)
def test_as_many_processes_run_as_there_are_cores_for(cpus, asked, cores, count):
    assert processes_of(cpus, asked, cores) == count


@pytest.mark.parametrize("cpus, asked", [(9, None), (3, 3), (1, 9)])
def test_more_cores_than_there_are_would_wait_for_each_other_and_are_refused(cpus, asked):
    with pytest.raises(SeqexpError, match="and this process may use 8"):
        processes_of(cpus, asked, 8)


def test_gpus_are_left_to_ray(monkeypatch, tmp_path):
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    with (
        pytest.raises(SeqexpError, match=r"executor=ray executor\.gpus=1"),
        OnProcesses(Processes()).opened(tmp_path),
    ):
        pass


def empty_jobs(place: Path, names: Sequence[str]) -> list[Path]:
    """Folders without work: a job that ends at once, with a result that says so."""
    folders = [place / name for name in names]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def test_one_process_does_what_waits_and_ends_when_nothing_does(tmp_path):
    folders = empty_jobs(tmp_path / "a b", "ab")
    executor = OnProcesses(Processes(processes=1))
    with executor.opened(tmp_path):
        handles = executor.submit(folders)
        until(lambda: set(executor.gone(handles)) == set(handles))
        (process,) = executor._serving
        until(lambda: process.ended and not executor._feeding)
        for folder in folders:
            told = (folder / RESULT).read_text()
            assert "is it on a disk that all machines share?" in told
        # What comes later, such as another try, is done by another.
        (later,) = executor.submit(empty_jobs(tmp_path, "c"))
        until(lambda: later in executor.gone([later]))
    # Another sweep's executor knows none of them.
    assert set(OnProcesses(Processes()).gone(handles)) == set(handles)


def test_a_process_that_is_killed_takes_one_job_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(on_processes.serve, "__name__", "tests.sweeps.dying_process")
    executor = OnProcesses(Processes(processes=1))
    with executor.opened(tmp_path):
        handles = executor.submit(empty_jobs(tmp_path, "ab"))
        until(lambda: set(executor.gone(handles)) == set(handles))
        for handle in handles:
            said = f"its process was killed by SIGKILL (the last words of {handle})"
            assert executor.gone(handles)[handle] == said


def test_processes_that_work_end_with_the_sweep_and_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(on_processes.serve, "__name__", "tests.sweeps.dying_process")
    monkeypatch.setattr(on_processes, "PATIENCE", 0.2)
    executor = OnProcesses(Processes(processes=1))
    with executor.opened(tmp_path):
        executor.submit(empty_jobs(tmp_path, ["deaf"]))
        until(lambda: (tmp_path / "deaf" / LOG).exists() and (tmp_path / "deaf" / LOG).read_text())
        (process,) = executor._serving
    assert process.ended and not executor._feeding


@pytest.mark.full
def test_killed_processes_and_a_killed_sweep_lose_nothing(tmp_path):
    there = [*LONG, f"runs_dir={tmp_path}", "executor=processes"]
    study = tmp_path / "a"
    sweep = start(*there)
    job = caught(study, "rnn on digits", sweep)
    kill_job(study, job)
    if job is None or caught(study, "rnn on digits", sweep, but=job) is None:
        sweep.communicate()
        pytest.skip("a job had ended before it could be killed")
    began = [each for each in jobs.read(study) if (folder_of(study, each) / STARTED).exists()]
    pids = {process_of(study, each) for each in began}
    kill(sweep)
    # They hear of it by the pipe, and end; what they have done stays.
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))

    again = start(*there)
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert "failed" not in said
    assert {job.state for job in jobs.read(study)} == {"ended"}
    here = local(tmp_path / "local")
    assert deterministic(here) == deterministic(study)
    assert {i: r["name"] for i, r in runs(here).items()} == {
        i: r["name"] for i, r in runs(study).items()
    }
    assert (study / "report" / "index.html").exists()


@pytest.mark.full
def test_an_interrupted_sweep_ends_its_processes_in_order(tmp_path):
    study = tmp_path / "a"
    sweep = start(*LONG, f"runs_dir={tmp_path}", "executor=processes")
    job = caught(study, "rnn on digits", sweep) or caught(study, "gru on digits", sweep)
    if job is None:
        sweep.communicate()
        pytest.skip("the sweep had ended before it could be interrupted")
    pid = process_of(study, job)
    sweep.send_signal(signal.SIGTERM)
    said, _ = sweep.communicate()
    assert sweep.returncode == 128 + signal.SIGTERM, said
    assert "the jobs ended with this process: the same command goes on" in said
    assert not os.path.exists(f"/proc/{pid}")
    assert not list(study.glob("*/attempt.json"))  # It was no death of theirs.
    assert {job.state for job in jobs.read(study)} == {"ended"}


@pytest.mark.full
def test_one_process_does_several_groups_on_the_same_core(tmp_path):
    """What JAX has started stays: compiled programs, threads, and the core they run on."""
    study = tmp_path / "a"
    place = [f"runs_dir={tmp_path}", "study=a", "executor=processes", "executor.processes=1"]
    said, _ = start("sweep", *TINY, "model=rnn,gru,lstm", *place).communicate()
    assert len(runs(study)) == 3, said
    done = jobs.read(study)
    assert len({process_of(study, job) for job in done}) == 1
    assert all((folder_of(study, job) / LOG).exists() for job in done)
    machines = [read_json(study / id / MANIFEST) for id in runs(study)]
    assert [machine and machine["cpu"]["usable"] for machine in machines] == [1, 1, 1]
