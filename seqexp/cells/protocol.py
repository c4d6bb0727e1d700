"""What a recurrent cell is, the dropout masks that it takes in training, and what it may show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float

from seqexp.types import Array, Carry, KeyArray

DropoutMasks = Mapping[str, Any]
"""Dropout masks of one training sequence by the name of what they fall on; {} drops nothing.

Every array has time in front: `[T, ...]` where a step has a draw of its own, `[1, ...]` where one
draw serves all steps. Masks are already scaled by 1 / (1 - rate), but for "zone".

- "input" `[1 or T, B, D]` multiplies the input of a step.
- "hidden" `[1 or T, B, P]` multiplies the previous output where it enters the matrices.
- "update" `[1 or T, B, H]` multiplies the candidate that is written into the carry.
- "kernel" `[1, P, gates * H]` multiplies the recurrent kernel.
- "zone", a carry of `[T, B, ...]` booleans, is True where the previous value stays.
"""


class Cell(Protocol):
    """A recurrent cell: state explicit; `unroll` is `step` after `step` (a law)."""

    in_features: int
    features: int
    out_features: int

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The parameters (`nnx.Param`) that multiply the previous output or state."""
        ...

    def initial_carry(self, batch_size: int) -> Carry: ...

    def output(self, carry: Carry) -> Float[Array, "B P"]:
        """The `[B, P]` part of a carry that the cell gives out."""
        ...

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """The dropout masks of one training sequence; {} for a bare cell."""
        ...

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `y` `[B, P]`; `dropout` are its masks, without time."""
        ...

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: Carry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps, time first.

        Args:
            xs: `[T, B, D]`, finite at padding.
            carry: before the first step; None for `initial_carry`.
            mask: `[T, B]`, False at padding, which stands on the right; None if every step is real.
            dropout: the sequence's dropout masks; None for evaluation.
            reverse: from the last step to the first.

        Returns:
            `ys` `[T, B, P]`, 0 at padding, and the final carry, held at padding.
        """
        ...


class Activation(NamedTuple):
    """What is known of an activation, whatever its values.

    Attributes:
        low: its lower bound; -inf for none.
        high: its upper bound; inf for none.
        keeps: whether it multiplies the previous state, as a forget gate does.
    """

    low: float
    high: float
    keeps: bool = False


SIGMOID, TANH = Activation(0.0, 1.0), Activation(-1.0, 1.0)


@runtime_checkable
class Observable(Protocol):
    """What a cell or a layer may offer beside its protocol, so that people see its gates."""

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """What is known of each activation, by its name: "input", "forget", "output", "reset",
        "update" for gates, "candidate", "memory" and "hidden" for the rest. {} for none."""
        ...

    def activations(self, carry: Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The `[B, H]` activations of the step from `carry` with `x` at evaluation, by name."""
        ...


def activation_kinds(part: Any) -> Mapping[str, Activation]:
    """Those of a cell or a layer; {} for one that is not `Observable`."""
    return part.activation_kinds if isinstance(part, Observable) else {}


def activations(part: Any, carry: Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
    """Those of a cell's or a layer's step; {} for one that is not `Observable`."""
    return part.activations(carry, x) if isinstance(part, Observable) else {}
