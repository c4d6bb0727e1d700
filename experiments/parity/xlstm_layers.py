"""mLSTM beside that of transformers, and sLSTM beside that of xlstm, the authors' package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from their_side import Result, draw
from torch import Tensor, nn

from seqexp.cells.slstm import SLSTM
from seqexp.layers.mlstm import MLSTM
from seqexp.layers.recurrent import Recurrent


def mlstm(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """The native `xLSTMLayer`, which divides queries, not keys, by sqrt(K); with a bias where ours
    has one, a soft cap of the gates far above them, and nothing added to the denominator.

    What it keeps is in units of exp(m), of which only theirs has a gradient: final states are
    compared, and not their gradients.
    """
    from reference_models import xLSTMLayer
    from transformers import xLSTMConfig

    width, heads = sizes.width, sizes.heads
    keys = width // 2 // heads
    config = xLSTMConfig(
        hidden_size=width,
        num_heads=heads,
        num_blocks=1,
        use_bias=True,
        qk_dim_factor=0.5,
        weight_mode="fused",
        mode="inference",
        chunk_size=sizes.mlstm,
        norm_eps=1e-5,
        eps=0.0,
        gate_soft_cap=1e9,
    )
    module = xLSTMLayer(config)
    module.out_proj.register_parameter("bias", None)
    module.multihead_norm.register_parameter("bias", None)
    draw(module, rng, sizes.deviation, {"multihead_norm.weight": 1.0})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, (memory, normalizer, stabilizer) = module(inputs["x"])
        scale = keys**-0.5
        states = {"memory": memory * scale, "normalizer": normalizer * scale}
        states["stabilizer"] = stabilizer[..., 0]
        return ys, {name: state.detach() for name, state in states.items()}

    def mapped(of: Arrays) -> Arrays:
        return {
            "enter.kernel": of["qkv_opreact.weight"].T,
            "enter.bias": of["qkv_opreact.bias"],
            "gate_kernel": of["ifgate_preact.weight"].T,
            "gate_bias": of["ifgate_preact.bias"],
            "norm_scale": of["multihead_norm.weight"].reshape(heads, -1),
            "leave.kernel": of["out_proj.weight"].T,
        }

    layer = MLSTM(width, width, heads=heads, key_expansion=0.5, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: jax.lax.stop_gradient(carry._asdict()))
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)


class _Projected(nn.Module):
    """Their cell, and the matrix of the inputs, which it leaves to what is around it."""

    def __init__(self, cell: nn.Module, features: int):
        super().__init__()
        self.enter = nn.Linear(features, 4 * features, bias=False)
        self.cell = cell

    def forward(self, xs: Tensor) -> tuple[Tensor, Tensor]:
        return self.cell(self.enter(xs))


def slstm(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`sLSTMCell_vanilla`, whose gates are in the order i, f, z, o."""
    from xlstm.blocks.slstm.cell import sLSTMCell_vanilla, sLSTMCellConfig

    features, heads = sizes.width, sizes.heads
    units = features // heads
    config = sLSTMCellConfig(
        hidden_size=features,
        num_heads=heads,
        backend="vanilla",
        output_shape="BSH",
        dtype="float32",
    )
    module = _Projected(sLSTMCell_vanilla(config), features)
    draw(module, rng, sizes.deviation, {})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, states = module(inputs["x"])
        return ys, dict(zip("hcnm", states, strict=True))

    def mapped(of: Arrays) -> Arrays:
        recurrent = of["cell._recurrent_kernel_"].reshape(heads, 4, units, units)
        return {
            "cell.input_kernel": _ordered(of["enter.weight"], 0).T,
            "cell.recurrent_kernel": _ordered(recurrent, 1)
            .transpose(0, 3, 1, 2)
            .reshape(heads, units, 4 * units),
            "cell.bias": _ordered(of["cell._bias_"], 0),
        }

    layer = Recurrent(SLSTM(features, features, heads=heads, rngs=nnx.Rngs(0)))

    def states(carry: Any) -> Mapping[str, Any]:
        return {name: getattr(carry, name) for name in "hcnm"}

    return Pair(sequence(rng, sizes), of_layer(layer, states), theirs, module, mapped)


def _ordered(array: np.ndarray, axis: int) -> np.ndarray:
    """Gates i, f, z, o, one behind the other on an axis, as z, i, f, o."""
    i, f, z, o = np.split(array, 4, axis=axis)
    return np.concatenate([z, i, f, o], axis=axis)
