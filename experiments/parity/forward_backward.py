"""Both sides of a pair timed: outputs, and the gradients of inputs and of every parameter."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import their_side
import torch
from comparing import Answer, Arrays, Differences, differences
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from pairs import Maker, Pair, Sizes
from speed_study import Budget, Contestant, interleaved

BUDGET, SLOW_BUDGET = Budget(seconds=0.0, rounds=3), Budget(seconds=0.0, rounds=1)
SLOW, FAR = 5.0, 3.0
"""Seconds of a run from which on a pair has the second budget; a way of theirs that takes so long
and as many times as long as another one is not tried again."""
THREADS = 1, 2
OUTPUTS, GRADIENTS = 1e-3, 1e-1
"""Largest differences allowed, of the largest number of an array, in float32 on both sides: where
rounding moves what enters a ReLU across 0, its slope is another."""


class Differ(Exception):
    """Both sides of a pair give different numbers."""


class Times(NamedTuple):
    """What was measured of a pair.

    Attributes:
        ours_ms: forward and backward, the batch split over devices.
        theirs_ms: the same of their fastest way.
        way: which that is; "" for the one that is compared in float64.
        threads: how many it had.
        outputs: the largest difference of outputs from ours, of all ways.
        gradients: the same of any gradient.
    """

    ours_ms: float
    theirs_ms: float
    way: str
    threads: int
    outputs: float
    gradients: float


def timed(
    make: Maker, sizes: Sizes, rng: np.random.Generator, devices: int, compiled: bool = False
) -> Times:
    """Both sides of a pair in turns, after their numbers were compared.

    Args:
        make: makes the pair.
        sizes: of it.
        rng: draws its numbers and the cotangent of the outputs.
        devices: share our batch, which is a multiple of them.
        compiled: whether each way of theirs is tried under `torch.compile`, too.

    Raises:
        Differ: where a way of theirs gives other numbers than ours.
    """
    pair = make(rng, sizes)
    inputs = {name: each.astype(np.float32) for name, each in pair.inputs.items()}
    own = pair.mapped(their_side.parameters(pair.module))
    ends = jax.eval_shape(pair.ours, own, inputs)[0]
    cotangent = rng.normal(size=ends.shape).astype(np.float32)
    ours = our_pass(pair, own, inputs, cotangent, devices)
    ys, by_input, by_parameter = jax.tree.map(np.asarray, ours())
    wanted = Answer(ys, {}, by_input, by_parameter)

    functions = {"": pair.theirs, **pair.others}
    if compiled:
        functions |= {f"{way} compiled".strip(): torch.compile(functions[way]) for way in functions}
    seconds, found = {}, []
    for way, function in functions.items():
        run = their_pass(pair, function, inputs, cotangent, max(THREADS))
        if compiled:
            run()
        start = time.perf_counter()
        ys, slopes = run()
        seconds[way] = time.perf_counter() - start
        given = their_side.named((ys, {}), slopes, inputs, pair.module, pair.mapped)
        found.append(_checked(differences(wanted, given), way))

    limit = max(SLOW, FAR * min(seconds.values()))
    kept = [way for way in functions if seconds[way] <= limit]
    contestants = [Contestant("ours", "", ours)]
    for way, threads in itertools.product(kept, THREADS):
        run = their_pass(pair, functions[way], inputs, cotangent, threads)
        if compiled:
            # For each number of threads anew.
            run()
        contestants.append(Contestant("theirs", f"{way} {threads}", run))
    slow = max(seconds[way] for way in kept) > SLOW
    measured = interleaved(contestants, SLOW_BUDGET if slow else BUDGET)
    way, threads = measured["theirs"].how.rsplit(" ", 1)
    return Times(
        ours_ms=round(1e3 * measured["ours"].seconds, 3),
        theirs_ms=round(1e3 * measured["theirs"].seconds, 3),
        way=way,
        threads=int(threads),
        outputs=max(each.outputs for each in found),
        gradients=max(max(each.inputs, each.parameters or 0.0) for each in found),
    )


def our_pass(
    pair: Pair, own: Arrays, inputs: Arrays, cotangent: np.ndarray, devices: int
) -> Callable[[], Any]:
    """A run of ours: outputs, and the gradients of inputs and of parameters by name."""
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), ("batch",))
    everywhere, split = PartitionSpec(), PartitionSpec("batch")

    def compute(own: Any, inputs: Any, cotangent: Any) -> Any:
        ys, pull = jax.vjp(lambda *given: pair.ours(*given)[0], own, inputs)
        by_own, by_input = pull(cotangent)
        return ys, by_input, jax.lax.psum(by_own, "batch")

    program = jax.jit(
        jax.shard_map(
            compute,
            mesh=mesh,
            in_specs=(everywhere, split, split),
            out_specs=(split, split, everywhere),
            check_vma=False,
        )
    )
    at = tuple(NamedSharding(mesh, spec) for spec in (everywhere, split, split))
    given = jax.device_put((dict(own), dict(inputs), cotangent), at)
    return lambda: jax.block_until_ready(program(*given))


def their_pass(
    pair: Pair,
    function: their_side.Function,
    inputs: Arrays,
    cotangent: np.ndarray,
    threads: int,
) -> Callable[[], Any]:
    """A run of one way of theirs: outputs, and the gradients of all `their_side.leaves`."""
    tensors = {name: torch.tensor(each, requires_grad=True) for name, each in inputs.items()}
    leaves = their_side.leaves(tensors, pair.module)
    end = torch.from_numpy(cotangent)

    def run() -> Any:
        torch.set_num_threads(threads)
        ys, _ = function(tensors)
        return ys.detach(), torch.autograd.grad(ys, leaves, end, materialize_grads=True)

    return run


def _checked(found: Differences, way: str) -> Differences:
    if not (found.outputs < OUTPUTS and found.largest < GRADIENTS):
        named = f" of {way}" if way else ""
        raise Differ(f"{found.where}{named}: ours and theirs differ by {found.largest:.1e}")
    return found
