"""A user's own recordings, without writing a class: which label each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, NamedTuple

import jax
import numpy as np

from seqexp.data.audio_features import features_of, standardized
from seqexp.data.audio_files import read_audio
from seqexp.data.audio_front_end import AudioFrontEnd
from seqexp.data.augmented import augmented
from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.labelled_audio import labelled_audio
from seqexp.data.padding import padded
from seqexp.data.spec_augment import SpecAugment
from seqexp.data.text_splits import TextSplits, load_splits
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.f1 import majority_f1
from seqexp.tasks.frame_statistics import frame_statistics
from seqexp.tasks.series_classes import majority
from seqexp.tasks.shown_classes import shown_classes
from seqexp.tasks.spectrogram_picture import spectrogram_picture
from seqexp.tasks.text_labels import METRICS, measure_labels, summarize_labels
from seqexp.types import (
    Batch,
    Features,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)


class Heard(NamedTuple):
    """What is made of the files.

    Attributes:
        classes: the labels of the training split, sorted.
        frames: by split, the `[t, D]` features of each recording, standardized.
        labels: by split, `[N]` places in `classes`.
    """

    classes: tuple[str, ...]
    frames: Mapping[str, list[np.ndarray]]
    labels: Mapping[str, np.ndarray]

    @property
    def longest(self) -> int:
        """The frames of the longest recording."""
        return max(len(each) for own in self.frames.values() for each in own)


@dataclass(frozen=True, kw_only=True)
class AudioFiles(Task):
    r"""WAV and FLAC files with a label each, which a folder, the file's name or a table tells.

    For example, of these three the last two are the same to the task:

        sounds/dog/1.wav               train: sounds
        sounds/2023-dog-1.flac         train: sounds      pattern: '\d+-(\w+)-\d+'
        sounds.csv                     train: sounds.csv
            path,label
            sounds/2023-dog-1.flac,dog

    Several channels are averaged, and what has another rate is resampled. A validation or test
    split without a path of its own is divided from the training recordings by their content, each
    label in nearly the same shares; copies of a file stay together. Features have mean 0 and
    deviation 1 by the statistics of the training split.

    Attributes:
        train: path of a folder or a `.csv` table.
        valid: path of another; None to divide `train`.
        test: path of another; None to divide `train`.
        split: shares of `train` for training and for each split without a path, as in
            (0.8, 0.1, 0.1); None where each has one.
        split_seed: draws the division.
        pattern: a regular expression with one group, the label, for a file's name less its suffix;
            None where folders or a table tell it.
        path_column: of a table; paths are from the table's folder, or absolute.
        label_column: of a table.
        rate: samples a second that everything is resampled to, Hz.
        front_end: what is seen of the sound.
        specaugment: masks of training examples; counts of 0 for none. Evaluation has none.
        metric: "accuracy" or "macro_f1", which decides.
        buckets: how many padded lengths there are at most; "auto" for as few of 1 to 16 as waste at
            most 7 % of the steps, beside what fills batches.

    Raises:
        SeqexpError: an argument is out of range. With `load`, `spec` and all that needs the files:
            one is missing, malformed or no sound, by name (in a table with its line), there are
            fewer than 2 labels, or a held-out split has one that training has not.
    """

    train: str
    valid: str | None
    test: str | None
    split: Sequence[float] | None
    split_seed: int
    pattern: str | None
    path_column: str
    label_column: str
    rate: int
    front_end: AudioFrontEnd
    specaugment: SpecAugment
    metric: Literal["accuracy", "macro_f1"]
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        if self.split is not None:  # A config gives a list.
            object.__setattr__(self, "split", tuple(self.split))
        require_count("AudioFiles", "split_seed", self.split_seed, minimum=0)
        require_count("AudioFiles", "rate", self.rate, minimum=1)
        require_buckets("AudioFiles", self.buckets)
        if self.metric not in METRICS:
            raise SeqexpError(
                f"AudioFiles: metric must be one of {', '.join(METRICS)}, but is {self.metric!r}"
            )
        self.specaugment.require_features(self.front_end.at(self.rate).size)

    @cached_property
    def _splits(self) -> TextSplits:
        read = partial(
            labelled_audio,
            pattern=self.pattern,
            path_column=self.path_column,
            label_column=self.label_column,
        )
        return load_splits(
            read, self.train, self.valid, self.test, split=self.split, seed=self.split_seed
        )

    @cached_property
    def _heard(self) -> Heard:
        splits = self._splits._asdict()
        for name in ("valid", "test"):  # In an order whose first, which are shown, are different.
            splits[name] = sorted(splits[name])
        classes = tuple(sorted({str(example.label) for example in splits["train"]}))
        if len(classes) < 2:
            raise SeqexpError(
                f"{self.train} has the label {''.join(classes)!r} alone: give 2 at least"
            )
        frames, labels = {}, {}
        front_end = self.front_end.at(self.rate)
        for name, examples in splits.items():
            for example in examples:
                if example.label not in classes:
                    raise SeqexpError(
                        f"{example.place} has the label {example.label!r}, which no recording of "
                        "the training split has"
                    )
            samples = [read_audio(example.place, self.rate).samples for example in examples]
            # Asked for first within a program that is traced, it is computed all the same.
            with jax.ensure_compile_time_eval():
                frames[name] = features_of(front_end, samples)
            labels[name] = np.array([classes.index(str(e.label)) for e in examples], np.int32)
        return Heard(classes, standardized(frames), labels)

    @property
    def spec(self) -> TaskSpec:
        heard, size = self._heard, self.front_end.at(self.rate).size
        return TaskSpec(Features(size), "sequence", len(heard.classes), heard.longest, causal=False)

    @property
    def score(self) -> Score:
        return Score(self.metric, "max")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores on the test split; "frame statistics" are mean and deviation of each feature over
        time, by logistic regression, whose accuracy alone is known."""
        if self.metric == "macro_f1":
            return measured_baselines(self, {"majority": partial(majority_f1, spec=self.spec)})
        measured = {"majority": majority, "frame statistics": frame_statistics}
        return measured_baselines(self, measured)

    def data_hashes(self) -> Mapping[str, str]:
        """One hash of the contents and labels of all recordings, by split."""
        return {"recordings": self._splits.sha256}

    def load(self) -> Splits:
        """Raises SeqexpError for files that are missing or malformed, or don't fit each other."""
        heard = self._heard
        splits = {
            name: Batch(padded(own, heard.longest), heard.labels[name])
            for name, own in heard.frames.items()
        }
        found = splits_in_buckets(self.spec, splits, self.buckets)
        return found._replace(train=augmented(found.train, self.specaugment))

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy in nats and accuracy of `[B, C]` logits; their confusion matrix for F1."""
        return measure_labels(prediction, batch, self.spec.answer_mask(batch), self.metric)

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """The means, and macro F1 where it is asked for."""
        return summarize_labels(sums)

    @property
    def shown(self) -> int:
        return 6

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray | bytes]:
        """Spectrograms one below the other, their labels, and what was made of them."""
        answers = shown_classes(batch, outputs, self._heard.classes)
        return {"spectrograms": spectrogram_picture(batch.inputs), "answers": answers}
