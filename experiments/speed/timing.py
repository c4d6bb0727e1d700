"""Contestants timed in turns, so that what the machine does meanwhile befalls all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

REST, TURN, LONG = 0.005, 0.03, 0.05
SLOWER = 1.4


class Contestant(NamedTuple):
    """One way to compute a thing.

    Attributes:
        name: whose it is: "ours", "torch", ...; a name's fastest way counts.
        how: which of the ways.
        run: computes it once and returns when the result is there.
    """

    name: str
    how: str
    run: Callable[[], Any]


class Budget(NamedTuple):
    """How long to measure: seconds for each contestant, and rounds at least."""

    seconds: float
    rounds: int


class Measured(NamedTuple):
    """A name's fastest way: which it is, the median of its turns in seconds, how many runs."""

    how: str
    seconds: float
    runs: int


def interleaved(contestants: Sequence[Contestant], budget: Budget) -> dict[str, Measured]:
    """The fastest way of each name, of contestants that have all run before.

    Everyone has a turn in each round: a rest (another library's threads may still spin), a run
    that does not count unless runs are long, then timed runs for 30 ms, of which the median
    counts; and of those medians the median. After each round, ways that are clearly slower than
    their name's best drop out.
    """
    turns: dict[Contestant, list[float]] = {c: [] for c in contestants}
    runs = dict.fromkeys(contestants, 0)
    spent, rounds = 0.0, 0
    while rounds < budget.rounds or spent < budget.seconds * len(turns):
        start = time.perf_counter()
        for contestant, past in turns.items():
            timed = _turn(contestant.run)
            past.append(median(timed))
            runs[contestant] += len(timed)
        spent += time.perf_counter() - start
        rounds += 1
        turns = _without_the_slow(turns)
    best: dict[str, Measured] = {}
    for contestant, past in turns.items():
        found = Measured(contestant.how, median(past), runs[contestant])
        if contestant.name not in best or found.seconds < best[contestant.name].seconds:
            best[contestant.name] = found
    return best


def _turn(run: Callable[[], Any]) -> list[float]:
    time.sleep(REST)
    first = _seconds(run)
    timed = [first] if first > LONG else []
    while sum(timed) < TURN:
        timed.append(_seconds(run))
    return timed


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _without_the_slow(turns: dict[Contestant, list[float]]) -> dict[Contestant, list[float]]:
    best: dict[str, float] = {}
    for contestant, past in turns.items():
        best[contestant.name] = min(best.get(contestant.name, min(past)), min(past))
    return {c: past for c, past in turns.items() if min(past) <= SLOWER * best[c.name]}
