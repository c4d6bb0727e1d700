"""What the dropout family shares: each member wraps a cell and owns a field or two of Noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from seqexp.types import Array, Cell, Noise, SeqexpError


def require_free(name: str, mask: object) -> None:
    """Raise SeqexpError if another wrapper has drawn this field of Noise already."""
    if mask is not None:
        raise SeqexpError(f"two wrappers of one cell both draw noise.{name}: remove one of them")


def rehearse(cell: Cell) -> None:
    """Trace one training step of `cell`, so that it refuses what it cannot do when it is built."""

    def step(key: Array) -> Array:
        noise: Noise = jax.tree.map(lambda mask: mask[0], cell.draw(key, 1, 1))
        return cell.step(cell.initial_carry(1), jnp.zeros((1, cell.in_features)), noise)[1]

    jax.eval_shape(step, jax.random.key(0))
