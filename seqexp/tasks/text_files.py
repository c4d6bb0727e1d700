"""A user's own text, without writing a class: labels of texts or tokens, or a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.labelled_text import Longer, labelled_text
from seqexp.data.next_token import next_token_spec, next_token_splits
from seqexp.data.sampled_text import Text
from seqexp.data.text_examples import Columns
from seqexp.data.text_splits import load_plain_text, load_splits
from seqexp.data.text_units import Splitter
from seqexp.data.user_text import TextFormat, read_examples, text_hashes
from seqexp.data.vocabulary import (
    Vocabulary,
    byte_pair_vocabulary,
    character_vocabulary,
    word_vocabulary,
)
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.perplexity import with_perplexity
from seqexp.tasks.shown import shown_answers
from seqexp.tasks.text_labels import METRICS, label_baselines, measure_labels, summarize_labels
from seqexp.tasks.text_language import BITS, language_baselines, measure_language, sampled_text
from seqexp.tasks.token_vectors import token_vectors, vector_hashes
from seqexp.types import (
    Batch,
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
)


class Read(NamedTuple):
    """What is in the files.

    Attributes:
        vocabulary: of the training split.
        labels: their names; none for a language model.
        splits: examples of each split; for a language model its tokens.
        text: the training text of a language model.
    """

    vocabulary: Vocabulary
    labels: tuple[str, ...]
    splits: Mapping[str, Batch | np.ndarray]
    text: str


@dataclass(frozen=True, kw_only=True)
class TextFiles(Task):
    """Texts or their tokens with a label each ("label", "labels"), or plain text ("next").

    Labelled texts stand in a table with tabs (`.tsv`) or commas (`.csv`), in JSON lines (`.jsonl`),
    any of them compressed (`.gz`), or as `CLASS/NAME.txt` in a folder. For "labels" text and labels
    are two columns of as many items, with spaces between them. For example, in `reviews.tsv`,

        text                        label
        a stirring , funny film     good
        it never gets going .       bad

    Vocabulary and labels are those of the training split. A validation or test split without a file
    of its own is divided from the training file, the same examples at each time, by labels in equal
    shares; plain text is cut in its order.

    Attributes:
        answer: "label", "labels", or "next", the next token.
        train: file or folder.
        valid: None to divide `train`.
        test: None to divide `train`.
        split: shares of the training file for training and for each split without a file, as in
            (0.8, 0.1, 0.1); None where each has one.
        split_seed: draws the division of labelled examples.
        format: "folder", "tsv", "csv" or "jsonl"; None to go by the name.
        text_column: name, or number from 0; of no effect in a folder and with "next".
        label_column: as `text_column`.
        header: whether the first row of a table names its columns.
        units: "words", "characters" or "byte_pairs"; "labels" are of words.
        splitter: of words, "whitespace", "punctuation" or "lines", see `seqexp.data.text_units`.
        lower: whether text is lower-cased.
        min_count: how often a unit must come in training to be known; what is not is `<unk>`.
        vocabulary: the greatest V; None for no limit, which byte pairs need.
        max_length: the most tokens of a text, None for no limit; with "next" T, of a window.
        longer: "refuse" texts that are longer, or "cut" them, in every split; labels of what is cut
            are in no metric. Of no effect with "next".
        metric: "accuracy" or "macro_f1" of labels; "perplexity" of the next token, a character's
            "bits_per_character" or byte pairs' "bits_per_byte"; None for the first of labels, and
            for bits where there are some.
        buckets: of lengths, at most; or auto. Of no effect with "next".
        vectors: a file with pretrained vectors of the units, see `seqexp.data.vectors`; None for
            none.
        stateful: with "next", whether training windows continue each other, with the model's carry
            passed on (truncated backpropagation through time, see `seqexp.data.lanes`). What is
            held out is then read in sequences of 2,000 tokens, or of `max_length` if that is more.
            None for no.

    Raises:
        SeqexpError: settings that do not go together. With `load`, `spec` and all that needs the
            files, whatever is wrong in them, with file and line.
    """

    answer: Literal["label", "labels", "next"]
    train: str
    valid: str | None
    test: str | None
    split: tuple[float, ...] | None
    split_seed: int
    format: TextFormat | None
    text_column: str | int
    label_column: str | int
    header: bool
    units: Literal["words", "characters", "byte_pairs"]
    splitter: Splitter
    lower: bool
    min_count: int
    vocabulary: int | None
    max_length: int | None
    longer: Longer
    metric: str | None
    buckets: int | Literal["auto"]
    vectors: str | None = None
    stateful: bool | None = None

    def __post_init__(self) -> None:
        if self.split is not None:
            object.__setattr__(self, "split", tuple(self.split))
        _require("answer", self.answer, ("label", "labels", "next"))
        _require("units", self.units, ("words", "characters", "byte_pairs"))
        _require("longer", self.longer, ("cut", "refuse"))
        _require("metric", self._metric, self._metrics)
        require_count("TextFiles", "min_count", self.min_count, minimum=1)
        require_buckets("TextFiles", self.buckets)
        if self.max_length is not None:
            require_count("TextFiles", "max_length", self.max_length, minimum=1)
        if self.answer == "labels" and self.units != "words":
            raise SeqexpError(
                f"TextFiles: labels of tokens need units=words, not {self.units}: the tokens stand "
                "in the file"
            )
        if self.answer == "next" and self.max_length is None:
            raise SeqexpError(
                "TextFiles: a language model needs max_length, the tokens of a window"
            )
        if self.stateful and self.answer != "next":
            raise SeqexpError(
                "TextFiles: stateful is for a language model, whose windows continue each other: "
                "leave it out, or use answer=next"
            )
        if self.units == "byte_pairs" and self.vocabulary is None:
            raise SeqexpError("TextFiles: byte pairs need vocabulary, how many there are at most")

    @property
    def spec(self) -> TaskSpec:
        read = self._read
        tokens = Tokens(read.vocabulary.size, self._vectors)
        if self.answer == "next":
            assert self.max_length is not None
            return next_token_spec(tokens, self.max_length, self.stateful)
        answer = "sequence" if self.answer == "label" else "step"
        longest = max(_steps(part) for part in read.splits.values())
        classes = len(read.labels)
        return TaskSpec(tokens, answer, classes, longest, False, targets="labels")

    @property
    def score(self) -> Score:
        return Score(self._metric, "min" if self.answer == "next" else "max")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores on the test split: classical models, most frequent labels, or n-grams."""
        if self.answer == "next":
            methods = language_baselines(self._read.vocabulary, self.units, self._metric)
        else:
            methods = label_baselines(self.spec, self._metric)
        return measured_baselines(self, methods)

    @property
    def text(self) -> Text | None:
        if self.answer != "next":
            return None
        return sampled_text(self._read.vocabulary, self._read.text)

    def data_hashes(self) -> Mapping[str, str]:
        return {**self._text_hashes, **vector_hashes(self.vectors)}

    def load(self) -> Splits:
        """Raises SeqexpError for whatever is wrong in a file, with its line."""
        splits = self._read.splits
        if self.answer != "next":
            return splits_in_buckets(self.spec, splits, self.buckets)  # type: ignore[arg-type]
        assert self.max_length is not None
        tokens = {name: np.asarray(of_split) for name, of_split in splits.items()}
        train = tokens.pop("train")
        return next_token_splits(train, tokens, self.max_length, self.stateful)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy in nats, and what the metric asks for."""
        asked = self.spec.answer_mask(batch)
        if self.answer == "next":
            vocabulary = self._read.vocabulary
            return measure_language(prediction, batch, asked, self.units, vocabulary)
        return measure_labels(prediction, batch, asked, self._metric)

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """Means; perplexity of a language model, macro F1 of labels where it is the metric."""
        return with_perplexity(sums) if self.answer == "next" else summarize_labels(sums)

    @property
    def shown(self) -> int:
        return 0 if self.answer == "next" else 4

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str]:
        """Texts as the model reads them, the right labels, and what it said."""
        asked, read = self.spec.answer_mask(batch), self._read
        return {
            "answers": shown_answers(batch, outputs, asked, read.vocabulary.symbols, read.labels)
        }

    @property
    def _metrics(self) -> tuple[str, ...]:
        if self.answer != "next":
            return METRICS
        return tuple(filter(None, (BITS.get(self.units), "perplexity")))

    @property
    def _metric(self) -> str:
        return self._metrics[0] if self.metric is None else self.metric

    @property
    def _paths(self) -> dict[str, Path | None]:
        paths = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: path and Path(path).expanduser() for name, path in paths.items()}  # type: ignore

    @property
    def _text_hashes(self) -> dict[str, str]:
        return text_hashes({f"text {name}": path for name, path in self._paths.items()})

    @cached_property
    def _read(self) -> Read:
        return _read(self, tuple(self._text_hashes.values()))

    @cached_property
    def _vectors(self) -> TokenVectors | None:
        return token_vectors(self.vectors, lambda: self._read.vocabulary)

    def _vocabulary(self, texts: Sequence[str | Sequence[str]]) -> Vocabulary:
        counts = {"min_count": self.min_count, "max_size": self.vocabulary, "lower": self.lower}
        if self.units == "words":
            return word_vocabulary(texts, splitter=self.splitter, **counts)  # type: ignore[arg-type]
        makers = {"characters": character_vocabulary, "byte_pairs": byte_pair_vocabulary}
        return makers[self.units](texts, **counts)  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def _read(task: TextFiles, hashes: tuple[str, ...]) -> Read:
    """The files of a task, once for the points of a sweep; read again where one has changed."""
    paths = tuple(path and str(path) for path in task._paths.values())
    return _plain(task, *paths) if task.answer == "next" else _labelled(task, *paths)  # type: ignore


def _labelled(task: TextFiles, *paths: str) -> Read:
    columns = Columns(task.text_column, task.label_column, task.answer == "labels", task.header)

    def read(path: str | Path) -> Sequence:
        folder = task.format == "folder" or (task.format is None and Path(path).is_dir())
        if folder and task.answer == "labels":
            raise SeqexpError(f"{path} is a folder of texts: give a table or JSON lines for labels")
        return read_examples(path, None if folder else columns, format=task.format)

    splits = load_splits(read, *paths, split=task.split, seed=task.split_seed)
    vocabulary = task._vocabulary([example.text for example in splits.train])
    found = labelled_text(splits, vocabulary, task.max_length, task.longer)
    return Read(vocabulary, found.labels, found.splits, "")


def _plain(task: TextFiles, *paths: str) -> Read:
    if task.format is not None:
        raise SeqexpError("TextFiles: a language model reads plain text: leave format out")
    train, valid, test = load_plain_text(*paths, split=task.split)
    texts = {"train": train, "valid": valid, "test": test}
    vocabulary = task._vocabulary([texts["train"]])
    splits = {name: vocabulary.encode(text) for name, text in texts.items()}
    assert task.max_length is not None
    for name, tokens in splits.items():
        least = task.max_length + 1 if name == "train" else 2
        if len(tokens) < least:
            raise SeqexpError(
                f"TextFiles: the {name} split has {len(tokens)} tokens, and needs {least}: supply "
                "more text, or choose a smaller max_length"
            )
    return Read(vocabulary, (), splits, texts["train"])


def _require(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SeqexpError(f"TextFiles: {name} is one of {', '.join(choices)}, not {value!r}")


def _steps(part: Batch | np.ndarray) -> int:
    assert isinstance(part, Batch)
    return part.inputs.values.shape[1]
