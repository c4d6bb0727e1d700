"""Translation: descriptions of pictures from German to English, or the other way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.detokenize import detokenize
from seqexp.data.download import fetch
from seqexp.data.padding import pad
from seqexp.data.parallel_text import read_parallel_text
from seqexp.data.sources import MULTI30K
from seqexp.data.text_units import Words
from seqexp.data.vocabulary import Vocabulary, byte_pair_vocabulary, word_vocabulary
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.bleu import corpus_bleu
from seqexp.tasks.metrics import cross_entropy
from seqexp.tasks.token_vectors import token_vectors, vector_hashes
from seqexp.tasks.word_table import translated, word_tables
from seqexp.types import (
    Array,
    Batch,
    Beam,
    Decoding,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
    TokenVectors,
    means,
)

Direction = Literal["de-en", "en-de"]
Units = Literal["byte_pairs", "words"]
WORDS = Words("punctuation")
FILES = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
VALID, SHOWN, ITERATIONS = 1014, 3, 10


class Answers(NamedTuple):
    """What translations are measured against.

    Attributes:
        tokens: `[N, U]` int32, the end among them.
        pair: `[N]` int32, which sentence of its file it is, for the words of the reference.
        split: `[N]` int32, which of the files, as places in FILES.
    """

    tokens: Array
    pair: Array
    split: Array


@dataclass(frozen=True, kw_only=True)
class Multi30k(Task):
    """Descriptions of pictures in German and English: 29,000 pairs, 1,014 and 1,000.

    The model reads a sentence and writes its translation, token by token, up to the end. For
    example, with words for units,

        inputs   Ein Mann schläft .
        prefix   <s> A man is sleeping .
        targets  A man is sleeping . </s>

    Source and translation have a vocabulary each, built from the training pairs alone. Byte pairs
    know every text; a word that is in no vocabulary reads `<unk>`.

    The score is BLEU of the translations as running text against the references as they stand in
    the file, in points from 0 to 100 (see `corpus_bleu`). The loss is -log p of a token in nats,
    its end among them, and "perplexity" the exponential of its mean over all tokens of a split;
    both depend on the units and their number.

    A pair with a sentence of more than `max_length` tokens is left out of training. Of what is held
    out, every pair counts: the source is cut there, and of the translation the loss sees as much,
    but BLEU the whole reference.

    At each evaluation up to three sentences are shown with their translations. Pictures of
    attention are of the same ones in the same order: from left to right the tokens of the source,
    from top to bottom those of the reference, its end last, and beside them a text says which.

    Elliott et al. 2016, "Multi30K: multilingual English-German image descriptions",
    https://aclanthology.org/W16-3210; test_2016_flickr is the test split.

    Attributes:
        direction: "de-en" from German, "en-de" from English.
        units: "byte_pairs" or "words", which are case-sensitive, with marks of punctuation apart.
        vocabulary: V of either language, special symbols included: exactly so many.
        max_length: the most tokens of a sentence, without the end.
        buckets: how many lengths training examples are padded to at most, or "auto".
        beam: how many hypotheses beam search keeps; None for greedy decoding.
        length_penalty: alpha of beam search, see `Beam`.
        valid_sentences: the validation split has so many of its 1,014 pairs, the first ones; fewer
            make an evaluation cheaper, most of which is decoding.
        vectors: a file with pretrained vectors of the source's words or byte pairs, see
            `seqexp.data.vectors`; None for none.

    Raises:
        SeqexpError: an option is unknown or out of range.
    """

    direction: Direction
    units: Units
    vocabulary: int
    max_length: int
    buckets: int | Literal["auto"]
    beam: int | None
    length_penalty: float
    valid_sentences: int
    vectors: str | None = None

    def __post_init__(self) -> None:
        for name, kind in (("direction", Direction), ("units", Units)):
            if getattr(self, name) not in get_args(kind):
                choices = " or ".join(get_args(kind))
                raise SeqexpError(f"Multi30k: {name} is {getattr(self, name)!r}: use {choices}")
        least = len(self._special) + (256 if self.units == "byte_pairs" else 1)
        require_count("Multi30k", "vocabulary", self.vocabulary, minimum=least)
        require_count("Multi30k", "max_length", self.max_length, minimum=1)
        require_buckets("Multi30k", self.buckets)
        Beam(1 if self.beam is None else self.beam, self.length_penalty)  # refuses others
        require_count("Multi30k", "valid_sentences", self.valid_sentences, minimum=1)
        if self.valid_sentences > VALID:
            raise SeqexpError(
                f"Multi30k: valid_sentences is {self.valid_sentences}, and there are {VALID:,}"
            )

    @property
    def spec(self) -> TaskSpec:
        tokens, special = Tokens(self.vocabulary, self._vectors), self._special
        return TaskSpec(
            tokens,
            "free",
            tokens.size,
            self.max_length,
            causal=False,
            targets="own",
            max_answer_length=self.max_length + 1,
            start=special.index("<s>"),
            end=special.index("</s>"),
        )

    @property
    def score(self) -> Score:
        return Score("bleu", "max")

    @property
    def decoding(self) -> Decoding:
        return "greedy" if self.beam is None else Beam(self.beam, self.length_penalty)

    @property
    def baselines(self) -> Mapping[str, float]:
        """BLEU on the test split.

        "copy" says the source as it is, and "word table" its words one by one, each by the
        translation that is likeliest by IBM model 1, see `seqexp.tasks.word_table`; validation
        chooses how many iterations of EM, of 1 to 10.
        """
        return measured_baselines(
            self, {"copy": partial(_copy, self), "word table": partial(_word_table, self)}
        )

    @property
    def shown(self) -> int:
        return SHOWN

    def data_hashes(self) -> Mapping[str, str]:
        return {**MULTI30K.hashes(), **vector_hashes(self.vectors)}

    def load(self) -> Splits:
        """Raises SeqexpError where the data or the library for byte pairs cannot be had, naming the
        remedy, and for a vocabulary of more than the training pairs give."""
        return splits_in_buckets(
            self.spec, {name: self._split(name) for name in FILES}, self.buckets
        )

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy of `[B, U, V]` logits in nats."""
        outputs = prediction.outputs
        # Buckets cut the prefix, and leave what a task has of its own.
        tokens = batch.targets.tokens[:, : outputs.shape[1]]
        return {"loss": cross_entropy(outputs, tokens, self.spec.answer_mask(batch))}

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """The mean loss, and the perplexity of a token."""
        metrics = means(sums)
        with np.errstate(over="ignore"):
            return {**metrics, "perplexity": float(np.exp(metrics["loss"]))}

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """BLEU, and the characters said for each of the references'."""
        said, references = self._said(generated), [target for _, target in self._pairs_of(batch)]
        length = sum(map(len, said)) / sum(map(len, references))
        return {"bleu": corpus_bleu(said, references), "length_ratio": length}

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str]:
        """Source, reference and what is said of each."""
        assert generated is not None  # since what is judged is decoded
        rows = zip(self._pairs_of(batch), self._said(generated), strict=True)
        examples = [
            f"source     {source}\nreference  {reference}\nsaid       {said}"
            for (source, reference), said in rows
        ]
        return {"translations": "\n\n".join(examples)}

    def spelled(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """The words, or byte pairs, of each sentence and of its reference."""
        assert batch.prefix is not None
        reads, writes = self._vocabularies
        rows = zip(
            np.asarray(batch.inputs.values),
            np.asarray(batch.inputs.lengths),
            np.asarray(batch.targets.tokens),
            np.asarray(batch.prefix.lengths),
            strict=True,
        )
        return [(reads.spell(x[:T]), writes.spell(y[:U])) for x, T, y, U in rows]

    @property
    def _special(self) -> tuple[str, ...]:
        """The special symbols of the translation."""
        return ("<s>", "</s>") if self.units == "byte_pairs" else ("<unk>", "<s>", "</s>")

    @cached_property
    def _pairs(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Source and translation of all pairs, as they stand in the files."""
        files = fetch(MULTI30K)
        pairs = {}
        for split, name in FILES.items():
            paths = (files[f"multi30k/{name}.{which}.gz"] for which in self.direction.split("-"))
            pairs[split] = [(pair.source, pair.target) for pair in read_parallel_text(*paths)]
        return {**pairs, "valid": pairs["valid"][: self.valid_sentences]}

    @cached_property
    def _vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Of the source and of the translation."""
        source, target = zip(*self._pairs["train"], strict=True)
        return self._vocabulary(source, False), self._vocabulary(target, True)

    @cached_property
    def _vectors(self) -> TokenVectors | None:
        return token_vectors(self.vectors, lambda: self._vocabularies[0])

    def _vocabulary(self, texts: Sequence[str], answers: bool) -> Vocabulary:
        options = {"max_size": self.vocabulary, "answers": answers}
        if self.units == "byte_pairs":
            found = byte_pair_vocabulary(texts, **options)
        else:
            found = word_vocabulary(texts, splitter=WORDS.splitter, **options)
        if found.size < self.vocabulary:
            raise SeqexpError(
                f"Multi30k: vocabulary is {self.vocabulary}, but the training text has only "
                f"{found.size} {self.units.replace('_', ' ')}; choose a smaller one"
            )
        return found

    def _split(self, name: str) -> Batch:
        most, (reads, writes) = self.max_length, self._vocabularies
        sources, answers, numbers = [], [], []
        for number, (source, target) in enumerate(self._pairs[name]):
            read, write = reads.encode(source), writes.encode(target)
            if name == "train" and max(len(read), len(write)) > most:
                continue
            sources.append(read[:most])
            answers.append(np.append(write, np.int32(writes.end))[: most + 1])
            numbers.append(number)
        if not numbers:
            raise SeqexpError(
                f"Multi30k: no training pair has at most max_length={most} tokens; choose a "
                "greater one"
            )
        inputs, lengths = pad(sources, most)
        tokens, answer_lengths = pad(answers, most + 1)
        prefix = np.roll(tokens, 1, axis=1)
        prefix[:, 0] = writes.start
        pair = np.asarray(numbers, np.int32)
        split = np.full(len(pair), list(FILES).index(name), np.int32)
        targets = Answers(*map(jnp.asarray, (tokens, pair, split)))
        return Batch(_sequences(inputs, lengths), targets, _sequences(prefix, answer_lengths))

    def _pairs_of(self, batch: Batch) -> list[tuple[str, str]]:
        """The texts of a batch's sentences and of their references."""
        splits = list(self._pairs.values())
        rows = zip(batch.targets.split, batch.targets.pair, strict=True)
        return [splits[split][pair] for split, pair in rows]

    def _said(self, generated: Sequences) -> list[str]:
        """Running text, each in one line."""
        writes = self._vocabularies[1]
        texts = [
            writes.decode(row[:length])
            for row, length in zip(np.asarray(generated.values), generated.lengths, strict=True)
        ]
        if self.units == "words":
            texts = [detokenize(text.split()) for text in texts]
        return [" ".join(text.split()) for text in texts]


def _sequences(values: np.ndarray, lengths: np.ndarray) -> Sequences:
    return Sequences(jnp.asarray(values), jnp.asarray(lengths))


def _copy(task: Multi30k, splits: Splits) -> float:
    sources, references = zip(*task._pairs["test"], strict=True)
    return corpus_bleu(sources, references)


def _word_table(task: Multi30k, splits: Splits) -> float:
    words = {
        name: [(WORDS.split(source), WORDS.split(target)) for source, target in pairs]
        for name, pairs in task._pairs.items()
    }

    def bleu(name: str, table: Mapping[str, str]) -> float:
        said = [detokenize(translated(table, source)) for source, _ in words[name]]
        return corpus_bleu(said, [target for _, target in task._pairs[name]])

    tables = word_tables(words["train"], ITERATIONS)
    return bleu("test", max(tables, key=partial(bleu, "valid")))
