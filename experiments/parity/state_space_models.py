"""Mamba and Mamba-2 beside those of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from reference_models import Mamba2Mixer, MambaMixer, with_state
from their_side import Result, draw
from torch import Tensor
from transformers import Mamba2Config, MambaConfig

from seqexp.layers.mamba import Mamba
from seqexp.layers.mamba2 import Mamba2


def mamba(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`MambaMixer`, which scans step by step; another way is the parallel scan of mambapy, which
    it takes where that is installed and asked for."""
    width = sizes.width
    state, rank = sizes.mamba
    config = MambaConfig(
        hidden_size=width, state_size=state, time_step_rank=rank, num_hidden_layers=1
    )
    module = MambaMixer(config, 0)
    draw(module, rng, sizes.deviation, {"D": 1.0, "dt_proj.bias": -1.0, "A_log": 0.5})

    def scanned(inputs: Mapping[str, Tensor], parallel: bool) -> Result:
        module.use_mambapy = parallel
        ys, state = with_state(module, config, inputs["x"])
        return ys, {"state": state.transpose(1, 2)}

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        return scanned(inputs, parallel=False)

    def mambapy(inputs: Mapping[str, Tensor]) -> Result:
        return scanned(inputs, parallel=True)

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

    layer = Mamba(width, width, state=state, rank=rank, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.h})
    own = sequence(rng, sizes), ours, theirs, module, mapped
    return Pair(*own, others={"mambapy": mambapy} if find_spec("mambapy") else {})


def mamba2(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`Mamba2Mixer`, in chunks of a few steps."""
    width, heads = sizes.width, sizes.heads
    state, chunk = sizes.mamba2
    config = Mamba2Config(
        hidden_size=width,
        num_heads=heads,
        head_dim=2 * width // heads,
        state_size=state,
        n_groups=1,
        chunk_size=chunk,
        layer_norm_epsilon=1e-5,
        num_hidden_layers=1,
    )
    module = Mamba2Mixer(config, 0)
    around = {"D": 1.0, "dt_bias": -1.0, "A_log": 0.5, "norm.weight": 1.0}
    draw(module, rng, sizes.deviation, around)

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

    layer = Mamba2(width, width, heads=heads, state=state, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.state})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)
