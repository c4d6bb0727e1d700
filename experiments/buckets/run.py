"""How much faster is training in length buckets than on one padded shape?

Both programs of a task train by turns in one process; the ratio is of the times of neighbouring
turns. `python experiments/buckets/run.py` prints a line a task, and writes all to results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=1")

import numpy as np

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read_overrides
from seqexp.training import Hyper, Program
from seqexp.training.batches import padding_share
from seqexp.training.mesh import group_mesh

RESULTS = Path(__file__).with_name("results.json")


class Compared(NamedTuple):
    """A task: what its points share, and the overrides that make one shape, and buckets, of it."""

    name: str
    shared: tuple[str, ...]
    one: tuple[str, ...]
    buckets: tuple[str, ...]
    steps: int


TASKS = (
    Compared(
        "JSB chorales",
        ("task=jsb_chorales", "model=lstm", "model.features=200"),
        ("task.buckets=null",),
        ("task.buckets=auto",),
        steps=58,
    ),
    Compared(
        "SST-2",
        ("task=sst2", "model=lstm", "model.bidirectional=true", "model.pooling=max"),
        ("task.buckets=1",),
        ("task.buckets=9",),
        steps=108,
    ),
    Compared(
        "Multi30k",
        ("task=multi30k", "model=encoder_decoder", "model.features=128", "task.vocabulary=2000"),
        ("task.buckets=1",),
        ("task.buckets=13",),
        steps=16,
    ),
)


class Training:
    """A training that goes on by so many steps at each turn."""

    def __init__(self, overrides: Sequence[str], steps: int):
        asked = read_overrides([*overrides, f"trainer.eval_every={steps}"], "run")
        [point] = points_of(asked)
        experiment = point.build()
        splits = experiment.task.load()
        self.lengths = [b.length for b in splits.train.buckets(experiment.batch_size)]
        self.padding = padding_share(splits.train, experiment.batch_size)
        hyper = Hyper(0, 2e-3, 0.0, 1.0)
        start = time.perf_counter()
        self._program = Program.of(experiment, splits, [hyper], group_mesh(1, 1))
        self._states, self._until, self._steps = self._program.init(), np.zeros(1, np.int64), steps
        self.turn()
        self.first_seconds = time.perf_counter() - start

    def turn(self) -> float:
        """Seconds a step."""
        self._until += self._steps
        start = time.perf_counter()
        self._states, given = self._program.advance(self._states, self._until)
        assert np.isfinite(given[0].measured.sums["loss"].total)
        return (time.perf_counter() - start) / self._steps


def compare(task: Compared, turns: int) -> dict[str, object]:
    """The times of both, by turns."""
    one = Training([*task.shared, *task.one], task.steps)
    several = Training([*task.shared, *task.buckets], task.steps)
    times = [(one.turn(), several.turn()) for _ in range(turns)]
    ratios = [slow / fast for slow, fast in times]
    return {
        "task": task.name,
        "overrides": [*task.shared, *task.buckets],
        "lengths": several.lengths,
        "padding": [one.padding, several.padding],
        "ms_per_step": [1e3 * statistics.median(each) for each in zip(*times, strict=True)],
        "first_seconds": [one.first_seconds, several.first_seconds],
        "ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4)[::2],
        "turns": turns,
    }


def main() -> None:
    """Compare all tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--task", choices=[task.name for task in TASKS])
    asked = parser.parse_args()
    found = []
    for task in TASKS:
        if asked.task in (None, task.name):
            found.append(compare(task, asked.turns))
            print(json.dumps(found[-1]))
    if asked.task is None:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
