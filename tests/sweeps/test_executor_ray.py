"""Ray for real: two nodes on this machine."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from pathlib import Path

import pytest

from seqexp.runs import jobs
from tests.sweeps.on_cluster import LONG, caught, is_done, kill, kill_job, local, process_of, until
from tests.sweeps.tiny import deterministic, runs, start

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'seqexp[ray]'")

pytestmark = pytest.mark.full


@pytest.fixture
def address(monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            cluster.add_node(num_cpus=1)
            yield cluster.address
        finally:
            cluster.shutdown()


def test_killed_workers_and_a_killed_sweep_lose_nothing(tmp_path, address):
    there = [*LONG, f"runs_dir={tmp_path}", "executor=ray", f"executor.address={address}"]
    study = tmp_path / "a"
    sweep = start(*there)
    job = caught(study, "rnn on digits", sweep)
    kill_job(study, job)
    caught(study, "rnn on digits", sweep, but=job)
    kill(sweep)

    again = start(*there)
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert "failed" not in said
    assert {job.state for job in jobs.read(study)} == {"ended"}
    assert all(is_done(study, job) for job in jobs.read(study))
    here = local(tmp_path / "local")
    assert deterministic(here) == deterministic(study)
    assert {i: r["name"] for i, r in runs(here).items()} == {
        i: r["name"] for i, r in runs(study).items()
    }
    # The report reads the records alone.
    assert (study / "report" / "index.html").exists()


def test_a_job_that_no_node_is_large_enough_for_is_refused(tmp_path, address):
    sweep = start(
        *LONG, f"runs_dir={tmp_path}", "executor=ray", f"executor.address={address}",
        "executor.cpus=5",
    )  # fmt: skip
    said, _ = sweep.communicate()
    assert sweep.returncode == 2
    assert "a job asks for 5 cores and 0 GPUs, and Ray's nodes have 1 and 0, 1 and 0" in said


def test_a_cluster_that_is_not_there_is_refused(tmp_path):
    sweep = start(*LONG, f"runs_dir={tmp_path}", "executor=ray", "executor.address=127.0.0.1:1")
    said, _ = sweep.communicate()
    assert sweep.returncode == 2 and "executor=ray: no Ray at 127.0.0.1:1" in said, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_ends_its_own_ray_in_order(tmp_path, number):
    study = tmp_path / "a"
    sweep = start(*LONG, f"runs_dir={tmp_path}", "executor=ray", WANDB_API_KEY="a secret of ours")
    job = caught(study, "rnn on digits", sweep) or caught(study, "gru on digits", sweep)
    if job is None:
        sweep.communicate()
        pytest.skip("the sweep had ended before it could be interrupted")
    pid = process_of(study, job)
    sweep.send_signal(number)
    said, _ = sweep.communicate()
    assert sweep.returncode == 128 + number, said
    assert "the jobs ended with this process, which had started Ray" in said
    assert "the same command goes on from here" in said
    until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not list(study.glob("*/attempt.json"))  # It was no death of theirs.
    assert {job.state for job in jobs.read(study)} == {"ended"}
    logs = Path(tempfile.gettempdir()).glob("ray/session_latest/logs/*")
    assert not any(b"a secret of ours" in path.read_bytes() for path in logs if path.is_file())
