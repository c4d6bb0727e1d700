"""Embeddings that begin with pretrained vectors: which rows, how wide, and that it helps."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU
from seqexp.costs.parameters import count_all
from seqexp.layers import recurrent_layer
from seqexp.matching.search import match_width
from seqexp.models import BagOfWords, EncoderDecoder, SequenceModel
from seqexp.sweeps.no_effect import without_effect
from seqexp.types import SeqexpError, Sequences, TaskSpec, Tokens, TokenVectors

V, D, H = 6, 4, 3
KNOWN = np.array([False, True, True, False, True, True])
VALUES = np.where(KNOWN[:, None], np.arange(V * D).reshape(V, D) / 8 - 1, np.nan)
WITH, WITHOUT = Tokens(V, TokenVectors(VALUES)), Tokens(V)
STACK = {"depth": 1, "dropout": 0.0, "residual": False, "norm": "none", "features": H}
SEQUENCE = partial(SequenceModel, cell=GRU, pooling="last", **STACK)
BAG = partial(BagOfWords, features=H, depth=1, dropout=0.0)
PAIR = partial(
    EncoderDecoder,
    attention="additive",
    bidirectional=True,
    layers=[partial(recurrent_layer, cell=GRU)],
    **STACK,
)
FREE: dict[str, Any] = {"max_answer_length": 3, "start": 0, "end": 1}
MODELS: dict[str, tuple[Any, str]] = {
    "sequence": (SEQUENCE, "sequence"),
    "free": (SEQUENCE, "free"),
    "bag of words": (BAG, "sequence"),
    "encoder-decoder": (PAIR, "free"),
}


def spec(tokens: Tokens, answer: Any = "sequence") -> TaskSpec:
    return TaskSpec(tokens, answer, 2, 5, causal=False, **(FREE if answer == "free" else {}))


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_the_files_and_all_else_is_drawn_as_without_vectors(name):
    model, answer = MODELS[name]
    for seed in (0, 1):
        built = model(spec(WITH, answer), rngs=nnx.Rngs(seed))
        drawn = nnx.Embed(V, D, rngs=nnx.Rngs(seed)).embedding[...]
        expected = np.where(KNOWN[:, None], VALUES, drawn).astype(np.float32)
        np.testing.assert_array_equal(built.embed.embedding[...], expected)
        if name in ("sequence", "encoder-decoder"):
            wide = model(spec(WITHOUT, answer), embed_features=D, rngs=nnx.Rngs(seed))
            wide.embed.embedding[...] = built.embed.embedding[...]
            jax.tree.map(np.testing.assert_array_equal, nnx.state(built), nnx.state(wide))


@pytest.mark.parametrize("name", MODELS)
def test_members_of_a_group_begin_as_each_does_alone(name):
    model, answer = MODELS[name]

    def begun(seed):
        return model(spec(WITH, answer), rngs=nnx.Rngs(params=jax.random.key(seed))).embed.embedding

    together = jax.jit(jax.vmap(lambda seed: begun(seed)[...]))(jnp.arange(3))
    for seed, rows in enumerate(together):
        np.testing.assert_array_equal(rows[KNOWN], VALUES[KNOWN].astype(np.float32))
        np.testing.assert_allclose(rows, begun(seed)[...], rtol=1e-6)
    assert (together[0] != together[1]).any(1).tolist() == (~KNOWN).tolist()


@pytest.mark.parametrize("model", [SEQUENCE, PAIR])
def test_another_width_is_refused_and_theirs_is_the_same_as_none(model):
    task = spec(WITH, "free")
    said = "model.embed_features is 5, but the task's vectors have 4 numbers each: set .*=4, or nu"
    with pytest.raises(SeqexpError, match=said):
        model(task, embed_features=5, rngs=nnx.Rngs(0))
    same = [model(task, embed_features=width, rngs=nnx.Rngs(0)) for width in (None, D)]
    jax.tree.map(np.testing.assert_array_equal, *map(nnx.state, same))
    assert without_effect(partial(model, embed_features=D), task)["embed_features"] is None
    assert "embed_features" not in without_effect(partial(model, embed_features=H), task)


def test_the_width_of_a_bag_of_words_without_hidden_layers_has_no_effect():
    assert without_effect(BAG, spec(WITH)) == {}
    assert without_effect(partial(BAG, depth=0), spec(WITHOUT)) == {}
    assert without_effect(partial(BAG, depth=0), spec(WITH)) == {"features": D}
    one, other = (BAG(spec(WITH), depth=0, features=n, rngs=nnx.Rngs(0)) for n in (H, D))
    jax.tree.map(np.testing.assert_array_equal, nnx.state(one), nnx.state(other))


@pytest.mark.parametrize("name", MODELS)
def test_widths_are_solved_around_an_embedding_that_does_not_follow(name):
    model, answer = MODELS[name]

    def parameters(features: int) -> int:
        def state():
            built = model(spec(WITH, answer), features=features, rngs=nnx.Rngs(0))
            assert built.embed.embedding.shape == (V, D)
            return nnx.state(built)

        return count_all(jax.eval_shape(state))

    assert match_width(parameters, parameters(24), multiple=1, tolerance=0).width == 24


def test_what_is_known_of_words_carries_over_to_words_never_trained_on():
    """One word a text, its class a direction of its vector: half of the words are trained on."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    values = rng.normal(0, 0.1, (80, D))
    values[:, 0] += 2 * labels - 1
    words = Sequences(jnp.arange(80)[:, None], jnp.ones(80, jnp.int32))

    def unseen(tokens: Tokens) -> float:
        model = BagOfWords(spec(tokens), features=D, depth=0, dropout=0.0, rngs=nnx.Rngs(0))

        def loss(model):
            logits = model(words).outputs[:40]
            return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(40), labels[:40]])

        graphdef, params = nnx.split(model)
        slopes = jax.jit(jax.grad(lambda params: loss(nnx.merge(graphdef, params))))
        for _ in range(20):
            params = jax.tree.map(lambda p, g: p - g, params, slopes(params))
        model = nnx.merge(graphdef, params)
        if tokens.vectors is not None:
            moved = np.abs(model.embed.embedding[...] - tokens.vectors.values).max(1)
            assert (moved[:40] > 1e-3).all() and (moved[40:] == 0).all(), "trained like the rest"
        return float(np.mean(np.argmax(model(words).outputs[40:], -1) == labels[40:]))

    assert unseen(Tokens(80, TokenVectors(values))) == 1
    assert unseen(Tokens(80)) < 0.8
