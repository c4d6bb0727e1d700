"""SLURM for real, where it is installed: one node on this machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from seqexp.runs import jobs
from tests.sweeps import slurm_cluster
from tests.sweeps.on_cluster import LONG, caught, kill, kill_job, local, until
from tests.sweeps.tiny import TINY, deterministic, start

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'seqexp[slurm]'")

pytestmark = pytest.mark.full

MISSING = slurm_cluster.missing()


def test_without_slurm_submitting_is_refused(tmp_path):
    sweep = start(*LONG, f"runs_dir={tmp_path}", "executor=submitit", PATH="/nowhere")
    said, _ = sweep.communicate()
    assert sweep.returncode == 2
    assert "executor=submitit: " in said and "a machine that submits to SLURM?" in said


@pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
def test_jobs_that_are_cancelled_killed_or_requeued_lose_nothing(tmp_path):
    there = [*LONG, f"runs_dir={tmp_path}", "executor=submitit", "executor.minutes=5"]
    study = tmp_path / "a"
    with slurm_cluster.slurm(tmp_path / "slurm") as environment:

        def of_slurm(*command: str) -> str:
            return subprocess.run(
                command, env={**os.environ, **environment}, capture_output=True, text=True
            ).stdout  # fmt: skip

        sweep = start(*there, **environment)
        kill_job(study, caught(study, "rnn on digits", sweep))
        cancelled = caught(study, "gru on digits", sweep)
        if cancelled is not None:
            of_slurm("scancel", cancelled.handle)
        kill(sweep)

        again = start(*there, **environment)
        warned = caught(study, "gru on digits", again, but=cancelled)
        if warned is not None:
            # As SLURM does before a job's time is up: it is queued again, under its number.
            of_slurm("scancel", "--signal=USR2", warned.handle)
            until(
                lambda: (
                    "PENDING" in of_slurm("squeue", "-h", "-o", "%T") or again.poll() is not None
                )
            )
            # SLURM holds a job that was queued again for two minutes.
            of_slurm("scontrol", "update", f"JobId={warned.handle}", "StartTime=now")
        said, _ = again.communicate()
        assert again.returncode == 0, said
        assert "failed" not in said
        assert {job.state for job in jobs.read(study)} == {"ended"}
        # It was not submitted anew.
        assert warned is None or warned.handle in [job.handle for job in jobs.read(study)]
    assert deterministic(local(tmp_path / "local")) == deterministic(study)


@pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
def test_what_a_job_waits_for_is_told(tmp_path):
    with slurm_cluster.slurm(tmp_path / "slurm") as environment:
        sweep = start(
            "sweep",
            *TINY,
            "model=rnn",
            "study=a",
            f"runs_dir={tmp_path}",
            "executor=submitit",
            "executor.minutes=5",
            "+executor.parameters.hold=true",
            **environment,
        )
        until(lambda: sweep.poll() is not None or any(j.why for j in jobs.read(tmp_path / "a")))
        (job,) = jobs.read(tmp_path / "a")
        assert (job.state, job.why) == ("submitted", "JobHeldUser")
        release = ["scontrol", "release", job.handle]
        subprocess.run(release, env={**os.environ, **environment}, check=True)
        said, _ = sweep.communicate()
    assert sweep.returncode == 0, said
    assert "wait for: JobHeldUser" in said
    (job,) = jobs.read(tmp_path / "a")
    assert (job.state, job.why) == ("ended", None)
