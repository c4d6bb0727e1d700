"""FLOPs that a model's equations ask for, whatever the program that computes them does beside."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.costs.flops import Flops, count
from seqexp.types import Array

TRAINING = 3
"""Training over forward: each product of a forward pass is one more for the gradient of either of
its factors (Kaplan et al. 2020, section 2.1, https://arxiv.org/abs/2001.08361; PaLM, Chowdhery et
al. 2022, appendix B, https://arxiv.org/abs/2204.02311). Loss and optimizer are left out."""


def model_flops(model: nnx.Module, inputs: jax.ShapeDtypeStruct) -> Flops:
    """The operations of the equations of a forward pass, at evaluation, over one whole sequence.

    The model is walked as `count` does, but with each of its layers `stepwise`, which is its
    equations, over all steps. So there is no padding in it, nothing that is computed again or in
    vain, and no rearrangement of what its `unroll` does (one product for all inputs, the bias as
    one more row of a kernel): what stays of a program's FLOPs, and can be written down in closed
    form. A model without layers is its own program.

    Args:
        model: real or abstract (`nnx.eval_shape`).
        inputs: `[1, T]` tokens or `[1, T, D]` features, in shape.

    Raises:
        SeqexpError: as `count` does.
    """
    graph, state = nnx.split(model)

    def forward(state: Any, inputs: Array) -> Array:
        stepping: Any = nnx.merge(graph, state)
        _let_layers_step(stepping)
        return stepping(inputs, jnp.full(1, inputs.shape[1])).outputs

    return count(forward, state, inputs)


def _let_layers_step(model: nnx.Module) -> None:
    """Put its `stepwise` in the place of each layer that the model holds."""
    for name, part in list(vars(model).items()):
        if hasattr(part, "stepwise"):
            setattr(model, name, part.stepwise())
