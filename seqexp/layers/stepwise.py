"""A layer that unrolls by its own step."""

from __future__ import annotations

from typing import Any

from flax import nnx
from jaxtyping import Bool, Float

from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry, KeyArray, Layer


class StepwiseLayer(nnx.Module):
    """A layer whose `unroll` is a scan over its `step`, at evaluation: its recurrent form.

    Args:
        layer: one that can step.
    """

    def __init__(self, layer: Layer):
        self.layer = layer
        self.in_features = layer.in_features
        self.out_features = layer.out_features

    @property
    def causal(self) -> bool:
        """The layer's."""
        return self.layer.causal

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The layer's."""
        return self.layer.recurrent_parameters

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The layer's."""
        return self.layer.initial_carry(batch_size, max_length)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps, one after the other; `key` draws nothing."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        return scan(lambda carry, x, _: self.layer.step(carry, x), carry, xs, mask, {}, False)

    def step(self, carry: Carry, x: Float[Array, "B D"]) -> tuple[Carry, Float[Array, "B P"]]:
        """The layer's."""
        return self.layer.step(carry, x)

    def stepwise(self) -> StepwiseLayer:
        """Itself."""
        return self
