"""FLOPs of a model's equations, without what the compiled program computes in addition."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from seqexp.costs.flops import Flops, count
from seqexp.types import Batch

TRAINING = 3
"""Training over forward: each product of a forward pass is one more for the gradient of either of
its factors (Kaplan et al. 2020, section 2.1, https://arxiv.org/abs/2001.08361; PaLM, Chowdhery et
al. 2022, appendix B, https://arxiv.org/abs/2204.02311). Loss and optimizer are left out."""


def model_flops(model: Any, batch: Batch) -> Flops:
    """The operations of the equations of a forward pass, at evaluation, over whole sequences.

    The model is walked as `count` does, but with each of its layers `stepwise`: at its `step`,
    which is its equations, over all steps. So there is nothing in it that is computed again or in
    vain, and no rearrangement of what `unroll` does (one product for all inputs, the bias as one
    more row of a kernel): what stays of a program's FLOPs, and can be written down in closed form.
    A model that has no other way is its own program. What `stepwise` itself computes, from
    parameters alone, is left out: it is done once for a batch, however large.

    Args:
        model: real or abstract (`nnx.eval_shape`).
        batch: in shape, `spec.example(1, T)`; every step counts.

    Raises:
        SeqexpError: as `count` does.
    """
    graph, state = nnx.split(model)
    graph, state = nnx.split(
        jax.eval_shape(lambda state: nnx.merge(graph, state).stepwise(), state)
    )

    def forward(state: Any, inputs: Any, prefix: Any) -> jax.Array:
        stepping: Any = nnx.merge(graph, state)
        return stepping(inputs, prefix).outputs

    return count(forward, state, batch.inputs, batch.prefix)
