"""What is measured of a language model of any units: perplexity, and bits that compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import takewhile

import jax.numpy as jnp
import numpy as np

from seqexp.data.sampled_text import Text
from seqexp.data.vocabulary import Vocabulary
from seqexp.tasks.baselines import Method
from seqexp.tasks.metrics import cross_entropy
from seqexp.tasks.ngrams import ngram_bits
from seqexp.types import Array, Batch, Mean, Prediction, Splits, Sums

BITS = {"characters": "bits_per_character", "byte_pairs": "bits_per_byte"}
"""By units. Of words, which may be unknown, there is the perplexity alone."""
LONGEST_GRAM, SAMPLE, PROMPT = 5, 200, 10


def measure_language(
    prediction: Prediction, batch: Batch, asked: Array, units: str, vocabulary: Vocabulary
) -> Sums:
    """Cross-entropy of a token in nats; its bits a character, or a byte, where these are known.

    Bits a byte of the text are the same measure whatever pieces it is cut into.
    """
    nats = cross_entropy(prediction.outputs, batch.targets, asked)
    if units not in BITS:
        return {"loss": nats}
    lengths = jnp.asarray(token_lengths(vocabulary, units))[jnp.where(asked, batch.targets, 0)]
    written = jnp.sum(jnp.where(asked, lengths, 0.0))
    return {"loss": nats, BITS[units]: Mean(nats.total / math.log(2), written)}


def token_lengths(vocabulary: Vocabulary, units: str) -> np.ndarray:
    """`[V]` float32: how many characters, or bytes, each token stands for."""
    if units == "byte_pairs":
        return np.array([len(piece) for piece in vocabulary.symbols], np.float32)
    return np.ones(vocabulary.size, np.float32)


def language_baselines(vocabulary: Vocabulary, units: str, metric: str) -> Mapping[str, Method]:
    """How often each token comes, and n-grams, in the metric of the score."""

    def score(splits: Splits, longest: int) -> float:
        bits = ngram_bits(splits, vocabulary.size, longest)
        if metric == "perplexity":
            return 2**bits
        (test,) = splits.held_out["test"]
        told = np.asarray(test.targets)[np.asarray(test.inputs.mask)]
        return bits * len(told) / float(token_lengths(vocabulary, units)[told].sum())

    return {
        "token frequencies": partial(score, longest=1),
        "n-grams": partial(score, longest=LONGEST_GRAM),
    }


def sampled_text(vocabulary: Vocabulary, train: str) -> Text:
    """Samples that begin as the training text does, as far as its units are known."""
    units = vocabulary.units
    first = units.split(train[:200])[:PROMPT]
    known = list(takewhile(set(vocabulary.symbols).__contains__, first))
    prompt = units.join(known or vocabulary.entries[:1])
    return Text(vocabulary.symbols, prompt, SAMPLE, units.split, units.join)
