"""minGRU and minLSTM beside those of minGRU-pytorch, which computes in logarithms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from minGRU_pytorch.minGRU import minGRU
from minGRU_pytorch.minLSTM import minLSTM
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from their_side import Result, draw
from torch import Tensor, nn

from seqexp.layers.min_gru import MinGRU
from seqexp.layers.min_lstm import MinLSTM


def min_gru(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`minGRU`, given a bias; it has the candidate before the gate."""
    module = minGRU(sizes.width)
    _give_bias(module.to_hidden_and_gate)
    layer = MinGRU(sizes.width, sizes.width, rngs=nnx.Rngs(0))
    return _pair(rng, sizes, module, "to_hidden_and_gate", [1, 0], layer)


def min_lstm(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`minLSTM`, given a bias; it has the candidate before the forget and the input gate."""
    module = minLSTM(sizes.width)
    _give_bias(module.to_hidden_and_f_i_gate)
    layer = MinLSTM(sizes.width, sizes.width, forget_bias=0.0, rngs=nnx.Rngs(0))
    return _pair(rng, sizes, module, "to_hidden_and_f_i_gate", [1, 2, 0], layer)


def _pair(
    rng: np.random.Generator,
    sizes: Sizes,
    module: nn.Module,
    name: str,
    order: list[int],
    layer: object,
) -> Pair:
    """With one matrix, whose parts are ours in this order."""
    draw(module, rng, sizes.deviation, {})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, h = module(inputs["x"], return_next_prev_hidden=True)
        return ys, {"h": h[:, 0]}

    def mapped(of: Arrays) -> Arrays:
        def ordered(array: np.ndarray) -> np.ndarray:
            parts = np.split(array, len(order))
            return np.concatenate([parts[place] for place in order])

        weight, bias = of[f"{name}.weight"], of[f"{name}.bias"]
        return {"kernel": ordered(weight).T, "bias": ordered(bias)}

    ours = of_layer(layer, lambda carry: {"h": carry.h})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)


def _give_bias(linear: nn.Linear) -> None:
    """Theirs are made without."""
    linear.bias = nn.Parameter(torch.zeros(linear.out_features))
