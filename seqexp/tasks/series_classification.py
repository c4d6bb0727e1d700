"""Classification of short series: which speaker, which season."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from seqexp.data.buckets import require_buckets
from seqexp.data.download import fetch
from seqexp.data.source import Source
from seqexp.data.sources import TSC
from seqexp.data.stratified import stratified
from seqexp.data.ts_files import read_ts
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

VALID_SHARE, SPLIT_SEED = 0.2, 0


class Form(NamedTuple):
    """What a data set's series are: D features, T steps at most, the names of the classes."""

    features: int
    longest: int
    classes: tuple[str, ...]


FORMS = {
    "JapaneseVowels": Form(12, 29, tuple("123456789")),
    "ItalyPowerDemand": Form(1, 24, ("1", "2")),
}


@dataclass(frozen=True, kw_only=True)
class SeriesClassification(LabelTask):
    """One class a series, on data sets of the UCR and UEA archives with their official test split.

    JapaneseVowels: which of nine speakers says the two vowels /ae/, from 12 coefficients of linear
    prediction over 7 to 29 frames; 270 / 370 utterances. ItalyPowerDemand: whether a day of hourly
    demand is of October to March (1) or of April to September (2); 67 / 1,029 days of 24 hours. The
    first utterance has 20 frames:

        step           0        1        2        ...    19
        coefficient 1  1.861    1.892    1.939    ...    1.261
        ...
        coefficient 12 -0.309   -0.251   -0.215   ...    -0.090         target: speaker 1

    Models see coefficients less their mean, divided by their standard deviation, over the training
    split's frames. Of the official training split, 20 % of each class are for validation, and the
    rest train; `seqexp.data.stratified` says which: 216 / 54 / 370 and 53 / 14 /
    1,029.

    Archives: Bagnall et al. 2018, https://arxiv.org/abs/1811.00075, and Dau et al. 2019,
    https://arxiv.org/abs/1810.07758. JapaneseVowels: Kudo et al. 1999, "Multidimensional curve
    classification using passing-through regions", https://doi.org/10.1016/S0167-8655(99)00077-X.

    Attributes:
        dataset: "JapaneseVowels" or "ItalyPowerDemand".
        buckets: how many padded lengths batches have at most; "auto" for as few as waste 7 %.

    Raises:
        SeqexpError: the data set is unknown, or `buckets` is out of range.
    """

    dataset: Literal["JapaneseVowels", "ItalyPowerDemand"]
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        if self.dataset not in FORMS:
            raise SeqexpError(
                f"SeriesClassification: dataset must be one of {', '.join(FORMS)}, but is "
                f"{self.dataset!r}; task=labelled_series reads files of your own"
            )
        require_buckets("SeriesClassification", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        features, longest, classes = FORMS[self.dataset]
        return TaskSpec(Features(features), "sequence", len(classes), longest, causal=False)

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split; see `seqexp.tasks.series_classes`."""
        methods = {"majority": majority, "1-NN with DTW": nearest_neighbour}
        return measured_baselines(self, methods)

    def data_hashes(self) -> Mapping[str, str]:
        return self._source.hashes()

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where one cannot be had."""
        official, test = (read_ts(path) for path in fetch(self._source).values())
        classes = FORMS[self.dataset].classes
        numbers = np.array([classes.index(label) for label in official.labels])
        train, valid = stratified(numbers, (1 - VALID_SHARE, VALID_SHARE), SPLIT_SEED)
        series = {
            "train": [official.series[place] for place in train],
            "valid": [official.series[place] for place in valid],
            "test": test.series,
        }
        labels = {
            "train": numbers[train],
            "valid": numbers[valid],
            "test": np.array([classes.index(label) for label in test.labels]),
        }
        return classes_splits(self.spec, series, labels, self.buckets)

    @property
    def shown(self) -> int:
        return 6

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """Six series: their classes, and what is said of them."""
        return {"answers": shown_classes(batch, outputs, FORMS[self.dataset].classes)}

    @property
    def _source(self) -> Source:
        return TSC.only(f"tsc/{self.dataset}")
