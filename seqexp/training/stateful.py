"""Which models can read on, however long, from the carry behind what they read before."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax

from seqexp.types import Carry, KeyArray, Layer, Model, Prediction, SeqexpError, Sequences

REMEDY = "use a recurrent model, or leave task.stateful out"


@runtime_checkable
class StatefulModel(Model, Protocol):
    """What a model can do besides, to be trained on a spec that is `stateful`."""

    def initial_carry(self, batch_size: int) -> Carry:
        """The carry of an empty past, for B sequences."""
        ...

    def read(
        self, inputs: Sequences, carry: Carry, *, key: KeyArray | None = None
    ) -> tuple[Prediction, Carry]:
        """Run sequences that go on from a carry; also the carry behind their last true steps."""
        ...


def require_stateful(model: Any) -> None:
    """Raise SeqexpError unless a model can be trained on a task that is stateful.

    It must `read`, and its carry must stay as large as it is whatever it has read.
    """
    if not isinstance(model, StatefulModel):
        raise SeqexpError(
            f"a stateful task is read from carry to carry, and {type(model).__name__} has no "
            f"initial_carry or no read: {REMEDY}"
        )
    for layer in model.layers:
        if _carry_shapes(layer, 1) != _carry_shapes(layer, 2):
            raise SeqexpError(
                f"a stateful task is read without end, and the carry of a {type(layer).__name__} "
                f"layer grows with what it has read: {REMEDY}"
            )


def _carry_shapes(layer: Layer, max_length: int) -> list[tuple[int, ...]]:
    carry = jax.eval_shape(lambda: layer.initial_carry(1, max_length))
    return [leaf.shape for leaf in jax.tree.leaves(carry)]
