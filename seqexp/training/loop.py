"""The training loop: advance to the next evaluation, evaluate, keep the best, tell the caller."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqexp.training.evaluation import Evaluation, pooled
from seqexp.training.members import Advanced
from seqexp.training.program import GroupState, Program
from seqexp.types import Score, means


class Standing(NamedTuple):
    """How far a member has come, as far as the host keeps it.

    Attributes:
        best_score: the best validation score so far; None before the first.
        best_step: the step it was reached at.
        tokens: true time steps trained on so far.
        examples: trained on so far.
    """

    best_score: float | None = None
    best_step: int = 0
    tokens: int = 0
    examples: int = 0

    def after(
        self, step: int, examples: int, tokens: int, score: float, task_score: Score
    ) -> Standing:
        """The standing after an evaluation; a score that is not a number is never the best."""
        sign = 1 if task_score.goal == "min" else -1
        better = math.isfinite(score) and (
            self.best_score is None or sign * score < sign * self.best_score
        )
        best = {"best_score": score, "best_step": step} if better else {}
        return self._replace(tokens=self.tokens + tokens, examples=self.examples + examples, **best)


@dataclass(frozen=True)
class Interval:
    """The outcome of the steps between two evaluations.

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
) -> Iterator[Interval]:
    """Train all members to the end, one interval between evaluations at a time.

    Args:
        program: of the group.
        states: from `program.init()`, or placed from checkpoints.
        standings: beside states from checkpoints.

    Yields:
        An interval for each evaluation.
    """
    experiment, score = program.experiment, program.experiment.task.score
    standings = tuple(standings or [Standing()] * program.members)
    while True:
        steps, alive = _progress(program, states)
        active = alive & (steps < experiment.steps)
        if not active.any():
            return
        # Who lags behind goes first, so that all who train share a step, and with it a bucket.
        active &= steps == steps[active].min()
        ahead = (steps // experiment.eval_every + 1) * experiment.eval_every
        until = np.where(active, np.minimum(ahead, experiment.steps), steps)

        started = time.perf_counter()
        states, given = program.advance(states, until)
        seconds = time.perf_counter() - started
        steps, alive = _progress(program, states)

        valid = program.evaluate([s.params for s in states], active & alive, "valid")
        standings = tuple(
            _after(standing, int(steps[m]), given[m], valid.get(m), score)
            if active[m]
            else standing
            for m, standing in enumerate(standings)
        )
        better = active & alive & [s.best_step == steps[m] for m, s in enumerate(standings)]
        states = program.keep_best(states, better)
        yield Interval(
            states=states,
            steps=tuple(steps.tolist()),
            standings=standings,
            records={
                int(m): _record(program, int(steps[m]), standings[m], given[m], valid.get(int(m)))
                for m in np.flatnonzero(active)
            },
            diverged={int(m): int(steps[m]) + 1 for m in np.flatnonzero(active & ~alive)},
            seconds=seconds,
        )


def _after(
    standing: Standing, step: int, given: Advanced, valid: Evaluation | None, score: Score
) -> Standing:
    value = math.nan if valid is None else valid.metrics[score.name]
    return standing.after(step, int(given.examples), int(given.tokens), value, score)


def _record(
    program: Program, step: int, standing: Standing, given: Advanced, valid: Evaluation | None
) -> dict[str, float]:
    """What is written of a member at an evaluation."""
    sums, norms = pooled([given.measured])
    trained = {**program.experiment.task.summarize(sums), **means(norms)}
    metrics = {} if valid is None else valid.metrics
    return {
        "step": step,
        "examples": standing.examples,
        "tokens": standing.tokens,
        **{f"train/{name}": trained[name] for name in sorted(trained)},
        **{f"valid/{name}": metrics[name] for name in sorted(metrics)},
    }


def _progress(program: Program, states: GroupState) -> tuple[np.ndarray, np.ndarray]:
    """The members' steps and whether they are alive, `[M]` on the host."""
    progress = program.slices.join([(state.step, state.alive) for state in states])
    steps, alive = zip(*progress, strict=True)
    return np.asarray(steps), np.asarray(alive)
