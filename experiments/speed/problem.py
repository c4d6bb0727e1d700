"""The numbers of a case, the same for everybody: weights, inputs, lengths, cotangents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from shapes import GATES, Case

RTOL = 1e-4


class Weights(NamedTuple):
    """Of one cell, in our layout; as gradients, likewise.

    Attributes:
        input: `[D, gates * H]`.
        recurrent: `[H, gates * H]`.
        bias: `[gates * H]`.
        reset_bias: `[H]`, the bias inside a GRU's reset. Zero, as Flax has none; None where a cell
            has none, or a library gives no gradient of it.
    """

    input: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    reset_bias: np.ndarray | None


@dataclass(frozen=True)
class Problem:
    """What a case is computed on.

    Attributes:
        weights: of each layer, of each direction.
        xs: `[B, T, D]`, batch first, as users hold it.
        lengths: `[B]`, or None for full ones.
        cotangent: `[B, T, P]`, what the outputs' gradient is; 0 at padding.
    """

    case: Case
    weights: list[list[Weights]]
    xs: np.ndarray
    lengths: np.ndarray | None
    cotangent: np.ndarray


class Answer(NamedTuple):
    """What a contestant computed: the outputs `[B, T, P]` and, after a backward pass, gradients."""

    outputs: np.ndarray
    input: np.ndarray | None = None
    weights: list[list[Weights]] | None = None


def draw(case: Case) -> Problem:
    """The problem of a case, always the same; weights as torch starts them, +-1/sqrt(H)."""
    rng = np.random.default_rng(0)
    shape, columns = case.shape, GATES[case.cell] * case.shape.hidden
    bound = shape.hidden**-0.5

    def uniform(*size: int) -> np.ndarray:
        return rng.uniform(-bound, bound, size).astype(np.float32)

    def cell(features: int) -> Weights:
        inside = np.zeros(shape.hidden, np.float32) if case.reset_after else None
        return Weights(
            uniform(features, columns), uniform(shape.hidden, columns), uniform(columns), inside
        )

    weights = [[cell(features) for _ in range(case.directions)] for features in case.inputs]
    xs = rng.normal(size=(shape.batch, shape.time, shape.input)).astype(np.float32)
    width = shape.hidden * case.directions
    cotangent = rng.normal(size=(shape.batch, shape.time, width)).astype(np.float32)
    if not case.ragged:
        return Problem(case, weights, xs, None, cotangent)
    lengths = rng.integers(shape.time // 4, shape.time + 1, shape.batch).astype(np.int32)
    lengths[0] = shape.time
    real = np.arange(shape.time) < lengths[:, None]
    return Problem(case, weights, xs, lengths, cotangent * real[:, :, None])


def masked(outputs: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """`[B, T, P]` outputs with zeros at padding, where some libraries compute on."""
    if lengths is None:
        return outputs
    return np.where((np.arange(outputs.shape[1]) < lengths[:, None])[:, :, None], outputs, 0)


def difference(ours: Answer, theirs: Answer) -> tuple[float, str]:
    """The largest difference of two answers, relative to each array's largest entry, and where."""
    pairs = {"outputs": (ours.outputs, theirs.outputs)}
    if ours.weights is not None and theirs.weights is not None:
        assert ours.input is not None and theirs.input is not None
        pairs["gradient of the input"] = ours.input, theirs.input
        for layer, (our_layer, their_layer) in enumerate(
            zip(ours.weights, theirs.weights, strict=True)
        ):
            for direction, (a, b) in enumerate(zip(our_layer, their_layer, strict=True)):
                for name, left, right in zip(Weights._fields, a, b, strict=True):
                    if left is not None and right is not None:
                        where = f"gradient of {name}, layer {layer}, direction {direction}"
                        pairs[where] = left, right
    found = {name: _relative(a, b) for name, (a, b) in pairs.items()}
    worst = max(found, key=lambda name: found[name])
    return found[worst], worst


def require_equal(ours: Answer, theirs: Answer, name: str, rtol: float = RTOL) -> None:
    """Raise ValueError, naming the array, where two answers differ by more than `rtol`."""
    if (ours.weights is None) != (theirs.weights is None):
        raise ValueError(f"{name} gave gradients where we gave none, or the other way round")
    size, where = difference(ours, theirs)
    if not size <= rtol:
        raise ValueError(f"{name} differs from us by {size:.1e} of the largest entry in {where}")


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    size = float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-30))
    return size if np.isfinite(size) else float("inf")
