"""Time mixing of RWKV-7 beside that of rwkv, the authors' package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from unittest.mock import patch

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from their_side import Result, draw
from torch import Tensor

from seqexp.layers.rwkv7 import RWKV7

# It reads this when it is imported. Compiled functions would hide their casts from `doubled`.
os.environ |= {"RWKV_V7_ON": "1", "RWKV_JIT_ON": "0"}
with redirect_stdout(StringIO()), patch.object(torch.jit, "script", lambda function: function):
    from rwkv.model import RWKV_x070_TMix_one

OURS = {
    "w0": "decay.bias",
    "w1": "decay.down",
    "w2": "decay.up",
    "a0": "rate.bias",
    "a1": "rate.down",
    "a2": "rate.up",
    "g1": "gate.down",
    "g2": "gate.up",
    "R_": "receptance",
    "K_": "key",
    "V_": "value",
    "O_": "leave.kernel",
}
BY_HEAD = {
    "k_k": "removed_scale",
    "k_a": "replaced_share",
    "r_k": "bonus",
    "ln_w": "norm_scale",
    "ln_b": "norm_shift",
}
SHARES = "rwkvag"
"""Ours are in this order, too, with d for w."""


class _Parameters(torch.nn.Module):
    """What their function takes beside the input and the state."""

    def __init__(self, width: int, rank: int, gate_rank: int):
        super().__init__()
        square = {name: (width, width) for name in ("R_", "K_", "V_", "O_")}
        low = {name: (width, rank) for name in ("w1", "a1")} | {"g1": (width, gate_rank)}
        high = {name: (rank, width) for name in ("w2", "a2")} | {"g2": (gate_rank, width)}
        flat = [f"x_{name}" for name in SHARES] + ["w0", "a0", *BY_HEAD]
        for name, shape in (square | low | high | {name: (width,) for name in flat}).items():
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape)))


def rwkv7(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`RWKV_x070_TMix_one`, as in the first layer, step by step and example by example.

    It has 0.606531 for exp(-1/2), and no epsilon in the length of a key.
    """
    features, heads = sizes.width, sizes.heads
    rank, gate_rank = sizes.rwkv7
    module = _Parameters(features, rank, gate_rank)
    around = {f"x_{name}": 0.5 for name in SHARES}
    # Long keys, before they are given the length 1.
    around |= {"k_k": 20.0, "k_a": 1.0, "ln_w": 1.0}
    draw(module, rng, sizes.deviation, around)
    width = features // heads

    def one(xs: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.zeros(heads, width, width)
        past, ys = torch.zeros(features), []
        named = dict(module.named_parameters()) | dict.fromkeys(("v0", "v1", "v2"))
        for x in xs:
            y, past, state, _ = RWKV_x070_TMix_one(0, heads, width, x, past, None, state, **named)
            ys.append(y)
        return torch.stack(ys), state.transpose(1, 2)

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, states = zip(*map(one, inputs["x"]), strict=True)
        return torch.stack(ys), {"state": torch.stack(states)}

    def mapped(of: Arrays) -> Arrays:
        flat = {ours: of[name] for name, ours in OURS.items()}
        by_head = {ours: of[name].reshape(heads, width) for name, ours in BY_HEAD.items()}
        shares = np.stack([of[f"x_{name}"] for name in SHARES])
        return flat | by_head | {"shares": shares}

    layer = RWKV7(features, features, heads=heads, rank=rank, gate_rank=gate_rank, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.state})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)
