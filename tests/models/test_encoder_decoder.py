"""The encoder-decoder: its equations one row and one step at a time, sizes, refusals."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.costs import count_parameters, model_flops
from seqexp.costs.memory import carry_bytes
from seqexp.costs.parameters import count_all
from seqexp.laws.drawing import drawn
from seqexp.layers import Recurrent, Zoneout, recurrent_layer
from seqexp.matching.search import match_width
from seqexp.models import EncoderDecoder
from seqexp.training.random_batch import random_batch
from seqexp.types import Features, SeqexpError, Sequences, TaskSpec, Tokens
from tests.full import full
from tests.test_configs import point

V, C, T, U, H, E = 7, 5, 6, 4, 3, 2
SPEC = TaskSpec(Tokens(V), "free", C, T, causal=False, max_answer_length=U, start=0, end=1)
SPEECH = TaskSpec(Features(2), "free", C, T, causal=False, max_answer_length=U, start=0, end=1)
gru = partial(recurrent_layer, cell=GRU)
SETTINGS: dict[str, Any] = {
    "features": H,
    "depth": 1,
    "dropout": 0.0,
    "residual": False,
    "norm": "none",
    "attention": "multiplicative",
    "bidirectional": True,
    "layers": [gru],
    "embed_features": E,
}


def make(spec: TaskSpec = SPEC, **changes: Any) -> EncoderDecoder:
    return EncoderDecoder(spec, **(SETTINGS | changes), rngs=nnx.Rngs(0))


def model(spec: TaskSpec = SPEC, **changes: Any) -> EncoderDecoder:
    """With parameters that nothing is zero in."""
    abstract = nnx.eval_shape(lambda: make(spec, **changes))
    return drawn(abstract, np.random.default_rng(0), np.float32)


def batch(spec: TaskSpec = SPEC) -> Any:
    return random_batch(spec, 3, lengths=[6, 3, 1], answer_lengths=[2, 4, 1])


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum()


def weights_of(net: EncoderDecoder, s: np.ndarray, hs: np.ndarray) -> np.ndarray:
    """Of one query over the true steps, as the papers write them."""
    attend: Any = net.attend
    if hasattr(attend, "score"):
        v, W, UU = (np.asarray(p.kernel[...]) for p in (attend.score, attend.query, attend.key))
        return softmax(np.array([v[:, 0] @ np.tanh(s @ W + h @ UU) for h in hs]))
    W = np.asarray(attend.query.kernel[...])
    return softmax(np.array([s @ W @ h for h in hs]))


@pytest.mark.parametrize(
    ("attention", "kind"),
    [full("additive", SPEECH), full("multiplicative", SPEC), (None, SPEC)],
    ids=["additive-features", "multiplicative-tokens", "None-tokens"],
)
def test_outputs_are_those_of_the_equations_one_row_and_step_at_a_time(attention, kind):
    net, of = model(kind, attention=attention), batch(kind)
    outputs = np.asarray(jax.jit(lambda net: net(of.inputs, of.prefix).outputs)(net))
    weights = None if attention is None else np.asarray(net.attention(of.inputs, of.prefix))
    table = np.asarray(net.embed_prefix.embedding[...])
    for b, (n, m) in enumerate(zip(of.inputs.lengths, of.prefix.lengths, strict=True)):
        read = np.asarray(of.inputs.values[b, :n])
        xs = np.asarray(net.embed.embedding[...])[read] if read.ndim == 1 else read
        hs = np.asarray(net.encoder(jnp.asarray(xs[None]))[0][0])
        c = np.concatenate([hs[-1, :H], hs[0, H:]])  # of each direction the last that it read
        ys = [np.concatenate([table[y], c]) for y in np.asarray(of.prefix.values[b, :m])]
        ss = np.asarray(net.decoder(jnp.asarray(np.stack(ys)[None]))[0][0])
        for u, s in enumerate(ss):
            if attention is not None:
                a = weights_of(net, s, hs)
                assert weights is not None
                np.testing.assert_allclose(weights[b, u, :n], a, rtol=1e-4)
                assert not weights[b, u, n:].any()
                joint = np.concatenate([a @ hs, s]) @ np.asarray(net.join.kernel[...])
                s = np.tanh(joint + np.asarray(net.join.bias[...]))  # type: ignore[index]
            expected = s @ np.asarray(net.readout.kernel[...]) + np.asarray(net.readout.bias[...])  # type: ignore[index]
            np.testing.assert_allclose(outputs[b, u], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
def test_weights_sum_to_one_over_the_true_steps_and_are_zero_without_any(attention):
    net, of = model(attention=attention), batch()
    empty = of.inputs._replace(lengths=np.array([6, 3, 0], np.int32))
    weights = np.asarray(net.attention(empty, of.prefix))
    assert weights.shape == (3, U, T)
    np.testing.assert_allclose(weights.sum(-1), [[1] * U, [1] * U, [0] * U], rtol=1e-5)
    assert np.isfinite(net(empty, of.prefix).outputs).all()


def test_an_empty_source_has_a_finite_gradient():
    net, of = model(), batch()
    empty = of.inputs._replace(lengths=np.array([6, 3, 0], np.int32))
    gradients = jax.jit(jax.grad(lambda net: net(empty, of.prefix).outputs.sum()))(net)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_hidden_states_are_those_of_the_encoder_then_those_of_the_decoder():
    net, of = model(depth=2), batch()
    shapes = [h.shape for h in net(of.inputs, of.prefix).hidden]
    assert shapes == [(3, T, 2 * H)] * 2 + [(3, U, H)] * 2
    assert len(net.layers) == 4


@pytest.mark.parametrize(
    ("attention", "own"),
    [("additive", H * H + 2 * H * H + H), ("multiplicative", H * 2 * H), (None, 0)],
)
def test_parameters_by_hand(attention, own):
    """GRU layers of 3 gates, both tables, attention, the layer behind it, a readout."""

    def recurrence(inputs: int) -> int:
        return 3 * H * (inputs + H + 1)

    found = count_parameters(nnx.eval_shape(lambda: make(attention=attention)))
    assert found.recurrent == 3 * 3 * H * H
    assert found.embedding == (V + C) * E
    assert found.readout == H * C + C
    join = 0 if attention is None else 3 * H * H + H
    assert found.total == (
        2 * recurrence(E) + recurrence(E + 2 * H) + found.embedding + found.readout + join + own
    )


@pytest.mark.parametrize("attention", ["additive", "multiplicative", None])
def test_products_by_hand(attention):
    """Attention costs U T of them."""
    P = 2 * H
    net = nnx.eval_shape(lambda: make(attention=attention))
    found = model_flops(net, SPEC.example(1)).matmul

    def recurrence(inputs: int) -> int:
        return 2 * (inputs + H) * 3 * H

    expected = T * 2 * recurrence(E) + U * recurrence(E + P) + U * 2 * H * C
    if attention is not None:
        expected += U * 2 * (P + H) * H + U * T * 2 * P  # the layer behind it, contexts
    if attention == "multiplicative":
        expected += U * 2 * H * P + U * T * 2 * P
    elif attention == "additive":
        expected += U * 2 * H * H + T * 2 * P * H + U * T * 2 * H
    assert found == expected


def test_the_carry_holds_the_source():
    """Float32: the decoder's state and c; for each step of the source its output, a mask of one
    byte, and for additive attention a key."""
    sizes = {None: 0, "multiplicative": T * (4 * 2 * H + 1), "additive": T * (4 * 3 * H + 1)}
    inputs, found = SPEC.example(1).inputs, []
    jax.eval_shape(lambda: found.extend(carry_bytes(make(attention=a), inputs) for a in sizes))
    assert found == [4 * (H + 2 * H) + memory for memory in sizes.values()]


@pytest.mark.parametrize("budget", [3000, 50_000])
def test_a_width_is_found_for_a_budget_of_parameters(budget):
    def count(width: int) -> int:
        return count_all(nnx.eval_shape(lambda: make(features=width, embed_features=None)))

    found = match_width(count, budget, multiple=1, tolerance=0.1)
    assert count(found.width) == found.reached


def test_the_encoder_can_be_made_of_layers_of_its_own():
    lstm = partial(recurrent_layer, cell=LSTM)
    net = nnx.eval_shape(
        lambda: make(encoder_layers=[gru, lstm], bidirectional=False, layers=[lstm])
    )
    assert [type(layer.cell) for layer in net.encoder.layers] == [GRU, LSTM]  # type: ignore
    assert [type(layer.cell) for layer in net.decoder.layers] == [LSTM]  # type: ignore


def test_layers_are_named_in_the_config():
    changes = ["model.layers=[gru]", "model.encoder_layers=[lstm,{gru: {cell: {reset: after}}}]"]
    composed = point("model=encoder_decoder", "model.features=3", *changes)
    net: Any = nnx.eval_shape(lambda: composed.build().model(SPEC, rngs=nnx.Rngs(0)))
    assert [type(layer.forward.cell) for layer in net.encoder.layers] == [LSTM, GRU]
    assert [type(layer.cell) for layer in net.decoder.layers] == [GRU]
    assert composed.choices["layer@model.layers"] == "gru"
    assert composed.choices["layer@model.encoder_layers"] == "lstm,{gru: {cell: {reset: after}}}"


def test_what_is_told_to_have_no_effect_has_none():
    say = EncoderDecoder.without_effect
    assert say(SPEC, **SETTINGS) == {"residual": False}
    wide: dict[str, Any] = SETTINGS | {"embed_features": H, "bidirectional": False}
    assert say(SPEC, **wide) == {"embed_features": None}, "the encoder's width stays, so it adds"
    deep: dict[str, Any] = SETTINGS | {"depth": 2}
    assert "residual" not in say(SPEC, **deep)
    net, other, of = model(), model(residual=True), batch()
    ask = jax.jit(lambda net: net(of.inputs, of.prefix).outputs)
    np.testing.assert_array_equal(ask(net), ask(other))


def reversed_gru(in_features: int, features: int, *, rngs: nnx.Rngs) -> Recurrent:
    return Recurrent(GRU(in_features, features, rngs=rngs), reverse=True)


ZONEOUT = partial(Zoneout, rate=0.1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": 0}, "model.features"),
        ({"depth": 1.5}, "model.depth"),
        ({"attention": "dot"}, "model.attention must be additive, multiplicative or null"),
        ({"norm": "batch"}, "norm"),
        ({"layers": []}, "model.layers is empty"),
        ({"encoder_layers": []}, "model.encoder_layers is empty"),
        ({"layers": [reversed_gru], "bidirectional": False}, "use it in model.encoder_layers"),
        ({"layers": [partial(gru, bidirectional=True)]}, "or set model.bidirectional=true"),
        ({"encoder_layers": [reversed_gru]}, "model.bidirectional is for recurrent layers"),
        (
            {"encoder_layers": [gru, reversed_gru], "cell_dropout": ZONEOUT},
            "model.cell_dropout is for recurrent layers, and layer 2",
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(changes, said):
    with pytest.raises(SeqexpError, match=said):
        nnx.eval_shape(lambda: make(**changes))


@pytest.mark.parametrize("answer", ["sequence", "step"])
def test_other_answers_are_refused(answer):
    spec = TaskSpec(Tokens(V), answer, C, T, causal=False)
    with pytest.raises(SeqexpError, match="writes free answers.* one answer a .*another model"):
        make(spec)


def test_weights_of_a_model_without_attention_are_refused():
    net, of = model(attention=None), batch()
    with pytest.raises(SeqexpError, match="this model has no attention"):
        net.attention(of.inputs, of.prefix)


def test_a_call_without_a_prefix_is_refused():
    with pytest.raises(SeqexpError, match="needs a prefix"):
        model()(batch().inputs)


def test_a_reverse_encoder_is_summarized_where_it_ends():
    """At step 0."""
    net, of = model(encoder_layers=[reversed_gru], bidirectional=False, attention=None), batch()
    carry = net.prefill(of.inputs)
    read = Sequences(net.embed(of.inputs.values), of.inputs.lengths)
    hs = net.encoder(read.values, read.lengths)[0]
    np.testing.assert_allclose(carry[1].summary, hs[:, 0], rtol=1e-6)
