"""The model: shapes by spec, pooling, decoding, padding, refusals."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.layers import recurrent_layer
from seqexp.models import SequenceModel
from seqexp.types import Features, SeqexpError, Sequences, TaskSpec, Tokens
from tests.full import full

B, T = 3, 7
LENGTHS = jnp.array([7, 4, 1])
SPECS = {
    "class": TaskSpec(Features(2), "sequence", 5, T, causal=False),
    "values a step": TaskSpec(Features(2), "step", 3, T, causal=True),
    "class of tokens": TaskSpec(Tokens(11), "sequence", 4, T, causal=False),
    "next token": TaskSpec(Tokens(11), "step", 11, T, causal=True),
}
FEW = ["class of tokens"]
EACH = [name if name in FEW else full(name) for name in SPECS]
FREE = TaskSpec(Tokens(11), "free", 6, T, causal=False, max_answer_length=5, start=0, end=1)


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


def inputs(spec: TaskSpec, lengths=LENGTHS, seed: int = 0) -> Sequences:
    key = jax.random.key(seed)
    if isinstance(spec.inputs, Tokens):
        return Sequences(jax.random.randint(key, (B, T), 0, spec.inputs.size), lengths)
    return Sequences(jax.random.normal(key, (B, T, spec.inputs.size)), lengths)


def whole(values: jax.Array) -> Sequences:
    """Sequences as long as their arrays."""
    return Sequences(values, jnp.full(values.shape[0], values.shape[1]))


@pytest.mark.parametrize("name", SPECS)
def test_outputs_have_the_shape_that_the_spec_asks_for(name):
    spec = SPECS[name]
    prediction = model(spec)(inputs(spec))
    shape = (B, T, spec.output_size) if spec.answer == "step" else (B, spec.output_size)
    assert prediction.outputs.shape == shape
    assert [h.shape for h in prediction.hidden] == [(B, T, 6), (B, T, 6)]


@pytest.mark.full
@pytest.mark.parametrize(
    ("pooling", "bidirectional"), [("last", False), ("last", True), ("mean", True), ("max", False)]
)
def test_pooling_equals_running_each_sequence_alone_without_padding(pooling, bidirectional):
    spec = SPECS["class"]
    net = model(spec, pooling=pooling, bidirectional=bidirectional)
    xs = inputs(spec)
    together = net(xs).outputs
    for b, length in enumerate(LENGTHS.tolist()):
        alone = net(whole(xs.values[b : b + 1, :length])).outputs[0]
        np.testing.assert_allclose(together[b], alone, rtol=1e-5, atol=1e-6)


def test_last_pooling_reads_each_direction_at_its_own_end():
    """The last layer's own hidden states, taken where each direction has read everything."""
    spec = SPECS["class"]
    net = model(spec, bidirectional=True, depth=1)
    prediction = net(inputs(spec))
    hidden = np.asarray(prediction.hidden[0])
    pooled = np.stack(
        [np.r_[hidden[b, n - 1, :6], hidden[b, 0, 6:]] for b, n in enumerate(LENGTHS.tolist())]
    )
    np.testing.assert_allclose(prediction.outputs, net.readout(jnp.asarray(pooled)), rtol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("name", EACH)
def test_padding_never_matters(name):
    """NaN features, and tokens that are in no table, change neither outputs nor gradients."""
    spec = SPECS[name]
    net = model(spec, norm="layer", residual=True)
    xs = inputs(spec)
    real = jnp.arange(T) < LENGTHS[:, None]
    if xs.values.ndim == 2:
        spoilt = xs._replace(values=jnp.where(real, xs.values, 10**6))
    else:
        spoilt = xs._replace(values=jnp.where(real[..., None], xs.values, jnp.nan))

    def loss(net, xs):
        outputs = net(xs).outputs
        if spec.answer == "step":
            outputs = jnp.where(real[..., None], outputs, 0)
        return (outputs**2).sum()

    for ours, theirs in zip(
        jax.tree.leaves(jax.value_and_grad(loss)(net, spoilt)),
        jax.tree.leaves(jax.value_and_grad(loss)(net, xs)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


POOLED = [*((name, "last") for name in SPECS), ("class", "mean"), ("class", "max")]


@pytest.mark.parametrize(("name", "pooling"), POOLED)
def test_decoding_step_by_step_equals_reading_the_whole(name, pooling):
    spec = SPECS[name]
    net = model(spec, cell=LSTM, pooling=pooling)
    xs = inputs(spec).values
    carry = net.prefill(Sequences(xs[:, :1], jnp.zeros(B, jnp.int32)))
    for t in range(T):
        carry, outputs = net.step(carry, xs[:, t])
        if spec.answer == "step":
            expected = net(whole(xs)).outputs[:, t]
        else:
            expected = net(whole(xs[:, : t + 1])).outputs
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.full
@pytest.mark.parametrize(("name", "pooling"), POOLED)
def test_decoding_goes_on_behind_a_prefill_of_sequences_of_different_lengths(name, pooling):
    spec = SPECS[name]
    net = model(spec, cell=LSTM, pooling=pooling)
    xs, given = inputs(spec).values, np.array([4, 2, 1])
    carry, outputs = net.prefill(Sequences(xs[:, :4], jnp.asarray(given))), None
    for t in range(3):
        carry, outputs = net.step(carry, xs[jnp.arange(B), given + t])
    assert outputs is not None
    for b, length in enumerate((given + 3).tolist()):
        alone = net(whole(xs[b : b + 1, :length])).outputs[0]
        expected = alone[-1] if spec.answer == "step" else alone
        np.testing.assert_allclose(outputs[b], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.full
def test_a_free_answer_goes_on_from_the_inputs_of_its_own_row():
    """Against a stack that reads the true inputs of one row, then its prefix."""
    net = model(FREE, cell=LSTM)
    prefix = Sequences(jax.random.randint(jax.random.key(1), (B, 5), 0, 6), jnp.array([2, 5, 3]))
    together = net(inputs(FREE), prefix).outputs
    assert together.shape == (B, 5, 6)
    for b, (read, written) in enumerate(zip([7, 4, 1], [2, 5, 3], strict=True)):
        embedded = jnp.concatenate(
            [
                net.embed(inputs(FREE).values[b, :read]),
                net.embed_prefix(prefix.values[b, :written]),
            ]
        )
        ys, _, _ = net.stack(embedded[None], jnp.array([read + written]))
        np.testing.assert_allclose(
            together[b, :written], net.readout(ys[0, read:]), rtol=1e-5, atol=1e-6
        )


def test_parameters_are_in_the_part_that_they_belong_to():
    """By hand: two GRU layers of 6 with 3 gates each, tables, a readout to 6 outputs."""
    parts = model(FREE).parameter_parts()
    sizes = {name: sum(param[...].size for param in part) for name, part in parts.items()}
    assert sizes == {
        "recurrent": 2 * 6 * 18,
        "embedding": 11 * 6 + 6 * 6,
        "readout": 6 * 6 + 6,
    }
    assert model(SPECS["class"]).parameter_parts()["embedding"] == ()


def test_layers_of_several_kinds_stand_on_each_other_in_turn():
    gru, lstm = (partial(recurrent_layer, cell=cell) for cell in (GRU, LSTM))
    net = model(SPECS["class"], cell=None, layers=[gru, lstm], depth=2)
    assert [type(layer.cell) for layer in net.layers] == [GRU, LSTM, GRU, LSTM]  # type: ignore[attr-defined]
    assert net(inputs(SPECS["class"])).outputs.shape == (B, 5)


def test_layers_of_one_kind_are_what_a_cell_is_short_for():
    short = model(SPECS["class"])
    long = model(SPECS["class"], cell=None, layers=[partial(recurrent_layer, cell=GRU)])
    assert jax.tree.structure(short) == jax.tree.structure(long)
    xs = inputs(SPECS["class"])
    np.testing.assert_array_equal(short(xs).outputs, long(xs).outputs)


@pytest.mark.full
def test_a_causal_model_is_causal_by_gradient():
    spec = SPECS["values a step"]
    net = model(spec)
    jacobian = jax.jacobian(lambda x: net(whole(x[None])).outputs[0].sum(-1))(
        inputs(spec).values[0]
    )
    touched = np.abs(jacobian).sum(-1) > 0
    assert not np.triu(touched, 1).any()
    assert np.tril(touched).sum() == T * (T + 1) // 2


def test_order_matters():
    """The cat chased the mouse is not the mouse chased the cat."""
    spec = SPECS["class of tokens"]
    net = model(spec)
    one, other = jnp.array([[1, 2, 3, 1, 4]]), jnp.array([[1, 4, 3, 1, 2]])
    assert not np.allclose(net(whole(one)).outputs, net(whole(other)).outputs)


def test_dropout_needs_a_key_and_evaluation_is_deterministic():
    spec = SPECS["class"]
    net = model(spec, dropout=0.5)
    xs = inputs(spec)
    assert np.array_equal(net(xs).outputs, net(xs).outputs)
    one, other = (net(xs, key=jax.random.key(k)).outputs for k in (0, 1))
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
        ({"cell": None}, "model.cell, model.layer or model.layers: give one"),
        ({"layers": [recurrent_layer]}, "model.cell, model.layer or model.layers: give one"),
        ({"cell": None, "layers": []}, "model.layers is empty"),
        ({"cell": None, "layers": [recurrent_layer], "bidirectional": True}, "model.bidirectional"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(changes, said):
    with pytest.raises(SeqexpError, match=said):
        model(SPECS["class"], **changes)


def test_a_bidirectional_model_refuses_a_causal_task():
    with pytest.raises(SeqexpError, match="bidirectional=false"):
        model(SPECS["next token"], bidirectional=True)


def test_a_bidirectional_model_refuses_free_answers():
    with pytest.raises(SeqexpError, match="a free answer is written .*bidirectional=false"):
        model(FREE, bidirectional=True)


def test_a_bidirectional_model_cannot_decode():
    net = model(SPECS["class"], bidirectional=True)
    with pytest.raises(SeqexpError, match="Bidirectional layer reads the whole sequence"):
        net.prefill(Sequences(jnp.zeros((1, 1, 2)), jnp.zeros(1, jnp.int32)))


def test_a_cell_of_another_width_out_fits():
    """The readout takes what the cell gives out, not its hidden units."""
    net = model(SPECS["class"], cell=partial(LSTM, projection=3))
    assert net(inputs(SPECS["class"])).outputs.shape == (B, 5)
