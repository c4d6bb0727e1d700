"""Memory curves and responses against layers whose memory is known."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp import inspection
from seqexp.cells import GRU
from seqexp.inspection import model_memory
from seqexp.types import Features, SeqexpError, Sequences, Tokens
from tests.inspection.linear_layers import Linear, delay_line
from tests.inspection.models import (
    FREE,
    LENGTHS,
    V,
    bag_of_words,
    batch,
    encoder_decoder,
    sequence_model,
    spec,
)
from tests.variants import quick_jit

KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


layer_memory = quick_jit(
    inspection.layer_memory, static_argnames=("batch_size", "length", "max_lag", "scale")
)
memory_curve = quick_jit(inspection.memory_curve, static_argnames="max_lag")
token_memory = quick_jit(inspection.token_memory, static_argnames=("size", "max_lag"))


def test_a_delay_line_remembers_as_many_inputs_as_it_holds():
    found = layer_memory(delay_line(5), KEY, batch_size=8, length=400, max_lag=12)
    np.testing.assert_allclose(found.curve[:5], 1, atol=1e-9)
    np.testing.assert_allclose(found.curve[5:], 0, atol=0.02)
    assert float(found.capacity) == pytest.approx(5, abs=0.05)


def test_a_linear_network_remembers_as_many_numbers_as_it_has_units():
    """The curve is v_k C^-1 v_k with v_k = W A^k and C the sum of their outer products (White, Lee
    and Sompolinsky 2004, https://doi.org/10.1103/PhysRevLett.92.148102, without noise)."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    A = basis @ np.diag([0.9, 0.7, -0.6, -0.85]) @ basis.T
    W = rng.normal(size=(1, 4))
    found = layer_memory(Linear(A, W), KEY, batch_size=16, length=4000, max_lag=60)
    vectors = [W[0]]
    for _ in range(400):
        vectors.append(vectors[-1] @ A)
    v = np.array(vectors)
    curve = np.einsum("kp,pq,kq->k", v, np.linalg.inv(v.T @ v), v)
    np.testing.assert_allclose(found.curve, curve[:61], atol=0.03)
    assert float(found.capacity) == pytest.approx(4, abs=0.15)


def test_inputs_of_several_features_are_each_remembered():
    """A line for the first of two inputs, none for the second."""
    layer = Linear(np.eye(3, k=1), np.array([[1.0, 0, 0], [0, 0, 0]]))
    found = layer_memory(layer, KEY, batch_size=8, length=300, max_lag=5)
    np.testing.assert_allclose(found.by_input[:, 0], [1, 1, 1, 0, 0, 0], atol=0.03)
    np.testing.assert_allclose(found.by_input[:, 1], 0, atol=0.03)
    np.testing.assert_allclose(found.curve, found.by_input.mean(1), rtol=1e-12)


def test_a_line_of_tokens_says_each_that_it_holds():
    rng = np.random.default_rng(0)
    tokens = rng.choice(4, (8, 300), p=[0.4, 0.3, 0.2, 0.1])
    lengths = np.array([300, 250, 0, 300, 300, 300, 120, 200])
    states = np.concatenate([np.eye(4)[np.roll(tokens, lag, axis=1)] for lag in range(3)], axis=-1)
    found = token_memory(
        jnp.array(states), Sequences(jnp.array(tokens), jnp.array(lengths)), size=4, max_lag=6
    )
    np.testing.assert_allclose(found.accuracy[:3], 1)
    np.testing.assert_allclose(found.curve[:3], 1)
    np.testing.assert_allclose(found.curve[3:], 0, atol=0.06)
    assert np.all((found.chance > 0.3) & (found.chance < 0.5))
    assert float(found.capacity) == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("tokens", [True, False])
def test_padding_remembers_nothing(tokens):
    rng = np.random.default_rng(0)
    lengths = np.array([40, 33, 4, 40, 0, 29, 40, 38])
    inputs = rng.integers(0, 3, (8, 40)) if tokens else rng.normal(size=(8, 40, 2))
    states = rng.normal(size=(8, 40, 5))

    def found(more):
        filling = np.full((8, more, *inputs.shape[2:]), 1 if tokens else np.nan)
        values = np.concatenate([inputs, filling], 1).astype(inputs.dtype)
        padded = np.concatenate([states, np.full((8, more, 5), np.nan)], 1)
        values = Sequences(jnp.array(values), jnp.array(lengths))
        if tokens:
            return token_memory(jnp.array(padded), values, size=3, max_lag=4)
        return memory_curve(jnp.array(padded), values, max_lag=4)

    for here, there in zip(found(0), found(3), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-8, atol=1e-10)
        assert np.isfinite(here).all()


def test_a_memory_needs_sequences_and_lags_that_fit():
    inputs = Sequences(np.zeros((3, 9, 1)), np.full(3, 9))  # type: ignore[arg-type]
    with pytest.raises(SeqexpError, match="needs 4 sequences"):
        inspection.memory_curve(jnp.zeros((3, 9, 2)), inputs, 4)
    with pytest.raises(SeqexpError, match="max_lag must be from 0 to 8"):
        inspection.memory_curve(jnp.zeros((3, 9, 2)), inputs, 9)
    with pytest.raises(SeqexpError, match=r"and tokens \[3, 9, 1\] don't fit"):
        inspection.token_memory(jnp.zeros((3, 9, 2)), inputs, 4, 4)


@pytest.mark.parametrize(
    "name", [pytest.param("features", marks=pytest.mark.full), "tokens, free answers"]
)
def test_models_are_driven_by_inputs_of_their_own(name):
    of = spec("step")
    model = sequence_model(of, bidirectional=True, cell=GRU)
    if name != "features":
        of = spec("free", Tokens(V), **FREE)
        model = encoder_decoder(of)
    found = quick_jit(
        partial(model_memory, spec=of, batch_size=4, length=60, max_lag=8), static_argnames=()
    )(model, key=KEY)
    names = ["layer_1", "layer_2"] if name == "features" else ["layer_1"]
    assert list(found) == names
    for each in found.values():
        assert each.curve.shape == (9,) and each.curve[0] > 0.3 > each.curve[8]


def test_a_bag_of_words_has_no_memory():
    of = spec("sequence", Features(3))
    with pytest.raises(SeqexpError, match="not defined for this model, because"):
        model_memory(bag_of_words(of), of, KEY)


def test_a_change_of_an_input_fades_as_the_eigenvalue_says():
    of = spec("step", Features(1))
    model = sequence_model(of, depth=1, norm="none", residual=False)
    model.stack.layers = nnx.List([Linear(np.diag([0.5, 0.5, 0.5, 0.5]), np.eye(1, 4))])
    examples = batch(of)
    examples = examples._replace(
        inputs=Sequences(examples.inputs.values[..., :1], examples.inputs.lengths)
    )
    at = np.array([1, 2, 0, 5])
    found = quick_jit(inspection.perturbation, static_argnames=("max_lag", "size"))(
        model, examples, at, KEY, max_lag=4, size=1e-2
    )["layer_1"]
    expected = 1e-2 * 0.5 ** np.arange(5)
    for row, step in enumerate(at):
        left = min(5, int(LENGTHS[row]) - step)
        np.testing.assert_allclose(found.norms[row, :left], expected[:left], rtol=1e-9)
        assert not found.norms[row, left:].any() and found.mask[row].sum() == left
    np.testing.assert_allclose(found.mean[:3], expected[:3], rtol=1e-9)
    decay = inspection.fit_decay(found.norms[:, 1:], found.clear[:, 1:])
    assert float(decay.half_life) == pytest.approx(1, rel=1e-6)


def test_a_changed_token_is_another_one():
    of = spec("sequence", Tokens(V))
    examples, at = batch(of), np.array([1, 0, 0, 3])
    changed = inspection.perturbed(examples, jnp.array(at), KEY, tokens=V)
    where = np.argwhere(changed.inputs.values != examples.inputs.values)
    assert where.tolist() == [[row, step] for row, step in enumerate(at)]
    assert np.all((changed.inputs.values >= 0) & (changed.inputs.values < V))
    with pytest.raises(SeqexpError, match="say how many there are"):
        inspection.perturbed(examples, jnp.array(at), KEY)
