"""Wall-clock seconds of a function's runs and of a program's compilation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from seqexp.types import SeqexpError

LEAST_ROUNDS = 5


class Timing(NamedTuple):
    """Median and quartiles, in seconds, of `repeats` runs."""

    median: float
    q25: float
    q75: float
    repeats: int


def seconds(fn: Callable[..., Any], *args: Any, repeats: int) -> Timing:
    """Time `fn(*args)`, each run until its outputs are ready, after one run that is not timed.

    Args:
        fn: called `repeats + 1` times with the same arguments, so it must not donate them.
        args: its arguments.
        repeats: how many runs are timed.

    Raises:
        SeqexpError: for repeats below 1.
    """
    if repeats < 1:
        raise SeqexpError(f"timing needs at least 1 repeat, not {repeats}: ask for more")
    # The first run compiles, and touches the memory that later ones reuse.
    jax.block_until_ready(fn(*args))
    return summarize([one_run(fn, *args) for _ in range(repeats)])


def one_run(fn: Callable[..., Any], *args: Any) -> float:
    """Seconds of one run of `fn(*args)`, until its outputs are ready."""
    start = time.perf_counter()
    jax.block_until_ready(fn(*args))
    return time.perf_counter() - start


def quietest(contestants: Sequence[Callable[[], list[float]]], spend: float) -> list[float]:
    """The least median of rounds of runs, in seconds, of each contestant: that of the round that
    was disturbed least.

    What else a machine does disturbs it for tenths of a second at a time. Many runs of a small
    program take less than that, and their median tells as often of the disturbance: on 2 cores of
    an AMD EPYC a step of a GRU took 12, 24 or 50 us. So rounds are short, and go around.

    Args:
        contestants: each gives the seconds of the runs of a round.
        spend: how many seconds the rounds take together, about; `LEAST_ROUNDS` of each there are.
    """
    begun = time.perf_counter()
    medians: list[list[float]] = []
    while len(medians) < LEAST_ROUNDS or time.perf_counter() - begun < spend:
        medians.append([summarize(a_round()).median for a_round in contestants])
    return [min(each) for each in zip(*medians, strict=True)]


def summarize(runs: list[float]) -> Timing:
    """The median and quartiles of single runs' seconds."""
    q25, median, q75 = np.percentile(runs, [25, 50, 75]).tolist()
    return Timing(median, q25, q75, len(runs))


def compile_seconds(lowered: jax.stages.Lowered) -> tuple[jax.stages.Compiled, float]:
    """Compile a lowered program, without the persistent compilation cache, and time it.

    What this process has compiled before it answers from memory in no time, so this must be the
    program's first compilation.

    Args:
        lowered: from `jax.jit(fn).lower(*args)`.

    Returns:
        The compiled program and the seconds.
    """
    with _no_persistent_cache():
        start = time.perf_counter()
        compiled = lowered.compile()
        return compiled, time.perf_counter() - start


@contextmanager
def _no_persistent_cache() -> Iterator[None]:
    enabled = jax.config.values["jax_enable_compilation_cache"]
    # JAX decides once whether it uses the cache; only a reset makes it look at the setting again.
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", enabled)
        compilation_cache.reset_cache()
