"""Retention beside that of torchscale, the authors' package."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import HEADS, STEPS, Pair, sequence
from their_side import Result, doubled, draw
from torch import Tensor, nn
from torchscale.component.multiscale_retention import MultiScaleRetention

from seqexp.layers.retention import Retention

WIDTH = 24


def retention(rng: np.random.Generator) -> Pair:
    """`MultiScaleRetention` in its parallel form, with a GroupNorm as in the paper.

    Angles and decays come from outside it: those of the paper, without the normalisation of
    scores. Small queries keep it from its own (a sum of scores of at most 1 is left as it is).
    """
    keys = WIDTH // HEADS
    with doubled():
        options = SimpleNamespace(multiway=False, layernorm_eps=1e-5)
        module = MultiScaleRetention(options, WIDTH, 2 * WIDTH, HEADS)
        norm = nn.LayerNorm(2 * keys, eps=1e-5, elementwise_affine=False)
        module.register_module("group_norm", norm)
    draw(module, rng, {})
    module.get_parameter("q_proj.weight").data *= 0.01

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        places = torch.arange(STEPS)
        frequencies = 10_000.0 ** (-torch.arange(0, keys, 2) / keys)
        angles = (places[:, None] * frequencies).repeat_interleave(2, dim=1)
        gamma = 1 - 2.0 ** (-5 - torch.arange(HEADS))
        distance = places[:, None] - places
        mask = torch.where(distance >= 0, gamma[:, None, None] ** distance, 0.0)
        return module(inputs["x"], ((angles.sin(), angles.cos()), mask)), {}

    def mapped(of: Arrays) -> Arrays:
        def halves(array: np.ndarray) -> np.ndarray:
            """Pairs that lie beside each other in theirs are half a head apart in ours."""
            parts = array.reshape(HEADS, keys // 2, 2, WIDTH).swapaxes(1, 2)
            return parts.reshape(WIDTH, WIDTH)

        q, k, v, g = (of[f"{name}_proj.weight"] for name in "qkvg")
        return {
            "enter.kernel": np.concatenate([halves(q), halves(k), v, g]).T,
            "leave.kernel": of["out_proj.weight"].T,
        }

    layer = Retention(WIDTH, WIDTH, heads=HEADS, rngs=nnx.Rngs(0))
    return Pair(sequence(rng, WIDTH), of_layer(layer), theirs, module, mapped)
