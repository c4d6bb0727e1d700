"""Keras' recurrent layers on its JAX backend: one layer, one direction, full lengths."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"  # before keras is imported

from typing import Any

import jax
import keras
import numpy as np
from passes import passes
from problem import Answer, Problem, Weights
from shapes import Case

ORDERS = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "GRU before": (1, 0, 2), "RNN": (0,)}
"""Which of our gates each of theirs is."""


class Keras:
    """A case in Keras.

    Args:
        problem: what to compute.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self._layer = _layer(problem.case)
        self._layer.build(problem.xs.shape)
        (weights,) = problem.weights[0]
        self._layer.set_weights(_theirs(problem.case, weights))
        self._rest = [variable.value for variable in self._layer.non_trainable_variables]
        leaves = [variable.value for variable in self._layer.trainable_variables]
        self._arguments = jax.device_put(
            (leaves, problem.xs, problem.cotangent), jax.local_devices()[0]
        )
        self._program = jax.jit(self._compute).lower(*self._arguments).compile()

    def run(self) -> Any:
        """Compute it once."""
        return jax.block_until_ready(self._program(*self._arguments))

    def answer(self) -> Answer:
        """What a run gives."""
        if not self.problem.case.backward:
            return Answer(np.asarray(self.run()))
        outputs, gradients, by_input = self.run()
        weights = _ours(self.problem.case, [np.asarray(array) for array in gradients])
        return Answer(np.asarray(outputs), np.asarray(by_input), [[weights]])

    def _compute(self, leaves, xs, cotangent) -> Any:
        def outputs(leaves, xs):
            return self._layer.stateless_call(leaves, self._rest, xs, training=False)[0]

        return passes(self.problem.case.backward, outputs, leaves, xs, cotangent)


def _layer(case: Case) -> Any:
    hidden = case.shape.hidden
    if case.cell == "LSTM":
        return keras.layers.LSTM(hidden, return_sequences=True)
    if case.cell == "RNN":
        return keras.layers.SimpleRNN(hidden, return_sequences=True)
    return keras.layers.GRU(hidden, return_sequences=True, reset_after=case.reset_after)


def _theirs(case: Case, weights: Weights) -> list[np.ndarray]:
    def ordered(array: np.ndarray) -> np.ndarray:
        blocks = np.split(array, len(ORDERS[case.cell]), axis=-1)
        return np.concatenate([blocks[gate] for gate in ORDERS[case.cell]], axis=-1)

    bias = ordered(weights.bias)
    if weights.reset_bias is not None:
        inside = np.zeros_like(bias)
        inside[-case.shape.hidden :] = weights.reset_bias
        bias = np.stack([bias, inside])
    return [ordered(weights.input), ordered(weights.recurrent), bias]


def _ours(case: Case, arrays: list[np.ndarray]) -> Weights:
    def ordered(array: np.ndarray) -> np.ndarray:
        blocks = np.split(array, len(ORDERS[case.cell]), axis=-1)
        return np.concatenate([blocks[gate] for gate in np.argsort(ORDERS[case.cell])], axis=-1)

    by_input, recurrent, bias = arrays
    inside = None
    if case.reset_after:
        bias, both = bias
        inside = both[-case.shape.hidden :]
    return Weights(ordered(by_input), ordered(recurrent), ordered(bias), inside)
