"""Mamba and Mamba-2 beside those of transformers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import HEADS, WIDTH, Pair, sequence
from reference_models import Mamba2Mixer, MambaMixer, with_state
from their_side import Result, doubled, draw
from torch import Tensor
from transformers import Mamba2Config, MambaConfig

from seqexp.layers.mamba import Mamba
from seqexp.layers.mamba2 import Mamba2

STATE = 8


def mamba(rng: np.random.Generator) -> Pair:
    """`MambaMixer`, which scans step by step."""
    rank = 3
    with doubled():
        config = MambaConfig(
            hidden_size=WIDTH, state_size=STATE, time_step_rank=rank, num_hidden_layers=1
        )
        module = MambaMixer(config, 0)
    draw(module, rng, {"D": 1.0, "dt_proj.bias": -1.0, "A_log": 0.5})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, state = with_state(module, config, inputs["x"])
        return ys, {"state": state.transpose(1, 2)}

    def mapped(of: Arrays) -> Arrays:
        return {
            "input_kernel": of["in_proj.weight"].T,
            "convolution.kernel": of["conv1d.weight"][:, 0].T,
            "convolution.bias": of["conv1d.bias"],
            "selection_kernel": of["x_proj.weight"].T,
            "step_kernel": of["dt_proj.weight"].T,
            "step_bias": of["dt_proj.bias"],
            "recurrent_log": of["A_log"].T,
            "skip": of["D"],
            "output_kernel": of["out_proj.weight"].T,
        }

    layer = Mamba(WIDTH, WIDTH, state=STATE, rank=rank, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.h})
    return Pair(sequence(rng), ours, theirs, module, mapped)


def mamba2(rng: np.random.Generator) -> Pair:
    """`Mamba2Mixer`, in chunks of 16 steps."""
    with doubled():
        config = Mamba2Config(
            hidden_size=WIDTH,
            num_heads=HEADS,
            head_dim=2 * WIDTH // HEADS,
            state_size=STATE,
            n_groups=1,
            chunk_size=16,
            layer_norm_epsilon=1e-5,
            num_hidden_layers=1,
        )
        module = Mamba2Mixer(config, 0)
    draw(module, rng, {"D": 1.0, "dt_bias": -1.0, "A_log": 0.5, "norm.weight": 1.0})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, state = with_state(module, config, inputs["x"])
        return ys, {"state": state.transpose(2, 3)}

    def mapped(of: Arrays) -> Arrays:
        return {
            "enter.kernel": of["in_proj.weight"].T,
            "convolution.kernel": of["conv1d.weight"][:, 0].T,
            "convolution.bias": of["conv1d.bias"],
            "decay.recurrent_log_rate": of["A_log"][:, None],
            "decay.bias": of["dt_bias"][:, None],
            "skip": of["D"][:, None],
            "norm.scale": of["norm.weight"],
            "leave.kernel": of["out_proj.weight"].T,
        }

    layer = Mamba2(WIDTH, WIDTH, heads=HEADS, state=STATE, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.state})
    return Pair(sequence(rng), ours, theirs, module, mapped)
