"""Layers whose state is a matrix, against their papers' equations in plain numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp import layers
from seqexp.costs.parameters import count_all
from seqexp.laws.layers import LAWS, case
from seqexp.layers.heads import head_width, unit
from seqexp.layers.selective_decay import SelectiveDecay
from seqexp.types import SeqexpError
from tests.full import full
from tests.references import matrix_state as reference
from tests.variants import drawn, quick_jit

D, P, N, STEPS = 3, 5, 2, 7
W = head_width(P, N)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def a(kind: str, in_features: int = D, features: int = P, **options: Any) -> Callable[[], Any]:
    made = getattr(layers, kind)
    return lambda: made(in_features, features, heads=N, **options, rngs=nnx.Rngs(0))


@quick_jit
def unroll(layer: Any, xs: Any) -> Any:
    return layer.unroll(xs)[0]


def outputs(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[T, D]` of one sequence, and what the layer gives."""
    xs = np.random.default_rng(1).normal(size=(STEPS, 1, D))
    return xs[:, 0], np.asarray(unroll(layer, xs))[:, 0]


def apart(kernel: Any, *widths: int) -> list[np.ndarray]:
    """The columns of a joint matrix, part by part."""
    return np.split(np.asarray(kernel), np.cumsum(widths)[:-1], axis=-1)


def of_heads(kernel: Any) -> np.ndarray:
    """`[D, N K]` to `[N, D, K]`."""
    return np.stack(np.split(np.asarray(kernel), N, axis=-1))


def assert_equal(got: Any, want: Any) -> None:
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_linear_attention_is_its_equations():
    layer = drawn(a("LinearAttention"))
    xs, ys = outputs(layer)
    q, k, v = (of_heads(part) for part in apart(layer.enter.kernel[...], *[N * W] * 3))
    assert_equal(ys, reference.linear_attention(xs, q, k, v, layer.leave.kernel[...]))


@pytest.mark.parametrize("rotary", [full(False), True])
def test_retention_is_its_equations(rotary):
    layer = drawn(a("Retention", rotary=rotary, value_expansion=2.0))
    xs, ys = outputs(layer)
    keys = N * (4 if rotary else 3)
    *qkv, gate = apart(layer.enter.kernel[...], keys, keys, N * 5, N * 5)
    q, k, v = (of_heads(part) for part in qkv)
    assert_equal(ys, reference.retention(xs, q, k, v, gate, layer.leave.kernel[...], rotary))


def test_gated_linear_attention_is_its_equations():
    layer = drawn(a("GatedLinearAttention", key_expansion=0.8, rank=2))
    xs, ys = outputs(layer)
    q, k, v = (of_heads(part) for part in apart(layer.enter.kernel[...], N * 2, N * 2, N * W))
    up = layer.decay_up
    decay = layer.decay_down.kernel[...], of_heads(up.kernel[...]), up.bias[...].reshape(N, 2)
    norm = layer.norm.scale[...], layer.norm.bias[...]
    gate = layer.gate.kernel[...], layer.gate.bias[...]
    want = reference.gla(xs, q, k, v, decay, *gate, *norm, layer.leave.kernel[...])
    assert_equal(ys, want)


def test_mamba2_is_its_equations():
    layer = drawn(a("Mamba2", state=4, convolution=3))
    xs, ys = outputs(layer)
    convolution, decay = layer.convolution, layer.decay
    rates, bias = decay.recurrent_log_rate[...][:, 0], decay.bias[...][:, 0]
    want = reference.mamba2(
        xs,
        layer.enter.kernel[...],
        convolution.kernel[...],
        convolution.bias[...],
        rates,
        bias,
        layer.skip[...][:, 0],
        layer.norm.scale[...],
        layer.leave.kernel[...],
        N,
        4,
    )
    assert_equal(ys, want)


def delta_inputs(layer: Any, xs: np.ndarray, value_width: int) -> Any:
    enter = layer.enter
    filters = None, None
    if enter.convolution is not None:
        filters = enter.convolution.kernel[...], enter.convolution.bias[...]
    return reference.delta_inputs(xs, enter.enter.kernel[...], *filters, N, W, value_width)


@pytest.mark.parametrize(
    ("negative", "convolution"), [(False, 4), full(True, 2), full(False, None)]
)
def test_delta_net_is_its_equations(negative, convolution):
    layer = drawn(a("DeltaNet", negative_eigenvalues=negative, convolution=convolution))
    xs, ys = outputs(layer)
    inputs = delta_inputs(layer, xs, W)
    rest = layer.norm.scale[...], layer.leave.kernel[...]
    beta = layer.beta.kernel[...], 2 if negative else 1
    assert_equal(ys, reference.delta_net(xs, inputs, *beta, *rest))


@pytest.mark.parametrize("negative", [False, full(True)])
def test_gated_delta_net_is_its_equations(negative):
    layer = drawn(
        a("GatedDeltaNet", negative_eigenvalues=negative, key_expansion=1.0, value_expansion=2.0)
    )
    xs, ys = outputs(layer)
    inputs = delta_inputs(layer, xs, P)
    alpha, beta, gate = apart(layer.gates.kernel[...], N, N, N * P)
    decay = layer.decay.recurrent_log_rate[...][:, 0], layer.decay.bias[...][:, 0]
    rest = gate, layer.norm.scale[...], layer.leave.kernel[...]
    largest = 2 if negative else 1
    assert_equal(ys, reference.gated_delta_net(xs, inputs, alpha, beta, largest, *decay, *rest))


def test_kimi_delta_attention_is_its_equations():
    layer = drawn(a("KimiDeltaAttention", rank=2))
    xs, ys = outputs(layer)
    inputs = delta_inputs(layer, xs, W)
    of_decay = layer.decay
    decay = (
        layer.decay_down.kernel[...],
        of_heads(layer.decay_up.kernel[...]),
        of_decay.recurrent_log_rate[...][:, 0],
        of_decay.bias[...],
    )
    gate = layer.gate_down.kernel[...], layer.gate_up.kernel[...]
    rest = layer.norm.scale[...], layer.leave.kernel[...]
    beta = layer.beta.kernel[...]
    assert_equal(ys, reference.kimi_delta_attention(xs, inputs, decay, beta, gate, *rest))


@pytest.mark.parametrize("forget", ["sigmoid", full("exponential")])
def test_mlstm_is_its_equations(forget):
    """Which the stabilised form equals, with gates of the size that floats hold."""
    layer = drawn(a("MLSTM", forget=forget, key_expansion=0.8))
    xs, ys = outputs(layer)
    widths = N * 2, N * 2, N * W, N * W
    kernels = [of_heads(part) for part in apart(layer.enter.kernel[...], *widths)]
    biases = [part.reshape(N, -1) for part in apart(layer.enter.bias[...], *widths)]
    q, k, v, o = zip(kernels, biases, strict=True)
    (w_i, w_f), (b_i, b_f) = (apart(p[...], N, N) for p in (layer.gate_kernel, layer.gate_bias))
    rest = layer.norm_scale[...], layer.leave.kernel[...]
    assert_equal(ys, reference.mlstm(xs, q, k, v, (w_i, b_i, w_f, b_f), forget, o, *rest))


@pytest.mark.parametrize("scale", [1.0, full(1e3)])
def test_mlstm_of_gates_beyond_any_float_is_the_unstabilised_one_in_exact_numbers(scale):
    """Adding a constant to every log i changes numerator and |n . q| by one factor, and so nothing
    where |n . q| is above 1 with both."""
    layer = drawn(a("MLSTM"))
    layer.gate_bias[...] = layer.gate_bias[...] + np.array([50.0] * N + [0.0] * N)
    xs, expected = outputs(layer)
    layer.gate_bias[...] = layer.gate_bias[...] + np.array([5000.0 * scale] * N + [0.0] * N)
    assert_equal(outputs(layer)[1], expected)


def test_rwkv7_is_its_equations():
    layer = drawn(a("RWKV7", rank=2, gate_rank=3))
    xs, ys = outputs(layer)
    mu = dict(zip("rdkvag", layer.shares[...], strict=True))
    W_r, W_k, W_v = (p[...] for p in (layer.receptance, layer.key, layer.value))
    low = [(p.down[...], p.up[...]) for p in (layer.decay, layer.rate, layer.gate)]
    decay, rate = (*low[0], layer.decay.bias[...]), (*low[1], layer.rate.bias[...])
    xi, alpha, rho = (p[...] for p in (layer.removed_scale, layer.replaced_share, layer.bonus))
    norm = layer.norm_scale[...], layer.norm_shift[...]
    W_by = {"r": W_r, "k": W_k, "v": W_v}
    rest = layer.leave.kernel[...]
    assert_equal(ys, reference.rwkv7(xs, mu, W_by, decay, rate, low[2], xi, alpha, rho, norm, rest))


def test_rwkv7_channel_mixing_is_its_equation():
    layer = drawn(lambda: layers.RWKV7ChannelMixing(D, P, rngs=nnx.Rngs(0)))
    xs, ys = outputs(layer)
    parts = layer.share[...], layer.key[...], layer.leave.kernel[...]
    assert_equal(ys, reference.rwkv7_channel_mixing(xs, *parts))


def parameters(make: Callable[[], Any]) -> int:
    return count_all(nnx.eval_shape(make))


def test_parameter_counts():
    width = 6
    assert parameters(a("LinearAttention", features=width)) == 3 * D * width + width**2
    expanded = D * (2 * width + 2 * 2 * width) + 2 * width * width
    assert parameters(a("Retention", features=8)) == D * (16 + 32) + 16 * 8
    assert parameters(a("Retention", features=width, rotary=False)) == expanded
    keys = N * 2
    of_gla = D * (2 * keys + width) + D * 16 + 16 * keys + keys + D * width + width + 2 * 3
    assert parameters(a("GatedLinearAttention", features=width)) == of_gla + width**2
    mixed = 2 * width + 2 * 4
    of_mamba = D * (2 * width + mixed + N) + 5 * mixed + 3 * N + 2 * width + 2 * width * width
    assert parameters(a("Mamba2", features=width, state=4)) == of_mamba
    heads = D * 3 * width + 5 * 3 * width
    assert parameters(a("DeltaNet", features=width)) == heads + D * N + 3 + width**2
    # Of a width of 8, keys of 6 and values of 12 in two heads.
    heads, gates = (D + 5) * (2 * 6 + 12), D * (2 * N + 12) + 2 * N
    assert parameters(a("GatedDeltaNet", features=8)) == heads + gates + 6 + 12 * 8
    heads, gates = (D + 5) * 3 * width, D * N + 2 * (D * 3 + 3 * width) + N + width
    assert parameters(a("KimiDeltaAttention", features=width)) == heads + gates + 3 + width**2
    of_mlstm = (D + 1) * (4 * width + 2 * N) + width + width**2
    assert parameters(a("MLSTM", features=width)) == of_mlstm
    low_rank = 3 * 32 * (D + width) + 2 * width
    of_rwkv7 = 6 * D + 3 * D * width + low_rank + 5 * width + width**2
    assert parameters(a("RWKV7", features=width)) == of_rwkv7
    mixing = parameters(lambda: layers.RWKV7ChannelMixing(D, width, rngs=nnx.Rngs(0)))
    assert mixing == D + D * 4 * width + 4 * width * width
    # Ranks of a width of 1024, as the paper has them: 64 for the decay, 160 for the gate.
    wide = nnx.eval_shape(a("RWKV7", features=1024))
    assert (wide.decay.down.shape[1], wide.gate.down.shape[1]) == (64, 160)


@pytest.mark.full
def test_the_decay_starts_as_published():
    with jax.enable_x64(False):
        decay = SelectiveDecay(500, 2, rngs=nnx.Rngs(0))
    rates = np.exp(decay.recurrent_log_rate[...])
    sizes = np.asarray(decay.step_sizes(jnp.zeros((500, 2))))
    assert rates.min() >= 1 and rates.max() <= 16 + 1e-5
    assert sizes.min() >= 0.001 - 1e-6 and sizes.max() <= 0.1 + 1e-6
    # Uniform, and log-uniform: their means, within five standard errors.
    assert abs(rates.mean() - 8.5) < 5 * 15 / math.sqrt(12 * 500)
    spread = math.log(100) / math.sqrt(12 * 1000)
    assert abs(np.log(sizes).mean() - math.log(0.01)) < 5 * spread


@pytest.mark.full
def test_mlstm_starts_as_published():
    """Gates of their biases alone: those of the forget gate from 3 to 6, head by head."""
    with jax.enable_x64(False):
        layer: Any = layers.MLSTM(D, 8, heads=4, rngs=nnx.Rngs(0))
    assert not np.any(layer.gate_kernel[...])
    np.testing.assert_allclose(layer.gate_bias[...][4:], [3, 4, 5, 6])
    assert 0 < np.abs(layer.gate_bias[...][:4]).max() < 0.5


@pytest.mark.full
def test_rwkv7_starts_as_published():
    """As RWKV-v7/train_temp of the authors' repository starts its first layer, by hand."""
    with jax.enable_x64(False):
        layer: Any = layers.RWKV7(6, 6, heads=2, rngs=nnx.Rngs(0))
        mixing = layers.RWKV7ChannelMixing(6, 6, rngs=nnx.Rngs(0))
        narrow: Any = layers.RWKV7(6, 2, heads=2, rngs=nnx.Rngs(0))
    shown = layer.activations(layer.initial_carry(1, 1), np.ones((1, 6), np.float32))
    zigzag = np.array([-1, 0, 1, -1, 0, 1])
    b = -5.5 + np.array([0, 1.2, 2.4, 3.6, 4.8, 6]) + 2.5 * zigzag
    decay = np.exp(-np.exp(-0.5) / (1 + np.exp(-b)))
    np.testing.assert_allclose(shown["forget"][0], decay, rtol=1e-5)
    line = np.array([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5])
    rate = 1 / (1 + np.exp(0.19 - 0.3 * zigzag - 0.4 * line))
    np.testing.assert_allclose(shown["update"][0], rate, rtol=1e-5)
    np.testing.assert_allclose(layer.removed_scale[...].ravel(), 0.71 - 0.1 * line, rtol=1e-6)
    np.testing.assert_allclose(layer.replaced_share[...], 1.02)
    np.testing.assert_allclose(layer.bonus[...], -0.04)
    for power, row in zip((0.2, 0.9, 0.7, 0.7, 0.9, 0.2), layer.shares[...], strict=True):
        np.testing.assert_allclose(row, 1 - (np.arange(6) / 6) ** power, rtol=1e-6)
    for matrix, size in ((layer.receptance, 1), (layer.key, 0.1), (layer.value, 1)):
        turned = np.asarray(matrix[...] / size, np.float64)
        np.testing.assert_allclose(turned @ turned.T, np.eye(6), atol=1e-5)
    wide = np.asarray(mixing.key[...], np.float64)
    np.testing.assert_allclose(wide @ wide.T, np.eye(6), atol=1e-5)
    # The ranks, 32, are above the width: a tenth of sqrt(32 / 6).
    up = np.asarray(layer.decay.up[...], np.float64)
    np.testing.assert_allclose(up.T @ up, np.eye(6) * 0.01 * 32 / 6, atol=1e-6)
    assert np.all(np.isfinite(narrow.decay.bias[...]))


OPTIONS = {
    "LinearAttention in chunks": a("LinearAttention", chunk=2),
    "Retention without positions": a("Retention", rotary=False, value_expansion=1, chunk=2),
    "GatedLinearAttention in chunks": a("GatedLinearAttention", chunk=2),
    "Mamba2 in chunks": a("Mamba2", state=3, chunk=2, expansion=1.5, convolution=2),
    "DeltaNet, reflecting": a("DeltaNet", negative_eigenvalues=True, convolution=None, chunk=2),
    "GatedDeltaNet, reflecting": a("GatedDeltaNet", negative_eigenvalues=True, chunk=2),
    "KimiDeltaAttention in chunks": a("KimiDeltaAttention", rank=2, chunk=2),
    "MLSTM, exponential": a("MLSTM", forget="exponential", key_expansion=0.7, chunk=2),
    "RWKV7 in chunks": a("RWKV7", rank=2, gate_rank=2, chunk=2),
}


@pytest.mark.full
@pytest.mark.parametrize("name", OPTIONS)
def test_options_keep_the_laws(name):
    """The laws that an option of the steps can break: the steps are the whole, in either form."""
    of = case(jax.eval_shape(OPTIONS[name]))
    for law in ("unroll is step", "stepwise is the layer"):
        assert LAWS[law](of) is None


@pytest.mark.full
@pytest.mark.parametrize(
    "kind", ["GatedLinearAttention", "Mamba2", "DeltaNet", "GatedDeltaNet", "KimiDeltaAttention"]
)
def test_gates_are_shown(kind):
    layer = drawn(a(kind, **({"state": 4} if kind == "Mamba2" else {})))
    x = np.random.default_rng(0).normal(size=(2, D))
    shown = layer.activations(layer.initial_carry(2, 1), x)
    assert shown.keys() == layer.activation_kinds.keys()
    for name, kind_of in layer.activation_kinds.items():
        assert np.all((shown[name] >= kind_of.low) & (shown[name] <= kind_of.high))


def test_heads_are_wide_enough_for_any_width():
    assert [head_width(p, 4) for p in (1, 4, 5, 64)] == [1, 1, 2, 16]
    with pytest.raises(SeqexpError, match="heads must be a whole number of at least 1, not 0"):
        head_width(4, 0)
    with pytest.raises(SeqexpError, match="key_expansion must be a number above 0, not -1"):
        head_width(4, 2, key_expansion=-1)


def test_units_of_nothing_are_nothing():
    np.testing.assert_array_equal(unit(jnp.zeros(3)), 0)
    np.testing.assert_allclose(np.linalg.norm(unit(jnp.array([3.0, 4.0]))), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("LinearAttention", {"chunk": 0}, "chunk must be"),
        ("Retention", {"rotary": "yes"}, "rotary must be true or false"),
        ("Mamba2", {"state": 0}, "state must be a whole number"),
        ("DeltaNet", {"negative_eigenvalues": 1}, "negative_eigenvalues must be true or false"),
        ("KimiDeltaAttention", {"rank": 0}, "rank must be a whole number"),
        ("MLSTM", {"forget": "tanh"}, "unknown forget gate 'tanh': use sigmoid or exponential"),
        ("RWKV7", {"gate_rank": 0}, "gate_rank must be a whole number"),
    ],
)
def test_impossible_options_are_refused(kind, options, message):
    with pytest.raises(SeqexpError, match=message):
        jax.eval_shape(a(kind, **options))
