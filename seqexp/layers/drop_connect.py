"""DropConnect: drop weights of the recurrent kernel."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.noise import rehearse, require_free
from seqexp.types import Array, Carry, Cell, Noise, SeqexpError


class DropConnect(nnx.Module):
    """Drop weights between hidden units, the same for all steps and sequences of a batch (Merity
    et al. 2018, https://arxiv.org/abs/1708.02182).

        U' = m * U

    where U is the cell's `recurrent_kernel`.

    Args:
        cell: any cell with a `recurrent_kernel`, wrapped or bare.
        rate: probability to drop a weight.

    Raises:
        SeqexpError: for a rate outside [0, 1), if another wrapper of the cell does the same, or if
            the cell has no `recurrent_kernel`.
    """

    def __init__(self, cell: Cell, *, rate: float):
        require_rate("rate", rate)
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features
        self.rate = rate
        rehearse(self)

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def output(self, carry: Carry) -> Array:
        """The cell's."""
        return self.cell.output(carry)

    def draw(self, key: Array, batch_size: int, steps: int) -> Noise:
        """The cell's noise, with `kernel` `[1, P, gates * H]`."""
        cell_key, kernel_key = jax.random.split(key)
        noise = self.cell.draw(cell_key, batch_size, steps)
        if self.rate == 0:
            return noise
        require_free("kernel", noise.kernel)
        shape = 1, *_recurrent_kernel(self.cell).shape
        return noise._replace(kernel=keep_mask(kernel_key, self.rate, shape))

    def step(self, carry: Carry, x: Array, noise: Noise | None = None) -> tuple[Carry, Array]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        if noise is None or noise.kernel is None:
            return self.cell.step(carry, x, noise)
        cell = _masked(self.cell, noise.kernel)
        return cell.step(carry, x, noise._replace(kernel=None))

    def unroll(
        self,
        xs: Array,
        *,
        carry: Carry | None = None,
        real: Array | None = None,
        noise: Noise | None = None,
        reverse: bool = False,
    ) -> tuple[Array, Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        cell = self.cell
        if noise is not None and noise.kernel is not None:
            cell = _masked(cell, noise.kernel[0])
            noise = noise._replace(kernel=None)
        return cell.unroll(xs, carry=carry, real=real, noise=noise, reverse=reverse)


def _is_recurrent_kernel(path: tuple[Any, ...]) -> bool:
    return "recurrent_kernel" in jax.tree_util.keystr(path, simple=True, separator="/").split("/")


def _recurrent_kernel(cell: Cell) -> Array:
    leaves, _ = jax.tree_util.tree_flatten_with_path(cell)
    kernels = [leaf for path, leaf in leaves if _is_recurrent_kernel(path)]
    if len(kernels) != 1:
        raise SeqexpError(
            f"DropConnect needs a cell with one recurrent_kernel; this one has {len(kernels)}: "
            "use another cell or another kind of dropout"
        )
    return kernels[0]


def _masked(cell: Cell, mask: Array) -> Cell:
    """A copy of `cell` (a pytree) with its recurrent kernel multiplied by `mask`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * mask if _is_recurrent_kernel(path) else leaf, cell
    )
