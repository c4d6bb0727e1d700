"""FLOPs that a model's equations ask for, whatever the program that computes them does beside."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.costs.flops import Flops, count
from seqexp.types import Array, Carry, Cell, Noise

TRAINING = 3
"""Training over forward: each product of a forward pass is one more for the gradient of either of
its factors (Kaplan et al. 2020, section 2.1, https://arxiv.org/abs/2001.08361; PaLM, Chowdhery et
al. 2022, appendix B, https://arxiv.org/abs/2204.02311). Loss and optimizer are left out."""


def model_flops(model: nnx.Module, inputs: jax.ShapeDtypeStruct) -> Flops:
    """The operations of the equations of a forward pass, at evaluation, over one whole sequence.

    The model is walked as `count` does, but with each of its cells at its `step`, which is its
    equations, over all steps. So there is no padding in it, nothing that is computed again or in
    vain, and no rearrangement of what its `unroll` does (one product for all inputs, the bias as
    one more row of a kernel): what stays of a program's FLOPs, and can be written down in closed
    form. A model without cells is its own program.

    Args:
        model: real or abstract (`nnx.eval_shape`).
        inputs: `[1, T]` tokens or `[1, T, D]` features, in shape.

    Raises:
        SeqexpError: as `count` does.
    """
    graph, state = nnx.split(model)

    def forward(state: Any, inputs: Array) -> Array:
        stepping: Any = nnx.merge(graph, state)
        _let_cells_step(stepping)
        return stepping(inputs, jnp.full(1, inputs.shape[1])).outputs

    return count(forward, state, inputs)


class _Stepping(nnx.Module):
    """A cell that unrolls by its own `step`; every step is real."""

    def __init__(self, cell: Cell):
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features

    def initial_carry(self, batch_size: int) -> Carry:
        return self.cell.initial_carry(batch_size)

    def unroll(
        self, xs: Array, *, carry: Carry, real: Array, noise: Noise | None, reverse: bool
    ) -> tuple[Array, Carry]:
        carry, ys = jax.lax.scan(self.cell.step, carry, xs, reverse=reverse)
        return ys, carry


def _let_cells_step(model: nnx.Module) -> None:
    """Put a `_Stepping` in the place of each outermost cell."""
    for _, module in list(nnx.iter_modules(model)):
        if isinstance(module, Cell):
            continue
        for name, part in list(vars(module).items()):
            if isinstance(part, Cell):
                setattr(module, name, _Stepping(part))
