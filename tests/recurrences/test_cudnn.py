"""cuDNN's LSTM against our own scan.

Without a GPU, JAX's two cuDNN operations run by JAX's reference instead, and everything around
them is the real thing; with one, the same tests run cuDNN.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental import rnn
from jax.interpreters import mlir

from seqexp.cells import LSTM
from seqexp.costs import Flops, count
from seqexp.layers import Bidirectional, Recurrent
from seqexp.recurrences import cudnn, lstm
from seqexp.types import SeqexpError
from tests.full import full
from tests.variants import drawn, quick_jit, unroll_layer

T, B, D, H = 5, 4, 3, 2
RAGGED = np.arange(T)[:, None] < np.array([3, 0, T, 1])
ON_GPU = cudnn.available()
TOLERANCE = 1e-4 if ON_GPU else 1e-5


def reference(x, h, c, weights, lengths, *, input_size, hidden_size, **options):
    assert (options["num_layers"], options["bidirectional"]) == (1, False)
    assert not options["cudnn_allow_tf32"]
    unpacked = rnn.unpack_lstm_weights(weights, input_size, hidden_size, 1, False)
    return rnn.lstm_ref(x, h, c, *unpacked, lengths, input_size, hidden_size, 1, 0.0, False)


def forward(x, h, c, weights, lengths, **options):
    y, *final = reference(x, h, c, weights, lengths, **options)
    return spoilt(y, lengths), *final, jnp.zeros(1)


def backward(dy, dh, dc, x, h, c, weights, y, reserve, lengths, **options):
    _, pull = jax.vjp(partial(reference, lengths=lengths, **options), x, h, c, weights)
    dx, *others = pull((dy, dh, dc))
    return spoilt(dx, lengths), *others


def spoilt(array, lengths):
    """Not a number where cuDNN promises none: at padding, and at all if a length is 0."""
    good = (jnp.arange(array.shape[1]) < lengths[:, None]) & jnp.all(lengths > 0)
    return jnp.where(good[..., None], array, jnp.nan)


@pytest.fixture
def cudnn_or_reference(monkeypatch):
    """cuDNN, or what stands for it."""
    if ON_GPU:
        with jax.default_matmul_precision("highest"):
            yield
        return
    sizes = SimpleNamespace(compute_rnn_workspace_reserve_space_sizes=lambda *_: (1, 1))
    monkeypatch.setattr(rnn, "gpu_rnn", sizes)
    monkeypatch.setattr(cudnn, "available", lambda: True)
    for primitive, run in ((rnn.rnn_fwd_p, forward), (rnn.rnn_bwd_p, backward)):
        mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=True), "cpu")
    yield


def arrays(steps=T, batch=B, inputs=D, units=H, seed=0):
    """xs, W, U, b, and a first carry that is not zero."""
    rng = np.random.default_rng(seed)
    shapes = [(steps, batch, inputs), (inputs, 4 * units), (units, 4 * units), (4 * units,)]
    drawn = [rng.normal(0, 0.7, shape) for shape in (*shapes, (batch, units), (batch, units))]
    for kernel in drawn[1:3]:
        kernel /= np.sqrt(len(kernel))  # Larger ones are chaotic over many steps.
    return [array.astype(np.float32) for array in drawn]


def with_gradients(unroll, mask, reverse):
    """A function of the arrays that gives outputs, final carry, and a gradient for each."""

    def score(inputs):
        results = unroll(*inputs, mask, reverse)
        return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results)), results

    return jax.value_and_grad(score, has_aux=True)


def agree(got, want, tolerance=TOLERANCE):
    """Gradients are sums over many steps, so of each array the largest number sets the scale."""
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", [None, RAGGED], ids=["full", "ragged"])
def test_outputs_final_carry_and_gradients_are_those_of_the_scan(cudnn_or_reference, mask, reverse):
    ours, theirs = (
        quick_jit(with_gradients(module.unroll, mask, reverse))(arrays())
        for module in (lstm, cudnn)
    )
    agree(theirs, ours)


def test_members_under_vmap_are_each_alone(cudnn_or_reference):
    members = [arrays(seed=seed) for seed in range(2)]
    run = with_gradients(cudnn.unroll, RAGGED, True)
    together = quick_jit(jax.vmap(run))(jax.tree.map(lambda *parts: np.stack(parts), *members))
    alone = [quick_jit(run)(member) for member in members]
    agree(together, jax.tree.map(lambda *parts: np.stack(parts), *alone))


def cell(**options):
    return drawn(lambda: LSTM(D, H, **options, rngs=nnx.Rngs(0)), np.float32)


LAYERS = {
    "recurrent": lambda **options: Recurrent(cell(**options)),
    "checkpointed": lambda **options: Recurrent(cell(**options), reverse=True, remat=2),
    "bidirectional": lambda **options: Bidirectional(cell(**options), cell(**options)),
    "together": lambda **options: Bidirectional(cell(**options), cell(**options), together=True),
}


@pytest.mark.parametrize(
    "name", [full(name) if name in ("checkpointed", "bidirectional") else name for name in LAYERS]
)
def test_layers_run_on_either_implementation(cudnn_or_reference, name):
    xs, lengths = np.swapaxes(arrays()[0], 0, 1), RAGGED.sum(0)

    def gradients(layer):
        graph, params = nnx.split(layer)

        def score(params, xs):
            ys, carry = unroll_layer(nnx.merge(graph, params), xs, lengths)
            return sum(jnp.sum(jnp.sin(part)) for part in (ys, *jax.tree.leaves(carry))), ys

        run = jax.value_and_grad(score, (0, 1), has_aux=True)
        assert ("rnn_fwd" in str(jax.make_jaxpr(run)(params, xs))) == (layer is theirs)
        return quick_jit(run)(params, xs)

    ours, theirs = LAYERS[name](), LAYERS[name](implementation="cudnn")
    agree(gradients(theirs), gradients(ours))


def test_dropout_inside_a_step_goes_by_the_scan(cudnn_or_reference):
    masks = {"hidden": 2 * jnp.ones((1, B, H))}
    ours, theirs = (
        quick_jit(cell(implementation=name).unroll)(arrays()[0], dropout=masks)
        for name in ("scan", "cudnn")
    )
    agree(theirs, ours, tolerance=0)


def test_flops_are_the_products_of_the_scan_and_nearly_all_else(cudnn_or_reference):
    inputs = arrays(7, 3, 40, 64)
    runs = (partial(module.unroll, mask=None, reverse=False) for module in (lstm, cudnn))
    ours, theirs = (count(run, *inputs) for run in runs)
    assert theirs == Flops(
        matmul=2 * 7 * 3 * (40 + 64 + 1) * 4 * 64,
        elementwise=8 * 7 * 3 * 64,
        transcendental=5 * 7 * 3 * 64,
    )
    assert theirs.matmul == ours.matmul
    ours, theirs = (
        count(with_gradients(module.unroll, None, False), inputs) for module in (lstm, cudnn)
    )
    assert theirs.matmul == ours.matmul
    assert theirs.total == pytest.approx(ours.total, rel=0.02)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"implementation": "fast"}, "unknown implementation 'fast': use scan or cudnn"),
        *(
            ({"implementation": "cudnn", **variant}, "plain LSTM only: leave out peepholes")
            for variant in (
                {"peepholes": True},
                {"coupled": True},
                {"layer_norm": True},
                {"projection": 2},
            )
        ),
    ],
)
def test_what_cudnn_does_not_know_is_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        LSTM(D, H, **options, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("platform, version", [("cpu", "cpu"), ("tpu", ""), ("gpu", "rocm 60300")])
def test_other_devices_than_nvidias_are_refused(monkeypatch, platform, version):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    client = SimpleNamespace(platform_version=version)
    monkeypatch.setattr(cudnn.backend, "get_backend", lambda: client)
    with pytest.raises(SeqexpError, match="needs an NVIDIA GPU.*use implementation=scan"):
        LSTM(D, H, implementation="cudnn", rngs=nnx.Rngs(0))
    client.platform_version = "PJRT C API\ncuda 12080"
    assert cudnn.available() == (platform == "gpu")


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float64])
def test_anything_but_float32_is_refused(dtype):
    inputs: Any = [array.astype(dtype) for array in arrays()]
    with pytest.raises(SeqexpError, match="computes in float32 only.*use implementation=scan"):
        cudnn.unroll(*inputs, mask=None, reverse=False)


@pytest.mark.skipif(not ON_GPU, reason="needs an NVIDIA GPU: without one, cuDNN itself is untested")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_cudnn_is_our_scan_at_a_size_of_use(cudnn_or_reference, ragged, reverse):
    steps, batch, inputs, units = 60, 33, 20, 64
    lengths = np.random.default_rng(1).integers(0, steps + 1, batch)
    mask = np.arange(steps)[:, None] < lengths if ragged else None
    ours, theirs = (
        jax.jit(with_gradients(module.unroll, mask, reverse))(arrays(steps, batch, inputs, units))
        for module in (lstm, cudnn)
    )
    agree(theirs, ours)
