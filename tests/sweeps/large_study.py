"""A large study, simulated: `python -m tests.sweeps.large_study` tells what its parts take.

Nothing is trained: records of finished runs are written by hand.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read
from seqexp.commands.report import report_on
from seqexp.runs import attempts, checkpoint, plans
from seqexp.runs.manifest import manifest
from seqexp.runs.record import COST, MANIFEST, METRICS, RUN, TIMING, WEIGHTS, begun, is_finished
from seqexp.runs.schema import Scored
from seqexp.runs.status import look
from seqexp.sweeps import Point, execute
from seqexp.sweeps.groups import Planned, device_kind, plan
from seqexp.sweeps.sharing import stamp
from tests.analysis.synthetic_records import cost, write_json, write_lines

T = TypeVar("T")
EVALUATIONS = range(100, 1001, 100)


def grid(runs_dir: Path, size: int) -> list[str]:
    """A sweep of so many points, by four learning rates."""
    rates = "optimizer.learning_rate=1e-3,2e-3,5e-3,1e-2"
    trainer = f"trainer.steps={EVALUATIONS[-1]}", f"trainer.eval_every={EVALUATIONS.step}"
    seeds = f"seed=range(0,{size // 4})"
    place = f"runs_dir={runs_dir}", "study=large"
    return ["task=adding", "model=gru", seeds, rates, *trainer, "logger=null", *place]


def points(runs_dir: Path, size: int) -> list[Point]:
    return points_of(read(grid(runs_dir, size), "sweep"))


def write_records(members: Sequence[Planned]) -> None:
    """A finished record of each, as training leaves it; the worse the higher its learning rate."""
    first = members[0]
    made = manifest(device_kind(), first.data_hashes, first.packages)
    for member in members:
        folder, info = member.directory, member.info
        folder.mkdir(parents=True)
        name = info.score.name
        noise = np.random.default_rng(info.seed).standard_normal()
        value = 0.1 * info.config["optimizer"]["learning_rate"] ** 0.2 + 0.01 * float(noise)
        scored = Scored(name, info.score.goal, step=EVALUATIONS[-1], valid=value, test=value)
        own = {"score": scored, "valid": {name: value}, "test": {name: value}}
        run = replace(begun(info), status="finished", **own)
        write_json(folder / RUN, run.to_json())
        write_json(folder / MANIFEST, made)
        write_json(folder / COST, cost("gru"))
        counts = [{"step": s, "examples": s, "tokens": 9 * s} for s in EVALUATIONS]
        metrics = [{**own, f"valid/{name}": value + 1 / own["step"]} for own in counts]
        write_lines(folder / METRICS, metrics)
        write_lines(folder / TIMING, [{"step": s, "seconds": s / 100} for s in EVALUATIONS])
        weights = b"".join(checkpoint.encode(info.id, EVALUATIONS[-1], {"a": np.zeros(1)}))
        (folder / WEIGHTS).write_bytes(weights)


def timed(what: str, size: int, do: Callable[[], T]) -> T:
    """What is done, and a line on what it took: the peak of memory is that of all up to here."""
    start = time.perf_counter()
    done = do()
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    each = f"{1e3 * took / size:.3f} ms each"
    print(f"{what}: {size} in {took:.1f} s, {each}, at most {peak:.2f} GiB so far", flush=True)
    return done


def _plan(runs_dir: Path, size: int) -> None:
    found = timed("composing", size, lambda: points(runs_dir, size))
    groups, _ = timed("planning", size, lambda: plan(found))
    members = [member for group in groups for member in group.members]
    timed("looking for records", size, lambda: [stamp(member) for member in members])
    timed("looking at records", size, lambda: [is_finished(m.directory) for m in members])
    timed("looking for attempts", size, lambda: [attempts.read(m.directory) for m in members])
    runs = [run for group in groups for run in group.in_plan]
    timed("writing the plan", size, lambda: plans.write(runs_dir / "large", runs))


def simulate(runs_dir: Path, planned: int, finished: int) -> None:
    """Plan a sweep of many points up to its training; skip, look at and report on finished runs."""
    _plan(runs_dir / "new", planned)
    groups, _ = plan(points(runs_dir, finished))
    write_records([member for group in groups for member in group.members])
    study = runs_dir / "large"
    outcomes = timed("skipping", finished, lambda: execute(points(runs_dir, finished)))
    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert timed("status", finished, lambda: look(study)).counts["finished"] == finished
    timed("report", finished, lambda: report_on([study]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), asked.points, asked.runs)
