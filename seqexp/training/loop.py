"""The training loop: advance to the next evaluation, evaluate, keep the best, tell the caller."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqexp.training.evaluation import pooled
from seqexp.training.program import GroupState, Program
from seqexp.types import Score


class Standing(NamedTuple):
    """How far a member has come, as far as the host keeps it.

    Attributes:
        best_score: the best validation score so far; None before the first.
        best_step: the step it was reached at.
        tokens: true time steps trained on so far.
    """

    best_score: float | None = None
    best_step: int = 0
    tokens: int = 0

    def after(self, step: int, tokens: int, score: float, task_score: Score) -> Standing:
        """The standing after an evaluation; a score that is not a number is never the best."""
        sign = 1 if task_score.goal == "min" else -1
        better = math.isfinite(score) and (
            self.best_score is None or sign * score < sign * self.best_score
        )
        if better:
            return Standing(score, step, self.tokens + tokens)
        return self._replace(tokens=self.tokens + tokens)


@dataclass(frozen=True)
class Chunk:
    """What the steps up to an evaluation gave.

    Attributes:
        states: of all members, on the devices.
        steps: done, by each member.
        standings: of all members.
        records: by member, the record of this evaluation; only members that trained are there.
        diverged: by member, the step at which its loss or gradient was not finite.
        seconds: wall time of the training steps, all members of the group together.
    """

    states: GroupState
    steps: tuple[int, ...]
    standings: tuple[Standing, ...]
    records: dict[int, dict[str, float]]
    diverged: dict[int, int]
    seconds: float


def train(
    program: Program, states: GroupState, standings: Sequence[Standing] | None = None
) -> Iterator[Chunk]:
    """Train all members to the end, one chunk an iteration.

    Args:
        program: of the group.
        states: from `program.init()`, or placed from checkpoints.
        standings: beside states from checkpoints.

    Yields:
        A chunk for each evaluation.
    """
    experiment, score = program.experiment, program.experiment.task.score
    standings = tuple(standings or [Standing()] * program.members)
    while True:
        steps, alive = _progress(program, states)
        active = alive & (steps < experiment.steps)
        if not active.any():
            return
        ahead = (steps // experiment.eval_every + 1) * experiment.eval_every
        until = np.where(active, np.minimum(ahead, experiment.steps), steps)

        started = time.perf_counter()
        states, sums = program.advance(states, until)
        seconds = time.perf_counter() - started
        steps, alive = _progress(program, states)

        valid = program.evaluate([s.params for s in states], active & alive, "valid")
        tokens = np.where(active, sums["tokens"].total, 0)
        standings = tuple(
            standing.after(int(steps[m]), int(tokens[m]), float(valid[score.name][m]), score)
            for m, standing in enumerate(standings)
        )
        better = active & alive & [s.best_step == steps[m] for m, s in enumerate(standings)]
        states = program.keep_best(states, better)

        trained = pooled([{name: mean for name, mean in sums.items() if name != "tokens"}])
        yield Chunk(
            states=states,
            steps=tuple(steps.tolist()),
            standings=standings,
            records={
                int(m): {
                    "step": int(steps[m]),
                    "examples": int(steps[m]) * experiment.batch_size,
                    "tokens": standings[m].tokens,
                    **{f"train/{name}": float(values[m]) for name, values in trained.items()},
                    **{f"valid/{name}": float(v[m]) for name, v in valid.items() if alive[m]},
                }
                for m in np.flatnonzero(active)
            },
            diverged={int(m): int(steps[m]) + 1 for m in np.flatnonzero(active & ~alive)},
            seconds=seconds,
        )


def _progress(program: Program, states: GroupState) -> tuple[np.ndarray, np.ndarray]:
    """The members' steps and whether they are alive, `[M]` on the host."""
    steps = np.concatenate([np.asarray(state.step) for state in states])
    alive = np.concatenate([np.asarray(state.alive) for state in states])
    return steps[: program.members], alive[: program.members]
