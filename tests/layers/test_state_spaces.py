"""LRU, S5, S4D and RG-LRU against their equations, their published starts, and their extremes."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.layers import LRU, RGLRU, S4D, S5
from seqexp.layers.lru import ring
from seqexp.recurrences import diagonal_filter
from seqexp.types import SeqexpError
from tests.full import full
from tests.references import state_spaces as slow
from tests.variants import drawn, quick_jit

T, B, D, H = 7, 2, 3, 4
GLUS = {"none": None, "half": slow.half_glu, "full": slow.full_glu}


@quick_jit
def unroll(layer, xs):
    return layer.unroll(xs)[0]


def started(make):
    """A layer as it starts, by one program: by many, one an operation, it takes seconds."""
    return quick_jit(make)()


def inputs(width=H, steps=T):
    return np.random.default_rng(0).normal(size=(steps, B, width))


def complex_kernels(layer):
    """B `[N, H]` and C `[H, N]`."""
    re, im = np.split(np.asarray(layer.input_kernel[...]), 2, axis=1)
    real, negated = np.split(np.asarray(layer.output_kernel[...]), 2)
    return (re + 1j * im).T, (real - 1j * negated).T


def eigenvalues_of(layer):
    """nu, theta and gamma of an LRU."""
    kept = layer.recurrent_nu, layer.recurrent_theta, layer.gamma
    return [np.asarray(p[...]) for p in kept]


def finished(layer, ys, glu):
    """The gated linear unit of a sequence."""
    if glu == "none":
        return ys
    W, b = np.asarray(layer.glu.kernel[...]), np.asarray(layer.glu.bias[...])
    return np.array([GLUS[glu](y, W, b) for y in ys])


def assert_is(layer, xs, reference, glu="none"):
    with jax.enable_x64(True):
        ys = unroll(layer, xs)
    for row in range(B):
        right = finished(layer, reference(xs[:, row]), glu)
        np.testing.assert_allclose(ys[:, row], right, rtol=0, atol=1e-10)


@pytest.mark.parametrize("state, glu", [(3, "full"), full(None, "none"), full(5, "half")], ids=str)
def test_lru_is_its_equations(state, glu):
    layer = drawn(lambda: LRU(H, H, state=state, glu=glu, rngs=nnx.Rngs(0)))
    nu, theta, gamma = eigenvalues_of(layer)
    B_, C_ = complex_kernels(layer)
    skip = np.asarray(layer.skip[...])
    assert_is(layer, inputs(), lambda us: slow.lru(us, nu, theta, gamma, B_, C_, skip), glu)


def test_another_width_enters_by_a_matrix():
    layer = drawn(lambda: LRU(D, H, glu="none", rngs=nnx.Rngs(0)))
    nu, theta, gamma = eigenvalues_of(layer)
    B_, C_ = complex_kernels(layer)
    W, b, skip = (np.asarray(p[...]) for p in (layer.enter.kernel, layer.enter.bias, layer.skip))
    assert_is(layer, inputs(D), lambda xs: slow.lru(xs @ W + b, nu, theta, gamma, B_, C_, skip))


@pytest.mark.parametrize("r_min, r_max, max_phase", [(0.0, 1.0, 6.28), (0.9, 0.999, 0.3)])
def test_eigenvalues_of_lru_start_uniform_on_the_ring(r_min, r_max, max_phase):
    nu, theta = ring(jax.random.key(0), 4000, r_min, r_max, max_phase)
    radius, phase = np.exp(-np.exp(np.asarray(nu))), np.exp(np.asarray(theta))
    assert r_min <= radius.min() and radius.max() <= r_max
    assert 0 < phase.min() and phase.max() <= max_phase
    # Uniform by area: so are the squares of the radii.
    share = (radius**2 - r_min**2) / (r_max**2 - r_min**2)
    for uniform in (share, phase / max_phase):
        quantiles = np.quantile(uniform, [0.1, 0.5, 0.9])
        np.testing.assert_allclose(quantiles, [0.1, 0.5, 0.9], atol=0.03)


def test_lru_keeps_the_variance_of_white_noise():
    """E|x_t|^2 = |B u|^2 for stationary states, which gamma sees to: |lambda|^2 + gamma^2 = 1."""
    layer = started(lambda: LRU(2, 2, state=8, r_min=0.5, r_max=0.99, rngs=nnx.Rngs(0)))
    size = np.exp(-np.exp(np.asarray(layer.recurrent_nu[...], np.float64)))
    scale = np.exp(np.asarray(layer.gamma[...], np.float64))
    np.testing.assert_allclose(size**2 + scale**2, 1, atol=1e-6)


@pytest.mark.parametrize(
    "how, glu", [("zoh", "half"), full("bilinear", "none"), full("zoh", "full")]
)
def test_s5_is_its_equations(how, glu):
    layer = drawn(
        lambda: S5(H, H, state=6, discretization=how, glu=glu, rngs=nnx.Rngs(0)), np.float64
    )
    real = -np.abs(np.asarray(layer.recurrent_real[...])) - 0.1
    layer.recurrent_real[...] = real
    eigenvalues = real + 1j * np.asarray(layer.recurrent_imaginary[...])
    dt, skip = np.exp(np.asarray(layer.log_step[...])), np.asarray(layer.skip[...])
    B_, C_ = complex_kernels(layer)
    assert_is(layer, inputs(), lambda us: slow.s5(us, eigenvalues, dt, B_, C_, skip, how), glu)


@pytest.mark.parametrize("blocks", [1, 2])
def test_s5_starts_as_hippo_n(blocks):
    """Of each block, half of the eigenvalues of the normal part of LegS."""
    options = {"blocks": blocks, "dt_min": 0.01, "dt_max": 0.02}
    layer = started(lambda: S5(H, H, state=8, **options, rngs=nnx.Rngs(0)))
    order = 8 // blocks
    n = np.arange(order)
    root = np.sqrt(2 * n + 1)
    legs = -np.tril(np.outer(root, root), -1) - np.diag(n + 1)
    normal = legs + np.outer(np.sqrt(n + 0.5), np.sqrt(n + 0.5))
    right = np.linalg.eigvals(normal)
    right = np.sort(right.imag[right.imag > 0])
    found = np.asarray(layer.recurrent_imaginary[...]).reshape(blocks, -1)
    for block in found:
        np.testing.assert_allclose(np.sort(block), right, rtol=1e-5)
    np.testing.assert_allclose(layer.recurrent_real[...], -0.5)
    step = np.exp(np.asarray(layer.log_step[...]))
    assert np.all((step >= 0.01 * 0.999) & (step <= 0.02 * 1.001))


def test_s5_starts_in_the_basis_of_its_eigenvectors():
    """V is unitary, so B = V^* B_0 and C = C_0 V are as large as B_0 and C_0: 1 / H a number of
    the N H of B_0, and 2 / N of the complex ones of C_0. Half of the states hold half of it."""
    layer = started(lambda: S5(256, 256, state=64, rngs=nnx.Rngs(0)))
    B_, C_ = complex_kernels(layer)
    np.testing.assert_allclose(2 * (np.abs(B_) ** 2).sum(), 64, rtol=0.05)
    np.testing.assert_allclose((np.abs(C_) ** 2).sum(), 256, rtol=0.05)


@pytest.mark.parametrize(
    "how, glu", [("zoh", "full"), full("bilinear", "none"), full("zoh", "half")]
)
def test_s4d_is_the_convolution_of_its_paper(how, glu):
    layer = drawn(
        lambda: S4D(H, H, state=6, discretization=how, glu=glu, rngs=nnx.Rngs(0)), np.float64
    )
    eigenvalues = -np.exp(np.asarray(layer.recurrent_log_real[...])).astype(complex)
    eigenvalues += 1j * np.asarray(layer.recurrent_imaginary[...])
    dt, skip = np.exp(np.asarray(layer.log_step[...])), np.asarray(layer.skip[...])
    kernel = np.asarray(layer.output_kernel[...])
    C_ = kernel[0] + 1j * kernel[1]
    xs = inputs(steps=T)
    assert_is(layer, xs, lambda us: slow.s4d(us, eigenvalues, dt, C_, skip, how), glu)


@pytest.mark.parametrize("chunk", [3, full(1), full(7)])
def test_s4d_over_several_chunks_is_the_convolution_still(chunk, monkeypatch):
    monkeypatch.setattr(diagonal_filter, "CHUNK", chunk)
    layer = drawn(lambda: S4D(H, H, state=2, glu="none", rngs=nnx.Rngs(0)))
    eigenvalues = -np.exp(np.asarray(layer.recurrent_log_real[...])).astype(complex)
    eigenvalues += 1j * np.asarray(layer.recurrent_imaginary[...])
    dt, skip = np.exp(np.asarray(layer.log_step[...])), np.asarray(layer.skip[...])
    kernel = np.asarray(layer.output_kernel[...])
    C_ = kernel[0] + 1j * kernel[1]
    assert_is(layer, inputs(), lambda us: slow.s4d(us, eigenvalues, dt, C_, skip, "zoh"))


@pytest.mark.parametrize("init", ["lin", "inv"])
def test_s4d_starts_as_published(init):
    """A_n = -1/2 + i pi n, or -1/2 + i N / pi (N / (2n + 1) - 1), for each feature."""
    N = 8
    layer = started(lambda: S4D(H, H, state=N, init=init, rngs=nnx.Rngs(0)))
    for n, row in enumerate(np.asarray(layer.recurrent_imaginary[...]).T):
        right = math.pi * n if init == "lin" else N / math.pi * (N / (2 * n + 1) - 1)
        np.testing.assert_allclose(row, right, rtol=1e-6)
    np.testing.assert_allclose(np.exp(layer.recurrent_log_real[...]), 0.5, rtol=1e-6)


@pytest.mark.parametrize("blocks", [1, full(2)])
def test_rg_lru_is_its_equations(blocks):
    layer = drawn(
        lambda: RGLRU(D, H, expansion=1.25, blocks=blocks, convolution=3, rngs=nnx.Rngs(0)),
        np.float64,
    )
    W = 5 if blocks == 1 else 6  # 1.25 times 4, in two blocks of 3
    enter, enter_bias, leave, leave_bias, Lambda = (
        np.asarray(p[...])
        for p in (
            layer.input_kernel,
            layer.input_bias,
            layer.output_kernel,
            layer.output_bias,
            layer.recurrent_lambda,
        )
    )
    gates = np.zeros((2, W, W))
    biases = np.zeros((2, W))
    size = W // blocks
    for block, (kernel, bias) in enumerate(
        zip(np.asarray(layer.gate_kernel[...]), np.asarray(layer.gate_bias[...]), strict=True)
    ):
        at = slice(block * size, (block + 1) * size)
        for gate in (0, 1):
            columns = slice(gate * size, (gate + 1) * size)
            gates[gate, at, at], biases[gate, at] = kernel[:, columns], bias[columns]

    def block_of(xs):
        both = xs @ enter + enter_bias
        short = layer.convolution
        vs = slow.short_convolution(
            both[:, W:], np.asarray(short.kernel[...]), np.asarray(short.bias[...])
        )
        hs = slow.rg_lru(vs, gates[0], biases[0], gates[1], biases[1], Lambda)
        return slow.gelu(both[:, :W]) * hs @ leave + leave_bias

    assert_is(layer, inputs(D), block_of)


def test_rg_lru_starts_with_long_memories():
    """a^c is uniform from 0.9 to 0.999."""
    layer = started(lambda: RGLRU(3, 600, expansion=1, rngs=nnx.Rngs(0)))
    Lambda = np.asarray(layer.recurrent_lambda[...], np.float64)
    slowest = (1 / (1 + np.exp(-Lambda))) ** 8
    assert 0.9 <= slowest.min() + 1e-6 and slowest.max() <= 0.999 + 1e-6
    found = np.quantile(slowest, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, 0.9 + 0.099 * np.array([0.1, 0.5, 0.9]), atol=0.01)


def test_a_closed_rg_lru_has_finite_gradients():
    """With r = 0 exactly a is 1, where the square root has an infinite slope."""
    layer = drawn(lambda: RGLRU(D, H, rngs=nnx.Rngs(0)), np.float32)
    layer.gate_bias[...] = np.full(layer.gate_bias.shape, -1e4, np.float32)
    carry = jax.tree.map(lambda part: part + 1, layer.initial_carry(B, T))
    xs = inputs(D).astype(np.float32)

    @quick_jit
    def run(layer, xs, carry):
        def loss(layer, xs, carry):
            ys, final = layer.unroll(xs, None, carry)
            return ys.sum(), final

        return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(layer, xs, carry)

    (_, final), gradients = run(layer, xs, carry)
    np.testing.assert_array_equal(final.h, 1)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def entrance(width):
    return 0 if width == H else (width + 1) * H


@pytest.mark.parametrize("width", [D, H])
def test_parameters_are_counted_by_hand(width):
    def counted(kind, **options):
        made = jax.eval_shape(lambda: kind(width, H, **options, rngs=nnx.Rngs(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(made))

    N = 6
    full_glu, half_glu = (H + 1) * 2 * H, (H + 1) * H
    enter = entrance(width)
    assert counted(LRU, state=N) == enter + 3 * N + 2 * 2 * N * H + H + full_glu
    assert counted(S5, state=N) == enter + 3 * N // 2 + 2 * N * H + H + half_glu
    assert counted(S4D, state=N) == enter + 2 * N * H + 2 * H + full_glu
    W = 6  # 4/3 times 4, rounded up
    assert counted(RGLRU) == (width + 1) * 2 * W + 5 * W + (W + 1) * 2 * W + W + (W + 1) * H


@pytest.mark.parametrize(
    "kind, options, message",
    [
        (LRU, {"state": 0}, "state must be a whole number of at least 1 or null, not 0"),
        (LRU, {"r_min": 1.0}, "the ring needs 0 <= r_min < r_max <= 1"),
        (LRU, {"max_phase": 0}, "max_phase must be above 0, not 0"),
        (LRU, {"glu": "both"}, "unknown glu 'both': use none, half or full"),
        (S5, {"state": 6, "blocks": 2}, "need a state that is a multiple of 4, not 6"),
        (S5, {"blocks": 0}, "blocks must be a whole number of at least 1, not 0"),
        (S5, {"discretization": "euler"}, "unknown discretization 'euler': use zoh or bilinear"),
        (S5, {"dt_min": 0.2}, "steps need 0 < dt_min <= dt_max, not dt_min=0.2 and dt_max=0.1"),
        (S4D, {"state": 5}, "state must be an even number of at least 2, not 5"),
        (S4D, {"init": "legs"}, "unknown init 'legs': use lin or inv"),
        (RGLRU, {"blocks": 1.5}, "blocks must be a whole number of at least 1, not 1.5"),
        (RGLRU, {"expansion": 0}, "expansion must be a number above 0, not 0"),
    ],
)
def test_impossible_options_are_refused(kind, options, message):
    with pytest.raises(SeqexpError, match=message):
        jax.eval_shape(lambda: kind(D, H, **options, rngs=nnx.Rngs(0)))
