"""Gated DeltaNet and Kimi delta attention beside those of transformers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from comparing import Arrays
from flax import nnx
from our_side import of_layer
from pairs import Pair, Sizes, sequence
from reference_models import KimiLinearDeltaAttention, Qwen3NextGatedDeltaNet, with_state
from their_side import Result, draw
from torch import Tensor, nn
from transformers import KimiLinearConfig, Qwen3NextConfig

from seqexp.layers.gated_delta_net import GatedDeltaNet
from seqexp.layers.kimi_delta_attention import KimiDeltaAttention

EPSILON = 1e-5
"""Of our norms."""


def gated_delta_net(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`Qwen3NextGatedDeltaNet`, whose queries are divided by sqrt(K): so is, squared, the epsilon
    of the norm behind them."""
    width, heads = sizes.width, sizes.heads
    keys, values = sizes.gated_delta_net
    config = Qwen3NextConfig(
        hidden_size=width,
        linear_num_key_heads=heads,
        linear_num_value_heads=heads,
        linear_key_head_dim=keys,
        linear_value_head_dim=values,
        rms_norm_eps=EPSILON / keys,
        num_hidden_layers=1,
        layer_types=["linear_attention"],
    )
    module = Qwen3NextGatedDeltaNet(config, 0)
    _give_bias(module.conv1d)
    around = {"dt_bias": -1.0, "A_log": 0.5, "norm.weight": 1.0}
    draw(module, rng, sizes.deviation, around)

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, state = with_state(module, config, inputs["x"])
        return ys, {"state": state}

    def mapped(of: Arrays) -> Arrays:
        by_head = of["in_proj_qkvz.weight"].T.reshape(width, heads, -1)
        q, k, v, z = np.split(by_head, [keys, 2 * keys, 2 * keys + values], axis=-1)
        beta, alpha = np.split(of["in_proj_ba.weight"].T.reshape(width, heads, 2), 2, axis=-1)
        return {
            "enter.enter.kernel": _joined(q, k, v),
            "enter.convolution.kernel": of["conv1d.weight"][:, 0].T,
            "enter.convolution.bias": of["conv1d.bias"],
            "gates.kernel": _joined(alpha, beta, z),
            "decay.recurrent_log_rate": of["A_log"][:, None],
            "decay.bias": of["dt_bias"][:, None],
            "norm.scale": of["norm.weight"],
            "leave.kernel": of["out_proj.weight"].T,
        }

    layer = GatedDeltaNet(
        width,
        width,
        heads=heads,
        key_expansion=keys * heads / width,
        value_expansion=values * heads / width,
        rngs=nnx.Rngs(0),
    )
    ours = of_layer(layer, lambda carry: {"state": carry.state})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)


def kimi_delta_attention(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`KimiLinearDeltaAttention`, with queries as in `gated_delta_net`."""
    features, heads = sizes.width, sizes.heads
    width = features // heads
    config = KimiLinearConfig(
        hidden_size=features,
        linear_num_heads=heads,
        linear_head_dim=width,
        rms_norm_eps=EPSILON / width,
        num_hidden_layers=1,
        layer_types=["linear_attention"],
    )
    module = KimiLinearDeltaAttention(config, 0)
    _give_bias(module.conv1d)
    around = {"forget_gate.dt_bias": -1.0, "forget_gate.A_log": 0.5, "o_norm.weight": 1.0}
    draw(module, rng, sizes.deviation, around)

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        ys, state = with_state(module, config, inputs["x"])
        return ys, {"state": state}

    def mapped(of: Arrays) -> Arrays:
        qkv = [of[f"{name}_proj.weight"].T for name in "qkv"]
        return {
            "enter.enter.kernel": np.concatenate(qkv, axis=1),
            "enter.convolution.kernel": of["conv1d.weight"][:, 0].T,
            "enter.convolution.bias": of["conv1d.bias"],
            "beta.kernel": of["b_proj.weight"].T,
            "decay_down.kernel": of["forget_gate.f_a_proj.weight"].T,
            "decay_up.kernel": of["forget_gate.f_b_proj.weight"].T,
            "decay.recurrent_log_rate": of["forget_gate.A_log"].reshape(heads, 1),
            "decay.bias": of["forget_gate.dt_bias"].reshape(heads, width),
            "gate_down.kernel": of["g_a_proj.weight"].T,
            "gate_up.kernel": of["g_b_proj.weight"].T,
            "norm.scale": of["o_norm.weight"],
            "leave.kernel": of["o_proj.weight"].T,
        }

    layer = KimiDeltaAttention(features, features, heads=heads, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: {"state": carry.state})
    return Pair(sequence(rng, sizes), ours, theirs, module, mapped)


def _give_bias(convolution: nn.Conv1d) -> None:
    """Their convolutions are made without, and read one where it is there."""
    convolution.bias = nn.Parameter(torch.zeros(convolution.out_channels))


def _joined(*parts: np.ndarray) -> np.ndarray:
    """`[D, N, _]` each, to `[D, _]`, one part behind the other."""
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
