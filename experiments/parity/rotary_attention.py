"""Causal attention with rotary positions beside that of transformers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from reference_models import LlamaAttention, LlamaRotaryEmbedding
from their_side import Result, draw
from torch import Tensor
from transformers import LlamaConfig

from seqexp.layers.attention import Attention


def attention(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`LlamaAttention`, with its rotary positions; another way is torch's fused attention."""
    width, heads, steps = sizes.width, sizes.heads, sizes.steps
    config = LlamaConfig(
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads,
    )
    module = LlamaAttention(config, 0)
    rotary = LlamaRotaryEmbedding(config)
    causal = torch.full((steps, steps), -torch.inf).triu(1)[None, None]
    draw(module, rng, sizes.deviation, {})

    def attended(inputs: Mapping[str, Tensor], implementation: str, mask: Tensor | None) -> Result:
        config._attn_implementation = implementation
        xs = inputs["x"]
        places = rotary(xs, torch.arange(steps)[None])
        return module(xs, position_embeddings=places, attention_mask=mask)[0], {}

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        return attended(inputs, "eager", causal)

    def fused(inputs: Mapping[str, Tensor]) -> Result:
        return attended(inputs, "sdpa", None)

    def mapped(of: Arrays) -> Arrays:
        qkv = [of[f"{name}_proj.weight"].T for name in "qkv"]
        return {
            "enter.kernel": np.concatenate(qkv, axis=1),
            "leave.kernel": of["o_proj.weight"].T,
        }

    layer = Attention(width, width, heads=heads, rngs=nnx.Rngs(0))
    own = sequence(rng, sizes), of_layer(layer), theirs, module, mapped
    return Pair(*own, others={"sdpa": fused})
