"""RG-LRU beside that of transformers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from reference_models import RecurrentGemmaRecurrentBlock
from their_side import Result, draw
from torch import Tensor
from transformers import RecurrentGemmaConfig

from seqexp.layers.rg_lru import RGLRU


def rg_lru(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`RecurrentGemmaRecurrentBlock` at positions from 1 on: its input isn't scaled at 0."""
    width, heads, units = sizes.width, sizes.heads, sizes.rg_lru
    config = RecurrentGemmaConfig(
        hidden_size=width, lru_width=units, num_attention_heads=heads, num_hidden_layers=1
    )
    module = RecurrentGemmaRecurrentBlock(config, 0)
    draw(module, rng, sizes.deviation, {"rg_lru.recurrent_param": -3.0})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        places = torch.arange(1, sizes.steps + 1).expand(sizes.batch, -1)
        ys, _ = module(inputs["x"], places, None, use_cache=False)
        state = module.rg_lru.recurrent_states
        assert state is not None
        return ys, {"h": state}

    def mapped(of: Arrays) -> Arrays:
        def gates(kind: str) -> np.ndarray:
            parts = [of[f"rg_lru.{name}_gate_{kind}"] for name in ("recurrent", "input")]
            return np.concatenate(parts, axis=-1)

        def entering(kind: str) -> np.ndarray:
            return np.concatenate([of[f"linear_{branch}.{kind}"] for branch in "yx"])

        return {
            "input_kernel": entering("weight").T,
            "input_bias": entering("bias"),
            "convolution.kernel": of["conv_1d.weight"][:, 0].T,
            "convolution.bias": of["conv_1d.bias"],
            "gate_kernel": gates("weight"),
            "gate_bias": gates("bias"),
            # Theirs is softplus of it, ours of minus Lambda.
            "recurrent_lambda": -of["rg_lru.recurrent_param"],
            "output_kernel": of["linear_out.weight"].T,
            "output_bias": of["linear_out.bias"],
        }

    layer = RGLRU(width, width, expansion=units / width, blocks=heads, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"h": carry.h})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)
