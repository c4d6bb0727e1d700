"""Our layers, on one device or with the batch split over several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from passes import passes
from problem import Answer, Problem, Weights
from shapes import Case

from seqexp.cells import GRU, LSTM, Elman
from seqexp.layers import Bidirectional, Recurrent, Stack
from seqexp.training.precision import Precision, with_products_in

CELLS: dict[str, Callable[..., Any]] = {
    "LSTM": LSTM,
    "GRU": partial(GRU, reset="after"),
    "GRU before": partial(GRU, reset="before"),
    "RNN": Elman,
}
BATCH = "batch"


class Ours:
    """A case in our layers.

    Args:
        problem: what to compute.
        devices: how many share the batch.
        precision: of products.
    """

    def __init__(self, problem: Problem, devices: int, precision: Precision = "float32"):
        self.problem = problem
        model = build(problem.case, problem.weights)
        graph, state = nnx.split(model)
        # Bare arrays: flattening an nnx state anew at each call would cost Python time.
        leaves, tree = jax.tree.flatten(state)
        self._merge = lambda leaves: nnx.merge(graph, jax.tree.unflatten(tree, leaves))
        arguments = (leaves, problem.xs, problem.lengths, problem.cotangent)
        split_over = partial(_compute, self._merge, problem.case.backward, devices > 1)
        compute = with_products_in(precision, split_over)
        if devices == 1:
            program = jax.jit(compute)
            self._arguments = jax.device_put(arguments, jax.local_devices()[0])
        else:
            mesh = Mesh(np.asarray(jax.local_devices()[:devices]), (BATCH,))
            everywhere, split = PartitionSpec(), PartitionSpec(BATCH)
            given = (everywhere, split, split, split)
            program = jax.jit(
                jax.shard_map(
                    compute,
                    mesh=mesh,
                    in_specs=given,
                    out_specs=(split, everywhere, split) if problem.case.backward else split,
                    check_vma=False,
                )
            )
            self._arguments = tuple(
                jax.device_put(argument, NamedSharding(mesh, spec))
                for argument, spec in zip(arguments, given, strict=True)
            )
        self._program = program.lower(*self._arguments).compile()

    def run(self) -> Any:
        """Compute it once."""
        return jax.block_until_ready(self._program(*self._arguments))

    def answer(self) -> Answer:
        """What a run gives."""
        if not self.problem.case.backward:
            return Answer(np.asarray(self.run()))
        outputs, gradients, by_input = self.run()
        return Answer(np.asarray(outputs), np.asarray(by_input), read(self._merge(gradients)))


def build(case: Case, weights: list[list[Weights]]) -> Stack:
    """The layers of a case, with these weights."""
    layers = [
        _layer([_cell(case, features, own) for own in layer])
        for features, layer in zip(case.inputs, weights, strict=True)
    ]
    return Stack(layers, dropout=0.0, residual=False, norm="none", rngs=nnx.Rngs(0))


def read(stack: Stack) -> list[list[Weights]]:
    """The weights of a stack, or the gradients that stand in their place."""
    return [[_read(cell) for cell in _cells(layer)] for layer in stack.layers]


def _compute(merge: Any, backward: bool, split: bool, leaves, xs, lengths, cotangent) -> Any:
    def outputs(leaves, xs):
        return merge(leaves)(xs, lengths)[0]

    results = passes(backward, outputs, leaves, xs, cotangent)
    if not (backward and split):
        return results
    ys, by_leaves, by_xs = results
    return ys, jax.lax.psum(by_leaves, BATCH), by_xs


def _layer(cells: list[Any]) -> Any:
    return Recurrent(cells[0]) if len(cells) == 1 else Bidirectional(*cells)


def _cells(layer: Any) -> list[Any]:
    if isinstance(layer, Bidirectional):
        return [layer.forward.cell, layer.backward.cell]
    return [layer.cell]


def _cell(case: Case, features: int, weights: Weights) -> Any:
    # eval_shape: no initialiser is compiled for weights that are written over.
    cell = nnx.eval_shape(lambda: CELLS[case.cell](features, case.shape.hidden, rngs=nnx.Rngs(0)))
    cell.input_kernel = nnx.Param(jax.device_put(weights.input))
    cell.recurrent_kernel = nnx.Param(jax.device_put(weights.recurrent))
    cell.bias = nnx.Param(jax.device_put(weights.bias))
    if weights.reset_bias is not None:
        cell.reset_bias = nnx.Param(jax.device_put(weights.reset_bias))
    return cell


def _read(cell: Any) -> Weights:
    inside = cell.reset_bias if isinstance(cell, GRU) else None
    return Weights(
        np.asarray(cell.input_kernel[...]),
        np.asarray(cell.recurrent_kernel[...]),
        np.asarray(cell.bias[...]),
        None if inside is None else np.asarray(inside[...]),
    )
