"""The model: shapes by spec, pooling, decoding, padding, refusals."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.models import SequenceModel
from seqexp.types import SeqexpError, TaskSpec
from tests.full import full

B, T = 3, 7
LENGTHS = jnp.array([7, 4, 1])
SPECS = {
    "class": TaskSpec("features", 2, "sequence", 5, T, causal=False),
    "values a step": TaskSpec("features", 2, "step", 3, T, causal=True),
    "class of tokens": TaskSpec("tokens", 11, "sequence", 4, T, causal=False),
    "next token": TaskSpec("tokens", 11, "step", 11, T, causal=True),
}


def model(spec: TaskSpec, **changes) -> SequenceModel:
    settings = {
        "cell": GRU,
        "features": 6,
        "depth": 2,
        "bidirectional": False,
        "merge": "concat",
        "dropout": 0.0,
        "residual": False,
        "norm": "none",
        "pooling": "last",
    }
    return SequenceModel(spec, **(settings | changes), rngs=nnx.Rngs(params=0))


def inputs(spec: TaskSpec, seed: int = 0) -> jax.Array:
    key = jax.random.key(seed)
    if spec.inputs == "tokens":
        return jax.random.randint(key, (B, T), 0, spec.input_size)
    return jax.random.normal(key, (B, T, spec.input_size))


@pytest.mark.parametrize("name", SPECS)
def test_outputs_have_the_shape_that_the_spec_asks_for(name):
    spec = SPECS[name]
    prediction = model(spec)(inputs(spec), LENGTHS)
    shape = (B, T, spec.output_size) if spec.outputs == "step" else (B, spec.output_size)
    assert prediction.outputs.shape == shape
    assert [h.shape for h in prediction.hidden] == [(B, T, 6), (B, T, 6)]


@pytest.mark.parametrize("bidirectional", [full(False), True])
@pytest.mark.parametrize("pooling", ["last", "mean", full("max")])
def test_pooling_equals_running_each_sequence_alone_without_padding(pooling, bidirectional):
    spec = SPECS["class"]
    net = model(spec, pooling=pooling, bidirectional=bidirectional)
    xs = inputs(spec)
    together = net(xs, LENGTHS).outputs
    for b, length in enumerate(LENGTHS.tolist()):
        alone = net(xs[b : b + 1, :length], jnp.array([length])).outputs[0]
        np.testing.assert_allclose(together[b], alone, rtol=1e-5, atol=1e-6)


def test_last_pooling_reads_each_direction_at_its_own_end():
    """The last layer's own hidden states, taken where each direction has read everything."""
    spec = SPECS["class"]
    net = model(spec, bidirectional=True, depth=1)
    prediction = net(inputs(spec), LENGTHS)
    hidden = np.asarray(prediction.hidden[0])
    pooled = np.stack(
        [np.r_[hidden[b, n - 1, :6], hidden[b, 0, 6:]] for b, n in enumerate(LENGTHS.tolist())]
    )
    np.testing.assert_allclose(prediction.outputs, net.readout(jnp.asarray(pooled)), rtol=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_padding_never_matters(name):
    """NaN features, and tokens that are in no table, change neither outputs nor gradients."""
    spec = SPECS[name]
    net = model(spec, norm="layer", residual=True)
    xs = inputs(spec)
    real = jnp.arange(T) < LENGTHS[:, None]
    spoilt = jnp.where(real, xs, 10**6) if xs.ndim == 2 else jnp.where(real[..., None], xs, jnp.nan)

    def loss(net, xs):
        outputs = net(xs, LENGTHS).outputs
        if spec.outputs == "step":
            outputs = jnp.where(real[..., None], outputs, 0)
        return (outputs**2).sum()

    for ours, theirs in zip(
        jax.tree.leaves(jax.value_and_grad(loss)(net, spoilt)),
        jax.tree.leaves(jax.value_and_grad(loss)(net, xs)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("pooling", ["last", full("mean"), full("max")])
@pytest.mark.parametrize("name", SPECS)
def test_decoding_step_by_step_equals_reading_the_whole(name, pooling):
    spec = SPECS[name]
    net = model(spec, cell=LSTM, pooling=pooling)
    xs = inputs(spec)
    carry = net.initial_carry(B)
    for t in range(T):
        carry, outputs = net.step(carry, xs[:, t])
        if spec.outputs == "step":
            whole = net(xs, jnp.full(B, T)).outputs[:, t]
        else:
            whole = net(xs[:, : t + 1], jnp.full(B, t + 1)).outputs
        np.testing.assert_allclose(outputs, whole, rtol=1e-5, atol=1e-6)


def test_a_causal_model_is_causal_by_gradient():
    spec = SPECS["values a step"]
    net = model(spec)
    jacobian = jax.jacobian(lambda x: net(x[None], jnp.array([T])).outputs[0].sum(-1))(
        inputs(spec)[0]
    )
    touched = np.abs(jacobian).sum(-1) > 0
    assert not np.triu(touched, 1).any()
    assert np.tril(touched).sum() == T * (T + 1) // 2


def test_order_matters():
    """The cat chased the mouse is not the mouse chased the cat."""
    spec = SPECS["class of tokens"]
    net = model(spec)
    one, other = jnp.array([[1, 2, 3, 1, 4]]), jnp.array([[1, 4, 3, 1, 2]])
    lengths = jnp.array([5])
    assert not np.allclose(net(one, lengths).outputs, net(other, lengths).outputs)


def test_dropout_needs_a_key_and_evaluation_is_deterministic():
    spec = SPECS["class"]
    net = model(spec, dropout=0.5)
    xs = inputs(spec)
    assert np.array_equal(net(xs, LENGTHS).outputs, net(xs, LENGTHS).outputs)
    one, other = (net(xs, LENGTHS, jax.random.key(k)).outputs for k in (0, 1))
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": 0}, "model.features"),
        ({"features": 2.5}, "model.features"),
        ({"depth": 0}, "model.depth"),
        ({"embed_features": -1}, "model.embed_features"),
        ({"merge": "product"}, "model.merge"),
        ({"pooling": "first"}, "model.pooling"),
        ({"bidirectional": True, "merge": "sum"}, "merge=concat"),
        ({"dropout": 1.0}, "dropout"),
        ({"norm": "batch"}, "norm"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(changes, said):
    with pytest.raises(SeqexpError, match=said):
        model(SPECS["class"], **changes)


def test_a_bidirectional_model_refuses_a_causal_task():
    with pytest.raises(SeqexpError, match="bidirectional=false"):
        model(SPECS["next token"], bidirectional=True)


def test_a_bidirectional_model_cannot_decode():
    net = model(SPECS["class"], bidirectional=True)
    with pytest.raises(SeqexpError):
        net.step(net.initial_carry(1), jnp.zeros((1, 2)))


def test_a_cell_of_another_width_out_fits():
    """The readout takes what the cell gives out, not its hidden units."""
    net = model(SPECS["class"], cell=partial(LSTM, projection=3))
    assert net(inputs(SPECS["class"]), LENGTHS).outputs.shape == (B, 5)
