"""Small models of each make, and batches for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.layers import recurrent_layer
from seqexp.models import BagOfWords, EncoderDecoder, SequenceModel
from seqexp.types import Batch, Features, Sequences, TaskSpec, Tokens
from tests.variants import drawn

B, T, U, V, D = 4, 7, 5, 6, 3
LENGTHS = np.array([7, 4, 1, 6])
PREFIX_LENGTHS = np.array([5, 2, 3, 1])
FREE: dict[str, Any] = {"max_answer_length": U, "start": 0, "end": 1}


def spec(answer: Any, inputs: Any = None, **options: Any) -> TaskSpec:
    return TaskSpec(inputs or Features(D), answer, 3, 60, causal=False, **options)


def sequence_model(of: TaskSpec, **options: Any) -> Any:
    options = {"cell": LSTM, "depth": 2, "norm": "layer", "residual": True, **options}
    make = partial(SequenceModel, features=4, dropout=0.3, pooling="last")
    return drawn(lambda: make(of, **options, rngs=nnx.Rngs(0)))


def encoder_decoder(of: TaskSpec) -> Any:
    layers = [partial(recurrent_layer, cell=GRU)]
    options: dict[str, Any] = {"depth": 1, "dropout": 0.0, "residual": False, "norm": "none"}
    options |= {"attention": "additive", "bidirectional": True, "layers": layers}
    return drawn(lambda: EncoderDecoder(of, features=4, **options, rngs=nnx.Rngs(0)))


def bag_of_words(of: TaskSpec, depth: int = 0) -> Any:
    options: dict[str, Any] = {"features": 4, "depth": depth, "dropout": 0.0}
    return drawn(lambda: BagOfWords(of, **options, rngs=nnx.Rngs(0)))


MODELS: dict[str, Callable[[], tuple[Any, TaskSpec]]] = {
    "stacked": lambda: (sequence_model(spec("step")), spec("step")),
    "bidirectional": lambda: (
        sequence_model(spec("sequence", Tokens(V)), bidirectional=True, cell=GRU),
        spec("sequence", Tokens(V)),
    ),
    "free answers": lambda: (
        sequence_model(spec("free", Tokens(V), **FREE), cell=Elman),
        spec("free", Tokens(V), **FREE),
    ),
    "encoder-decoder": lambda: (
        encoder_decoder(spec("free", Tokens(V), **FREE)),
        spec("free", Tokens(V), **FREE),
    ),
}


def batch(of: TaskSpec, more: int = 0) -> Batch:
    """A padded batch, with `more` steps of padding that holds something else."""
    rng = np.random.default_rng(1)
    if isinstance(of.inputs, Tokens):
        values = rng.integers(0, V, (B, T + more)).astype(np.int32)
        values[:, :T] = np.random.default_rng(2).integers(0, V, (B, T))
    else:
        values = np.full((B, T + more, D), 9.0)
        values[:, :T] = np.random.default_rng(2).normal(size=(B, T, D))
    inputs = Sequences(values, LENGTHS)  # type: ignore[arg-type]
    if of.answer != "free":
        return Batch(inputs, ())
    prefix = np.random.default_rng(3).integers(0, 3, (B, U)).astype(np.int32)
    return Batch(inputs, (), Sequences(prefix, PREFIX_LENGTHS))  # type: ignore[arg-type]
