"""The temporal convolutional network beside that of pytorch-tcn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from pytorch_tcn import TCN as TheirTCN
from their_side import Result, draw
from torch import Tensor

from seqexp.layers.tcn import TCN

KERNEL = 3


def tcn(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`TCN` with normalised weights."""
    count, levels = sizes.tcn
    width = sizes.width
    module = TheirTCN(count, [width] * levels, kernel_size=KERNEL, dropout=0.0, input_shape="NLC")
    names = [f"network.{i // 2}.conv{i % 2 + 1}" for i in range(2 * levels)]
    scales = [f"{name}.parametrizations.weight.original0" for name in names]
    draw(module, rng, sizes.deviation, dict.fromkeys(scales, 1.0))

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        return module(inputs["x"]), {}

    def mapped(of: Arrays) -> Arrays:
        found = {
            "project.kernel": of["network.0.downsample.weight"][..., 0].T,
            "project.bias": of["network.0.downsample.bias"],
        }
        for i, (name, scale) in enumerate(zip(names, scales, strict=True)):
            direction = of[f"{name}.parametrizations.weight.original1"]
            found[f"directions.{i}"] = direction.transpose(2, 1, 0)
            found[f"scales.{i}"] = of[scale][:, 0, 0]
            found[f"biases.{i}"] = of[f"{name}.bias"]
        return found

    layer = TCN(count, width, levels=levels, width=KERNEL, dropout=0.0, rngs=nnx.Rngs(0))
    return Pair(sequence(rng, sizes, count), of_layer(layer), theirs, module, mapped)
