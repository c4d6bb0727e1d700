"""Flax's `nnx.RNN` and `nnx.Bidirectional` over its own cells."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from passes import passes
from problem import Answer, Problem, Weights, masked
from shapes import Case

KINDS: dict[str, list[Any]] = {
    "LSTM": [nnx.OptimizedLSTMCell, nnx.LSTMCell],
    "GRU": [nnx.GRUCell],
    "RNN": [nnx.SimpleCell],
}
"""The cells that compute each of ours: the faster one counts."""

INPUT, HIDDEN = ("ii", "if_", "ig", "io"), ("hi", "hf", "hg", "ho")


class Flax:
    """A case in Flax.

    Args:
        problem: what to compute.
        kind: one of the `KINDS`.
    """

    def __init__(self, problem: Problem, kind: Any):
        self.problem = problem
        case = problem.case
        layers = [
            _layer(case, kind, features, own)
            for features, own in zip(case.inputs, problem.weights, strict=True)
        ]
        # nnx.RNN counts random draws in its state, so the parameters travel apart from the rest.
        graph, parameters, rest = nnx.split(nnx.List(layers), nnx.Param, ...)
        leaves, tree = jax.tree.flatten(parameters)
        self._merge = lambda leaves: nnx.merge(graph, jax.tree.unflatten(tree, leaves), rest)
        self._arguments = jax.device_put(
            (leaves, problem.xs, problem.lengths, problem.cotangent), jax.local_devices()[0]
        )
        self._program = jax.jit(self._compute).lower(*self._arguments).compile()

    def run(self) -> Any:
        """Compute it once."""
        return jax.block_until_ready(self._program(*self._arguments))

    def answer(self) -> Answer:
        """What a run gives."""
        lengths = self.problem.lengths
        if not self.problem.case.backward:
            return Answer(masked(np.asarray(self.run()), lengths))
        outputs, gradients, by_input = self.run()
        weights = [[_read(cell) for cell in _cells(layer)] for layer in self._merge(gradients)]
        return Answer(masked(np.asarray(outputs), lengths), np.asarray(by_input), weights)

    def _compute(self, leaves, xs, lengths, cotangent) -> Any:
        def outputs(leaves, xs):
            for layer in self._merge(leaves):
                xs = layer(xs, initial_carry=_zeros(layer, xs), seq_lengths=lengths)
            return xs

        return passes(self.problem.case.backward, outputs, leaves, xs, cotangent)


def _layer(case: Case, kind: Any, features: int, weights: list[Weights]) -> Any:
    rnns = [nnx.RNN(_cell(kind, features, case.shape.hidden, own)) for own in weights]
    return rnns[0] if len(rnns) == 1 else nnx.Bidirectional(*rnns)


def _cells(layer: Any) -> list[Any]:
    if isinstance(layer, nnx.Bidirectional):
        return [layer.forward_rnn.cell, layer.backward_rnn.cell]  # type: ignore[attr-defined]
    return [layer.cell]


def _zeros(layer: Any, xs: jax.Array) -> Any:
    carries = []
    for cell in _cells(layer):
        zeros = jnp.zeros((xs.shape[0], cell.hidden_features))
        lstm = isinstance(cell, nnx.LSTMCell | nnx.OptimizedLSTMCell)
        carries.append((zeros, zeros) if lstm else zeros)
    return carries[0] if len(carries) == 1 else tuple(carries)


def _cell(kind: Any, features: int, hidden: int, weights: Weights) -> Any:
    # eval_shape: no initialiser is compiled for weights that are written over.
    cell = nnx.eval_shape(lambda: kind(features, hidden, rngs=nnx.Rngs(0)))
    if kind is not nnx.LSTMCell:
        cell.dense_i.kernel = _parameter(weights.input)
        cell.dense_h.kernel = _parameter(weights.recurrent)
        _biased(cell).bias = _parameter(weights.bias)
        return cell
    for names, matrix in ((INPUT, weights.input), (HIDDEN, weights.recurrent)):
        for name, block in zip(names, np.split(matrix, 4, axis=1), strict=True):
            getattr(cell, name).kernel = _parameter(block)
    for name, block in zip(HIDDEN, np.split(weights.bias, 4), strict=True):
        getattr(cell, name).bias = _parameter(block)
    return cell


def _parameter(array: np.ndarray) -> nnx.Param:
    return nnx.Param(jax.device_put(array))


def _read(cell: Any) -> Weights:
    if not isinstance(cell, nnx.LSTMCell):
        arrays = cell.dense_i.kernel, cell.dense_h.kernel, _biased(cell).bias
        by_input, recurrent, bias = (np.asarray(array[...]) for array in arrays)
        return Weights(by_input, recurrent, bias, None)

    def joined(names: tuple[str, ...], what: str) -> np.ndarray:
        return np.concatenate([getattr(getattr(cell, n), what)[...] for n in names], axis=-1)

    return Weights(joined(INPUT, "kernel"), joined(HIDDEN, "kernel"), joined(HIDDEN, "bias"), None)


def _biased(cell: Any) -> Any:
    """The one of a cell's two linear maps that has a bias."""
    return cell.dense_h if cell.dense_i.bias is None else cell.dense_i
