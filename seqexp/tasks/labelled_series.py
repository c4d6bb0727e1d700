"""Classification of a user's own series, from `.ts` files, without writing a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from seqexp.data.buckets import require_buckets
from seqexp.data.stratified import stratified
from seqexp.data.text_files import hash_file
from seqexp.data.ts_files import LabelledSeries, read_ts
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.labels import LabelTask
from seqexp.tasks.series_classes import classes_splits, majority, nearest_neighbour
from seqexp.tasks.shown_classes import shown_classes
from seqexp.types import (
    Batch,
    Features,
    SeqexpError,
    Sequences,
    Splits,
    TaskSpec,
)

CELLS = 2_000_000_000
"""The most steps of alignment, over all pairs, for which nearest neighbours are looked for: about
a minute on one core."""


class Made(NamedTuple):
    """What is made of the files.

    Attributes:
        classes: names, in the header's order.
        series: by split, `[t, D]` each, NaN where a value is missing.
        labels: by split, `[N]` places in `classes`.
        missing: whether any value is.
    """

    classes: tuple[str, ...]
    series: Mapping[str, Sequence[np.ndarray]]
    labels: Mapping[str, np.ndarray]
    missing: bool

    @property
    def longest(self) -> int:
        """T of the longest series."""
        return max(len(each) for own in self.series.values() for each in own)


@dataclass(frozen=True, kw_only=True)
class LabelledSeriesFiles(LabelTask):
    """One class a series, of `.ts` files as the UCR and UEA archives have them.

    Series of one dimension or several, of any length, a case a line with its class at the end; see
    `seqexp.data.ts_files.read_ts`:

        @univariate true
        @classLabel true walk run
        @data
        0.5,?,1.5:walk
        3.1,2.7,2.9,3.3:run

    Features are standardized by the training split. A missing value (`?`) is read as the last one
    before it, the mean where there is none; where any is missing, as many features more say where a
    value was there (1) and where not (0).

    Attributes:
        train: path of the file.
        test: path of another, whose cases are the test split; null to divide `train`.
        split: shares of the cases of `train`, of sum 1: for training and validation, and for test
            where it has no file. Each class has its share in each part.
        seed: of the division, see `seqexp.data.stratified`.
        buckets: how many padded lengths batches have at most; "auto" for as few as waste 7 %.

    Raises:
        SeqexpError: an argument is out of range. Where the data is asked for: a file is missing or
            malformed, with its line, has no classes, or the files don't fit each other.
    """

    train: str
    test: str | None
    split: tuple[float, ...]
    seed: int
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "split", tuple(self.split))  # a config gives a list
        require_count("LabelledSeriesFiles", "seed", self.seed, minimum=0)
        require_buckets("LabelledSeriesFiles", self.buckets)
        parts = ["training", "validation", *(["test"] if self.test is None else [])]
        if len(self.split) != len(parts):
            raise SeqexpError(
                f"LabelledSeriesFiles: split must be {len(parts)} shares, for {', '.join(parts)}, "
                f"but is {list(self.split)}"
            )

    @cached_property
    def _made(self) -> Made:
        file = _labelled(self.train)
        numbers = _numbers(file, file.classes, self.train)
        parts = stratified(numbers, self.split, self.seed)
        series, labels = {}, {}
        for name, places in zip(("train", "valid", "test"), parts, strict=False):
            series[name], labels[name] = [file.series[place] for place in places], numbers[places]
        if self.test is not None:
            other = _labelled(self.test)
            series["test"] = list(other.series)
            labels["test"] = _numbers(other, file.classes, self.test)
            if other.series[0].shape[1] != file.series[0].shape[1]:
                raise SeqexpError(
                    f"{self.test} has {other.series[0].shape[1]} dimensions, but {self.train} "
                    f"{file.series[0].shape[1]}: they must be of the same kind"
                )
        missing = any(np.isnan(each).any() for own in series.values() for each in own)
        return Made(file.classes, series, labels, missing)

    @property
    def spec(self) -> TaskSpec:
        made = self._made
        features = made.series["train"][0].shape[1] * (2 if made.missing else 1)
        return TaskSpec(
            Features(features), "sequence", len(made.classes), made.longest, causal=False
        )

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split, see `seqexp.tasks.series_classes`; nearest neighbours
        where looking for them takes about a minute at most."""
        made = self._made
        lengths = {name: sum(map(len, own)) for name, own in made.series.items()}
        few = lengths["train"] * lengths["test"] * self.spec.inputs.size <= CELLS
        near = {"1-NN with DTW": nearest_neighbour} if few else {}
        return measured_baselines(self, {"majority": majority, **near})

    def data_hashes(self) -> Mapping[str, str]:
        paths = {"train": self.train, "test": self.test}
        return {name: hash_file(path) for name, path in paths.items() if path is not None}

    def load(self) -> Splits:
        """Raises SeqexpError for files that are missing or malformed, or don't fit each other."""
        made = self._made
        return classes_splits(self.spec, made.series, made.labels, self.buckets, made.missing)

    @property
    def shown(self) -> int:
        return 6

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """Six series: their classes, and what is said of them."""
        return {"answers": shown_classes(batch, outputs, self._made.classes)}


def _labelled(path: str) -> LabelledSeries:
    file = read_ts(path)
    if len(file.classes) < 2:
        raise SeqexpError(
            f"{path} needs at least 2 classes: its header must name them after @classLabel true"
        )
    return file


def _numbers(file: LabelledSeries, classes: tuple[str, ...], path: str) -> np.ndarray:
    if unknown := sorted(set(file.labels) - set(classes)):
        raise SeqexpError(
            f"{path} has the classes {', '.join(unknown)}, which the training file does not name"
        )
    return np.array([classes.index(label) for label in file.labels])
