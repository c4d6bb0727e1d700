"""Step Jacobians, Lyapunov exponents and the bound against closed forms and numpy."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

from seqexp.cells import GRU, LSTM, Elman
from seqexp.inspection import lyapunov_exponents, pascanu_bound, step_jacobians
from seqexp.layers import Bidirectional, Recurrent, Variational, Zoneout
from seqexp.models import EncoderDecoder
from seqexp.types import Features, SeqexpError, Sequences, TaskSpec
from tests.inspection.systems import Cache, Linear, Rotating, Weighed, batch, linear, model
from tests.variants import quick_jit

KEY = jax.random.key(0)
TASK = Weighed("sequence", 4, 3)
jacobians = quick_jit(step_jacobians, static_argnums=2, static_argnames=("samples", "spans"))
exponents = quick_jit(
    lyapunov_exponents, static_argnums=2, static_argnames=("count", "warm_up", "prefix")
)


@pytest.fixture(autouse=True)
def precise():
    with jax.enable_x64(True):
        yield


def with_eigenvalues(eigenvalues):
    """A matrix that is not normal, so that its singular values are others."""
    basis = np.random.default_rng(0).normal(size=(len(eigenvalues), len(eigenvalues)))
    return basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)


def test_a_linear_network_has_the_singular_values_of_powers():
    matrix = with_eigenvalues([0.9, -0.5, 0.3])
    inputs = batch(TASK, [9, 3, 0], 9).inputs
    spans = (1, 2, 5)
    found = jacobians(linear(TASK, matrix), inputs, "layer_1", KEY, samples=12, spans=spans)
    assert found.spans.tolist() == list(spans) and set(found.sequences.tolist()) == {0, 1}
    for s, sequence in enumerate(found.sequences):
        assert 0 <= found.starts[s] <= 4 * (sequence == 0)
        for k, span in enumerate(spans):
            assert found.valid[s, k] == (sequence == 0 or span <= 3)
            if not found.valid[s, k]:
                assert np.isnan(found.log_singular_values[s, k]).all()
                continue
            power = np.linalg.matrix_power(matrix, span)
            want = np.log(np.linalg.svd(power, compute_uv=False))
            np.testing.assert_allclose(found.log_singular_values[s, k], want, atol=1e-10)


def test_products_neither_over_nor_underflow():
    """e^2000 and e^-2000 are beyond any float; what is 0 beside the largest says so."""
    spans = (1, 400)
    inputs = batch(TASK, [400], 400).inputs
    for log in (5.0, -5.0):
        matrix = np.diag(np.exp([log, log - 0.01, log - 1]))
        found = jacobians(linear(TASK, matrix), inputs, "layer_1", KEY, samples=1, spans=spans)
        logs = found.log_singular_values[0]
        np.testing.assert_allclose(logs[0], [log, log - 0.01, log - 1], rtol=1e-12)
        np.testing.assert_allclose(logs[1, :2], [400 * log, 400 * log - 4], rtol=1e-10)
        assert logs[1, 2] == -np.inf


def flat_step(chain_step, carry, x):
    """A step of one sequence as a function of a vector, the slow and obvious way."""
    flat, restore = ravel_pytree(carry)
    return lambda v: ravel_pytree(chain_step(restore(v), x)[0])[0], flat


@pytest.mark.parametrize(
    "reverse",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["forward", "backward"],
)
def test_the_jacobians_are_those_of_autodiff(reverse):
    """Of an LSTM's c and h, on top of another layer, in both directions of reading."""
    made = model(TASK, cell=LSTM, features=3, depth=2, bidirectional=True, norm="layer")
    inputs = batch(TASK, [6], 8).inputs
    name = f"layer_2/{'backward' if reverse else 'forward'}"
    found = jacobians(made, inputs, name, KEY, samples=3, spans=(1, 3))

    @quick_jit
    def steps():
        below = made(Sequences(inputs.values[:, :6], inputs.lengths)).hidden[0]
        xs = made.stack.norms[1](below)
        layer = made.layers[1].backward if reverse else made.layers[1].forward
        carry, found = layer.initial_carry(1, 1), []
        for t in range(6)[:: -1 if reverse else 1]:
            found.append(
                jax.jacfwd(flat_step(layer.cell.step, carry, xs[:, t])[0])(
                    flat_step(layer.cell.step, carry, xs[:, t])[1]
                )
            )
            carry, _ = layer.cell.step(carry, xs[:, t])
        return jnp.stack(found)

    each = np.asarray(steps())
    assert found.valid.all() and each.shape == (6, 6, 6)
    for s, start in enumerate(found.starts):
        one, two, three = each[start : start + 3]
        for k, product in enumerate((one, three @ two @ one)):
            want = np.linalg.svd(product, compute_uv=False)
            np.testing.assert_allclose(
                np.exp(found.log_singular_values[s, k]), want, rtol=1e-8, atol=1e-14
            )


def test_a_linear_network_has_the_logs_of_its_eigenvalues():
    eigenvalues = np.array([1.1, -0.6, 0.3])
    made = linear(TASK, with_eigenvalues(eigenvalues))
    inputs = batch(TASK, [200, 120, 60, 0], 200).inputs
    found = exponents(made, inputs, "layer_1", KEY, count=3, warm_up=60)
    assert found.steps.tolist() == [140, 60, 0, 0]
    want = np.log(np.abs(eigenvalues))
    np.testing.assert_allclose(found.exponents[:2], [want, want], atol=1e-10)
    assert np.isnan(found.exponents[2:]).all()
    few = exponents(made, inputs, "layer_1", jax.random.key(1), count=1, warm_up=60)
    np.testing.assert_allclose(few.exponents[:2, 0], want[0], atol=1e-10)


def test_complex_eigenvalues_are_pairs():
    known = {"eigenvalues": np.array([0.9j, 0.5 - 0.5j])}
    made = model(TASK, known=known, layers=[Rotating], features=2)
    inputs = batch(TASK, [80], 80).inputs
    found = exponents(made, inputs, "layer_1", KEY, count=4, warm_up=79)
    want = np.log(np.repeat(np.abs(known["eigenvalues"]), 2))
    np.testing.assert_allclose(found.exponents[0], want, atol=1e-10)
    spectrum = jacobians(made, inputs, "layer_1", KEY, samples=1, spans=(3,))
    np.testing.assert_allclose(spectrum.log_singular_values[0, 0], 3 * want, atol=1e-10)


def test_the_sum_of_all_exponents_is_the_mean_log_determinant():
    """Of any network, whatever it begins with: |det Q| = 1."""
    made = model(TASK, cell=GRU, features=3)
    inputs = batch(TASK, [20], 20).inputs
    found = exponents(made, inputs, "layer_1", KEY, count=3, warm_up=0)
    cell = made.layers[0].cell

    @quick_jit
    def log_determinants():
        def one(carry, x):
            step, flat = flat_step(cell.step, carry, x)
            return cell.step(carry, x)[0], jnp.linalg.slogdet(jax.jacfwd(step)(flat))[1]

        xs = jnp.swapaxes(inputs.values, 0, 1)
        return jax.lax.scan(one, cell.initial_carry(1), xs)[1]

    np.testing.assert_allclose(found.exponents.sum(), log_determinants().mean(), rtol=1e-10)


def test_padding_never_matters():
    made = model(TASK, cell=GRU, bidirectional=True)
    short, long = (batch(TASK, [6, 4, 0], steps).inputs for steps in (6, 9))
    read = {"samples": 4, "spans": (1, 5)}
    one, other = (jacobians(made, each, "layer_1/backward", KEY, **read) for each in (short, long))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), one, other)
    read = {"count": 2, "warm_up": 2}
    one, other = (exponents(made, each, "layer_1/backward", KEY, **read) for each in (short, long))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), one, other)


def test_an_encoder_and_a_decoder_are_inspected_each_on_what_it_reads():
    spec = TaskSpec(Features(4), "free", 5, 6, False, max_answer_length=7, start=0, end=1)

    def make():
        return EncoderDecoder(
            spec,
            features=3,
            depth=1,
            dropout=0.0,
            residual=False,
            norm="none",
            attention=None,
            bidirectional=False,
            layers=[lambda d, h, rngs: Recurrent(GRU(d, h, rngs=rngs))],
            rngs=nnx.Rngs(0),
        )

    rng = np.random.default_rng(0)
    made = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), jax.eval_shape(make))
    inputs = batch(TASK, [6, 2], 6).inputs
    prefix = Sequences(jnp.ones((2, 7), jnp.int32), jnp.array([4, 7]))

    @quick_jit
    def steps():
        return [
            lyapunov_exponents(made, inputs, name, KEY, prefix=prefix, count=1, warm_up=0).steps
            for name in ("layer_1", "layer_2")
        ]

    assert [each.tolist() for each in steps()] == [[6, 2], [4, 7]]


def test_products_of_a_tanh_network_stay_within_the_bound():
    made = model(TASK, cell=Elman, features=5)
    inputs = batch(TASK, [20], 20).inputs
    spans = (1, 2, 4, 8)
    found = jacobians(made, inputs, "layer_1", KEY, samples=4, spans=spans)
    kernel = np.asarray(made.layers[0].cell.recurrent_kernel)
    bound = np.linalg.svd(kernel, compute_uv=False)[0] ** np.array(spans)
    np.testing.assert_allclose(pascanu_bound(made.layers[0], jnp.array(spans)), bound, rtol=1e-12)
    assert (np.exp(found.log_singular_values[..., 0]) <= bound * (1 + 1e-12)).all()


def test_the_bound_is_for_elman_alone():
    def elman():
        return Elman(2, 3, recurrent_init="identity", recurrent_scale=0.5, rngs=nnx.Rngs(0))

    wrapped = Recurrent(Variational(elman(), input_rate=0.1, hidden_rate=0.1))
    assert pascanu_bound(wrapped, jnp.arange(3)).tolist() == [1.0, 0.5, 0.25]
    with pytest.raises(SeqexpError, match="not defined for Zoneout"):
        pascanu_bound(Recurrent(Zoneout(elman(), rate=0.1)), jnp.arange(3))
    with pytest.raises(SeqexpError, match="give its forward or its backward"):
        pascanu_bound(Bidirectional(elman(), elman()), jnp.arange(3))


def test_what_is_not_defined_says_why():
    inputs = batch(TASK, [4], 4).inputs
    made = model(TASK, layers=[Cache, Linear])
    with pytest.raises(SeqexpError, match="layer_1 carries grows with the sequence"):
        step_jacobians(made, inputs, "layer_1", KEY)
    with pytest.raises(SeqexpError, match="no chain 'layer_3': choose from layer_1, layer_2"):
        lyapunov_exponents(made, inputs, "layer_3", KEY)
    with pytest.raises(SeqexpError, match="1 to 4 Lyapunov exponents, not 5"):
        lyapunov_exponents(made, inputs, "layer_2", KEY, count=5, warm_up=0)
    with pytest.raises(SeqexpError, match="from 0 to 3, not 4"):
        lyapunov_exponents(made, inputs, "layer_2", KEY, count=1, warm_up=4)
    with pytest.raises(SeqexpError, match="spans ascend"):
        step_jacobians(made, inputs, "layer_2", KEY, spans=(2, 1))
