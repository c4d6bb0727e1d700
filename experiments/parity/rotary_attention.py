"""Causal attention with rotary positions beside that of transformers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import HEADS, STEPS, WIDTH, Pair, sequence
from reference_models import LlamaAttention, LlamaRotaryEmbedding
from their_side import Result, doubled, draw
from torch import Tensor
from transformers import LlamaConfig

from seqexp.layers.attention import Attention


def attention(rng: np.random.Generator) -> Pair:
    """`LlamaAttention`, with its rotary positions."""
    with doubled():
        config = LlamaConfig(
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
        )
        config._attn_implementation = "eager"
        module = LlamaAttention(config, 0)
        rotary = LlamaRotaryEmbedding(config)
        causal = torch.full((STEPS, STEPS), -torch.inf).triu(1)[None, None]
    draw(module, rng, {})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        xs = inputs["x"]
        places = rotary(xs, torch.arange(STEPS)[None])
        return module(xs, position_embeddings=places, attention_mask=causal)[0], {}

    def mapped(of: Arrays) -> Arrays:
        qkv = [of[f"{name}_proj.weight"].T for name in "qkv"]
        return {
            "enter.kernel": np.concatenate(qkv, axis=1),
            "leave.kernel": of["o_proj.weight"].T,
        }

    layer = Attention(WIDTH, WIDTH, heads=HEADS, rngs=nnx.Rngs(0))
    return Pair(sequence(rng), of_layer(layer), theirs, module, mapped)
