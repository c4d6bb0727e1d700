"""The cells against their papers: outputs, sizes, starts, what they refuse, and extremes."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import (
    LEM,
    MGU,
    QRNN,
    SLSTM,
    SRU,
    UGRNN,
    AntisymmetricRNN,
    CoRNN,
    ExpRNN,
    IndRNN,
)
from seqexp.layers import DropConnect, RecurrentDropout, Variational, Zoneout
from seqexp.types import SeqexpError
from tests.full import full
from tests.references import nonlinear_cells as papers
from tests.variants import drawn, quick_jit

D, H, T = 3, 4, 7


def blocks(matrix, names):
    """Column blocks, transposed, by name."""
    return dict(zip(names, np.split(np.asarray(matrix).T, len(names)), strict=True))


def strict_upper(vector, n=H):
    upper = np.zeros((n, n))
    numbers = iter(np.asarray(vector))
    for row in range(n):
        for column in range(row + 1, n):
            upper[row, column] = next(numbers)
    return upper


def of_mgu(cell, xs):
    W = blocks(cell.input_kernel[...], ["f", "h"])
    U = blocks(cell.recurrent_kernel[...], ["f", "h"])
    b = blocks(cell.bias[...], ["f", "h"])
    p = {f"W_{g}": np.concatenate([U[g], W[g]], axis=1) for g in "fh"}
    return papers.mgu(p | {f"b_{g}": b[g] for g in "fh"}, xs)


def of_ugrnn(cell, xs):
    p = blocks(cell.input_kernel[...], ["W_gx", "W_cx"])
    p |= blocks(cell.recurrent_kernel[...], ["W_gh", "W_ch"])
    return papers.ugrnn(p | blocks(cell.bias[...], ["b_g", "b_c"]), xs)


def of_indrnn(cell, xs):
    u = np.clip(cell.recurrent_weights[...], -1, 1)
    p = {"W": np.asarray(cell.input_kernel[...]).T, "u": u, "b": np.asarray(cell.bias[...])}
    return papers.indrnn(p, xs)


def of_sru(cell, xs):
    names = ["W_f", "W_r", "W", "W_x"]
    p = blocks(cell.input_kernel[...], names if xs.shape[1] != H else names[:3])
    p |= dict(zip(["v_f", "v_r"], np.asarray(cell.recurrent_weights[...]), strict=True))
    return papers.sru(p | blocks(cell.bias[...], ["b_f", "b_r"]), xs, alpha=math.sqrt(3))


def of_qrnn(cell, xs):
    window = cell.window
    kernel = np.asarray(cell.input_kernel[...]).reshape(window, -1, 3 * H)
    lags = [blocks(lag, "zfo") for lag in kernel]
    p = {f"W_{g}": np.stack([lag[g] for lag in lags]) for g in "zfo"}
    return papers.qrnn(p | blocks(cell.bias[...], ["b_z", "b_f", "b_o"]), xs, window)


def of_antisymmetric(cell, xs):
    gates = "hz" if cell.gated else "h"
    p = blocks(cell.input_kernel[...], [f"V_{g}" for g in gates])
    p |= blocks(cell.bias[...], [f"b_{g}" for g in gates])
    # Rows times M are columns times its transpose.
    p["W_h"] = strict_upper(cell.recurrent_skew[...]).T
    return papers.antisymmetric(p, xs, cell.gated, epsilon=0.1, gamma=0.01)


def of_cornn(cell, xs):
    U = np.asarray(cell.recurrent_kernel[...])
    p = {"W": U[:H].T, "W_z": U[H:].T, "V": np.asarray(cell.input_kernel[...]).T}
    return papers.cornn(p | {"b": np.asarray(cell.bias[...])}, xs, 0.042, 2.7, 4.7)


def of_lem(cell, xs):
    p = blocks(cell.input_kernel[...], ["V_1", "V_2", "V_z", "V_y"])
    p |= blocks(cell.recurrent_kernel[...], ["W_1", "W_2", "W_z", "W_y"])
    return papers.lem(p | blocks(cell.bias[...], ["b_1", "b_2", "b_z", "b_y"]), xs, cell.time_step)


def of_exprnn(cell, xs):
    A = strict_upper(cell.recurrent_skew[...]).T
    p = {"A": A, "T": np.asarray(cell.input_kernel[...]).T, "b": np.asarray(cell.bias[...])}
    return papers.exprnn(p, xs)


def of_slstm(cell, xs):
    p = blocks(cell.input_kernel[...], [f"W_{g}" for g in "zifo"])
    p |= blocks(cell.bias[...], [f"b_{g}" for g in "zifo"])
    heads = np.asarray(cell.recurrent_kernel[...])
    units = heads.shape[1]
    for place, gate in enumerate("zifo"):
        R = np.zeros((cell.features, cell.features))
        for head, kernel in enumerate(heads):
            own = slice(head * units, (head + 1) * units)
            R[own, own] = kernel[:, place * units : (place + 1) * units].T
        p[f"R_{gate}"] = R
    hs = papers.slstm(p, xs, cell.forget)
    return hs if cell.projection is None else hs @ np.asarray(cell.projection[...])


PAPERS = [
    (MGU, {}, of_mgu, D),
    (UGRNN, {}, of_ugrnn, D),
    (IndRNN, {}, of_indrnn, D),
    (SRU, {}, of_sru, D),
    full(SRU, {}, of_sru, H),
    (QRNN, {}, of_qrnn, D),
    full(QRNN, {"window": 1}, of_qrnn, D),
    full(AntisymmetricRNN, {}, of_antisymmetric, D),
    (AntisymmetricRNN, {"gated": True}, of_antisymmetric, D),
    (CoRNN, {}, of_cornn, D),
    (LEM, {"time_step": 0.5}, of_lem, D),
    (ExpRNN, {}, of_exprnn, D),
    (SLSTM, {"heads": 2}, of_slstm, D),
    full(SLSTM, {"heads": 1, "forget": "exponential"}, of_slstm, D),
    full(SLSTM, {"heads": 3}, of_slstm, D),
]


@quick_jit
def outputs(cell, xs):
    return cell.unroll(xs[:, None])[0][:, 0]


@pytest.mark.parametrize(("kind", "options", "of", "width"), PAPERS)
def test_a_cell_is_its_papers_equations(kind, options, of, width):
    with jax.enable_x64(True):
        cell = drawn(lambda: kind(width, H, **options, rngs=nnx.Rngs(0)))
        xs = np.random.default_rng(1).normal(size=(T, width))
        np.testing.assert_allclose(outputs(cell, xs), of(cell, xs), rtol=1e-10, atol=1e-10)


def skew(n):
    return n * (n - 1) // 2


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (MGU, {}, 2 * (D * H + H * H + H)),
        (UGRNN, {}, 2 * (D * H + H * H + H)),
        (IndRNN, {}, D * H + 2 * H),
        (SRU, {}, 4 * D * H + 4 * H),
        (QRNN, {"window": 2}, 3 * (2 * D * H + H)),
        (QRNN, {"window": 1}, 3 * (D * H + H)),
        (AntisymmetricRNN, {}, D * H + skew(H) + H),
        (AntisymmetricRNN, {"gated": True}, 2 * D * H + skew(H) + 2 * H),
        (CoRNN, {}, D * H + 2 * H * H + H),
        (LEM, {}, 4 * (D * H + H * H + H)),
        (ExpRNN, {}, D * H + skew(H) + H),
        (SLSTM, {"heads": 2}, 4 * (D * H + H * H // 2 + H)),
        # Three heads of two units each, and a projection of the six to four.
        (SLSTM, {"heads": 3}, 4 * (D * 6 + 3 * 2 * 2 + 6) + 6 * 4),
    ],
)
def test_a_cell_has_as_many_parameters_as_its_equations(kind, options, expected):
    cell = jax.eval_shape(lambda: kind(D, H, **options, rngs=nnx.Rngs(0)))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(cell)) == expected


GATED = {"gated": True}


def test_an_sru_of_its_inputs_width_has_no_kernel_for_what_passes_through():
    cell = jax.eval_shape(lambda: SRU(H, H, rngs=nnx.Rngs(0)))
    assert cell.input_kernel.shape == (H, 3 * H)


def built(make: Any) -> Any:
    """What `make` makes of keys, compiled as one program."""
    return quick_jit(lambda: make(nnx.Rngs(0)))()


def spread(values, bound):
    """Whether many numbers fill [-bound, bound], and no more."""
    return 0.8 * bound < np.abs(values).max() <= bound and np.abs(np.mean(values)) < 0.2 * bound


def test_gates_start_as_published():
    still: Any = jax.nn.initializers.zeros
    options: dict[str, Any] = {"input_init": still, "recurrent_init": still}
    ugrnn, mgu, indrnn, cell, slstm = built(
        lambda rngs: (
            UGRNN(D, 2, forget_bias=1.5, **options, rngs=rngs),
            MGU(D, 2, **options, rngs=rngs),
            IndRNN(D, 100, recurrent_limit=1.5, input_init=still, rngs=rngs),
            SRU(12, 50, highway_bias=-2.0, rngs=rngs),
            SLSTM(D, 6, heads=2, input_init=still, rngs=rngs),
        )
    )
    np.testing.assert_array_equal(ugrnn.bias[...], [1.5, 1.5, 0, 0])
    np.testing.assert_array_equal(mgu.bias[...], np.zeros(4))
    u = np.asarray(indrnn.recurrent_weights[...])
    assert 0 <= np.min(u) < 0.1 and 1.4 < np.max(u) <= 1.5
    gates, rest = np.split(np.asarray(cell.input_kernel[...]), [100], axis=1)
    assert spread(gates, 0.125**0.5) and spread(rest, 0.5)
    assert spread(cell.recurrent_weights[...], 1.5**0.5)
    np.testing.assert_array_equal(cell.bias[...], [0] * 50 + [-2] * 50)
    assert cell.scale == math.sqrt(1 + 2 * math.exp(-2))
    z, i, f, o = np.split(np.asarray(slstm.bias[...]), 4)
    np.testing.assert_allclose(f, [5, 5 - 12 * 0.5**0.3, -7] * 2, rtol=1e-5)
    assert not any(map(np.any, (z, i, o, slstm.recurrent_kernel[...])))


def test_networks_of_differential_equations_start_as_published():
    cell, *scaled = built(
        lambda rngs: (
            AntisymmetricRNN(25, 100, recurrent_scale=2.0, rngs=rngs),
            CoRNN(9, 20, rngs=rngs),
            LEM(9, 25, rngs=rngs),
        )
    )
    assert abs(np.std(cell.input_kernel[...]) - 1 / 5) < 0.02
    assert abs(np.std(cell.recurrent_skew[...]) - 2 / 10) < 0.02
    for cell, bound in zip(scaled, (1 / 7, 1 / 5), strict=True):
        assert spread(cell.input_kernel[...], bound) and spread(cell.recurrent_kernel[...], bound)


def test_an_antisymmetric_network_has_eigenvalues_of_minus_the_diffusion_and_imaginary_ones():
    cell = drawn(lambda: AntisymmetricRNN(2, 5, diffusion=0.25, rngs=nnx.Rngs(0)), np.float32)
    (kernel,) = cell.kernels()
    values = np.linalg.eigvals(np.asarray(kernel, np.float64))
    np.testing.assert_allclose(values.real, -0.25, atol=1e-5)
    assert np.abs(values.imag).max() > 0.5


def with_kernels(width, features, start, rngs):
    cell = ExpRNN(width, features, recurrent_init=start, rngs=rngs)
    return cell, cell.kernels()


@pytest.mark.parametrize(("start", "bound"), [full("henaff", math.pi), ("cayley", 1.0)])
def test_an_orthogonal_network_starts_with_rotations(start, bound):
    cell, (kernel,) = built(lambda rngs: with_kernels(50, 41, start, rngs))
    kernel = np.asarray(kernel, np.float64)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(41), atol=1e-5)
    angles = np.abs(np.angle(np.linalg.eigvals(kernel)))
    # Twenty pairs of units turn, and the last stays as it is.
    assert np.sum(angles < 1e-6) == 1 and 0.8 * bound < angles.max() <= bound + 1e-6
    s = strict_upper(cell.recurrent_skew[...], 41)
    assert np.count_nonzero(s) == 20 and np.all(s.diagonal(1)[1::2] == 0)
    assert start == "henaff" or np.all(s <= 0)
    assert abs(np.std(cell.input_kernel[...]) - math.sqrt(2 / 50)) < 0.02
    assert spread(cell.bias[...], 0.01)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (IndRNN, {"recurrent_limit": 0}, "recurrent_limit must be a number above 0, not 0"),
        (QRNN, {"window": 3}, "window must be 1 or 2, not 3"),
        (AntisymmetricRNN, {"step_size": -1}, "step_size must be a number above 0, not -1"),
        (AntisymmetricRNN, {"diffusion": -1}, "diffusion must be a number of at least 0, not -1"),
        (CoRNN, {"damping": float("nan")}, "damping must be a number of at least 0, not nan"),
        (LEM, {"time_step": 2}, "time_step must be a number above 0 and at most 1, not 2"),
        (ExpRNN, {"recurrent_init": "eye"}, "unknown recurrent_init 'eye': use henaff or cayley"),
        (SLSTM, {"heads": 0}, "heads must be a whole number of at least 1, not 0"),
        (SLSTM, {"forget": "tanh"}, "unknown forget 'tanh': use sigmoid or exp"),
    ],
)
def test_impossible_options_are_refused(kind, options, message):
    with pytest.raises(SeqexpError, match=message):
        kind(D, H, **options, rngs=nnx.Rngs(0))


def hidden(cell):
    return Variational(cell, input_rate=0.1, hidden_rate=0.1)


def update(cell):
    return RecurrentDropout(cell, rate=0.1)


def kernel(cell):
    return DropConnect(cell, rate=0.1)


def zone(cell):
    return Zoneout(cell, rate=0.1)


REFUSED = {
    hidden: {"SRU", "QRNN", "SLSTM"},
    update: {"IndRNN", "ExpRNN"},
    kernel: {"SRU", "QRNN", "IndRNN", "ExpRNN", "AntisymmetricRNN"},
    zone: {"SLSTM"},
}
"""Of an sLSTM with a projection, as it is here, the units that are hidden are not the outputs."""


@pytest.mark.parametrize("wrap", REFUSED, ids=lambda wrap: wrap.__name__)
def test_dropout_that_makes_no_sense_is_refused(wrap):
    for kind in (MGU, UGRNN, IndRNN, SRU, QRNN, AntisymmetricRNN, CoRNN, LEM, ExpRNN, SLSTM):
        options: dict[str, Any] = {"heads": 3} if kind is SLSTM else {}

        def build(kind=kind, options=options):
            return wrap(kind(D, H, **options, rngs=nnx.Rngs(0)))

        if kind.__name__ in REFUSED[wrap]:
            with pytest.raises(SeqexpError, match=": use"):
                jax.eval_shape(build)
        else:
            jax.eval_shape(build)


def test_zoneout_keeps_states_and_never_an_earlier_input():
    """Zoneout of c is the paper's dropout, of 1 - f (Bradbury et al. 2017, equation 6)."""
    cell = drawn(lambda: QRNN(D, H, rngs=nnx.Rngs(0)), np.float32)
    carry = jax.tree.map(lambda part: part + 0.5, cell.initial_carry(1))
    x = jnp.ones((1, D))
    new, _ = cell.step(carry, x)
    zoned, _ = Zoneout(cell, rate=0.25).step(carry, x)
    np.testing.assert_array_equal(zoned.x, x)
    np.testing.assert_allclose(zoned.c, 0.25 * carry.c + 0.75 * new.c, rtol=1e-6)
    with pytest.raises(SeqexpError, match=r"carry consists of \['c', 'h'\]"):
        Zoneout(cell, rate={"c": 0.5, "h": 0, "x": 0})


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SLSTM, {"heads": 3, "forget": "exponential"}),
        (QRNN, {"window": 1}),
        (AntisymmetricRNN, GATED),
    ],
)
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("scale", [1e3, 0.0])
def test_saturated_gates_give_finite_outputs_and_gradients_in_float32(kind, options, steps, scale):
    cell = drawn(lambda: kind(D, H, **options, rngs=nnx.Rngs(0)), np.float32)
    xs = (scale * np.random.default_rng(1).normal(size=(steps, 2, D))).astype(np.float32)

    def loss(cell, xs):
        ys, final = cell.unroll(xs)
        return sum(jnp.sum(part) for part in jax.tree.leaves((ys, final)))

    results = quick_jit(jax.value_and_grad(loss, argnums=(0, 1)))(cell, xs)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(results))


def test_an_slstm_forgets_by_a_gate_that_is_shut_and_keeps_by_one_that_is_open():
    """With i far below and then far above what exp holds in float32."""
    cell = drawn(lambda: SLSTM(1, 1, heads=1, rngs=nnx.Rngs(0)), np.float32)
    cell.input_kernel[...] = jnp.array([[1.0, 1000.0, 0.0, 0.0]])
    cell.recurrent_kernel[...] = jnp.zeros((1, 1, 4))
    cell.bias[...] = jnp.array([0.0, 0.0, 20.0, 20.0])
    ys, _ = cell.unroll(jnp.array([-0.5, -1.0, 0.7, 0.1, 0.6])[:, None, None])
    first, last = np.tanh(-0.5), np.tanh(0.7)
    np.testing.assert_allclose(ys[:, 0, 0], [first, first, last, last, last], atol=1e-5)
