"""How far two computations of the same layer are apart: outputs, final states and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Answer(NamedTuple):
    """What one side computes, in our names and layouts.

    Attributes:
        outputs: `[B, T, P]`, or `[B, T, N, V]` of a recurrence.
        states: the final states, by name.
        inputs: the gradient of each input.
        parameters: the gradient of each parameter.
    """

    outputs: np.ndarray
    states: Arrays
    inputs: Arrays
    parameters: Arrays


class Differences(NamedTuple):
    """The largest difference of each part of an answer, relative to the largest number of an array.

    Attributes:
        outputs: of the outputs.
        states: of the final states; None where none are compared.
        inputs: of the gradients of the inputs.
        parameters: of the gradients of the parameters; None where there are none.
        where: the array with the largest difference of all.
    """

    outputs: float
    states: float | None
    inputs: float
    parameters: float | None
    where: str

    @property
    def largest(self) -> float:
        """The largest of all."""
        parts = self.outputs, self.states, self.inputs, self.parameters
        return max(part for part in parts if part is not None)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """max |ours - theirs| / max |theirs|; infinite where a number is not finite.

    Raises:
        ValueError: for different shapes, and where theirs is 0 everywhere, which shows nothing.

    >>> relative(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    0.5
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"ours has the shape {list(ours.shape)}, theirs {list(theirs.shape)}")
    largest = np.abs(theirs).max()
    if largest == 0:
        raise ValueError("theirs is 0 everywhere, so there is nothing to compare")
    found = float(np.abs(ours - theirs).max() / largest)
    return found if np.isfinite(found) else float("inf")


def differences(ours: Answer, theirs: Answer) -> Differences:
    """The differences of two answers.

    Raises:
        ValueError: naming the array, where one side lacks it or `relative` cannot compare it.
    """
    found: dict[str, float] = {}

    def largest(kind: str, ours: Arrays, theirs: Arrays) -> float | None:
        if set(ours) != set(theirs):
            raise ValueError(f"{kind}: one side alone has {sorted(set(ours) ^ set(theirs))}")
        names = [f"{kind}{name}" for name in theirs]
        for label, name in zip(names, theirs, strict=True):
            try:
                found[label] = relative(ours[name], theirs[name])
            except ValueError as error:
                raise ValueError(f"{label}: {error}") from None
        return max((found[name] for name in names), default=None)

    outputs = largest("", {"outputs": ours.outputs}, {"outputs": theirs.outputs})
    states = largest("final ", ours.states, theirs.states)
    inputs = largest("gradient of ", ours.inputs, theirs.inputs)
    parameters = largest("gradient of ", ours.parameters, theirs.parameters)
    if outputs is None or inputs is None:
        raise ValueError("there are no outputs, or no inputs")
    return Differences(outputs, states, inputs, parameters, max(found, key=lambda key: found[key]))
