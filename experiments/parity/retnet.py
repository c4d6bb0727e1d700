"""Retention beside that of torchscale, the authors' package."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from their_side import Result, draw
from torch import Tensor, nn
from torchscale.component.multiscale_retention import MultiScaleRetention

from seqexp.layers.retention import Retention

QUERIES = 0.37
"""Their size times the number of steps: a sum of scores does not grow with these."""


def retention(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`MultiScaleRetention` in its parallel form, with a GroupNorm as in the paper.

    Angles and decays come from outside it: those of the paper, without the normalisation of
    scores. Small queries keep it from its own (a sum of scores of at most 1 is left as it is).
    """
    width, heads = sizes.retention, sizes.heads
    keys = width // heads
    options = SimpleNamespace(multiway=False, layernorm_eps=1e-5)
    module = MultiScaleRetention(options, width, 2 * width, heads)
    norm = nn.LayerNorm(2 * keys, eps=1e-5, elementwise_affine=False)
    module.register_module("group_norm", norm)
    draw(module, rng, sizes.deviation, {})
    module.get_parameter("q_proj.weight").data *= QUERIES / sizes.steps

    places = torch.arange(sizes.steps)
    frequencies = 10_000.0 ** (-torch.arange(0, keys, 2) / keys)
    angles = (places[:, None] * frequencies).repeat_interleave(2, dim=1)
    gamma = 1 - 2.0 ** (-5 - torch.arange(heads))
    distance = places[:, None] - places
    mask = torch.where(distance >= 0, gamma[:, None, None] ** distance, 0.0)
    outside = (angles.sin(), angles.cos()), mask

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        return module(inputs["x"], outside), {}

    def mapped(of: Arrays) -> Arrays:
        def halves(array: np.ndarray) -> np.ndarray:
            """Pairs that lie beside each other in theirs are half a head apart in ours."""
            parts = array.reshape(heads, keys // 2, 2, width).swapaxes(1, 2)
            return parts.reshape(width, width)

        q, k, v, g = (of[f"{name}_proj.weight"] for name in "qkvg")
        return {
            "enter.kernel": np.concatenate([halves(q), halves(k), v, g]).T,
            "leave.kernel": of["out_proj.weight"].T,
        }

    layer = Retention(width, width, heads=heads, rngs=nnx.Rngs(0))
    return Pair(sequence(rng, sizes, width), of_layer(layer), theirs, module, mapped)
