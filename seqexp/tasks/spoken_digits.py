"""Spoken digits: which of ten was said."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np

from seqexp.data.audio_features import features_of, standardized
from seqexp.data.audio_front_end import AudioFrontEnd, longest
from seqexp.data.augmented import augmented
from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.frames import FrontEnd
from seqexp.data.fsdd import (
    LONGEST,
    RATE,
    SpokenDigit,
    by_split,
    read_samples,
    require_speaker,
    spoken_digits,
)
from seqexp.data.padding import pad
from seqexp.data.sources import FSDD
from seqexp.data.spec_augment import SpecAugment
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.frame_statistics import frame_statistics
from seqexp.tasks.labels import LabelTask
from seqexp.tasks.spectrogram_picture import spectrogram_picture
from seqexp.types import (
    Batch,
    Features,
    Sequences,
    Splits,
    TaskSpec,
)

DIGITS = 10


@dataclass(frozen=True, kw_only=True)
class SpokenDigits(LabelTask):
    """English digits, each said fifty times by six speakers: 3,000 recordings of 0.14 to 2.3 s.

    A recording is read frame by frame, and the answer is the digit. For example, with log-mel
    frames of 25 ms, 10 ms apart,

        0_george_0.wav   2,384 samples = 0.30 s   29 frames of 40 bands   target 0

    By the official split, 300 recordings (indices 0 to 4 of each speaker and digit) are the test,
    and of the rest 300 (indices 5 to 9) validation: it tells how well known voices are understood.
    With a `speaker` left out, all 500 of theirs are the test and the 500 of the next speaker by the
    alphabet validation (after the last comes the first): this tells how well a new voice is.

    Features have mean 0 and deviation 1 by the statistics of the training split.

    Jackson et al. 2018, "Free Spoken Digit Dataset", https://doi.org/10.5281/zenodo.1342401.

    Attributes:
        speaker: left out of training: george, jackson, lucas, nicolas, theo or yweweler; None for
            the official split.
        front_end: what is seen of the sound.
        specaugment: masks of training examples; counts of 0 for none. Evaluation has none.
        buckets: how many padded lengths there are at most; "auto" for as few of 1 to 16 as waste at
            most 7 % of the steps, beside what fills batches.

    Raises:
        SeqexpError: the speaker is unknown, the front end doesn't fit 8 kHz, a mask is wider than
            there are features, or `buckets` is neither "auto" nor a number from 1.
    """

    speaker: str | None
    front_end: AudioFrontEnd
    specaugment: SpecAugment
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        require_speaker("SpokenDigits", self.speaker)
        require_buckets("SpokenDigits", self.buckets)
        self.specaugment.require_features(self.front_end.at(RATE).size)

    @property
    def spec(self) -> TaskSpec:
        front_end = self.front_end.at(RATE)
        most = longest(front_end, LONGEST)
        return TaskSpec(Features(front_end.size), "sequence", DIGITS, most, causal=False)

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split; "frame statistics" are mean and deviation of each feature
        over time, by logistic regression."""
        measured = measured_baselines(self, {"frame statistics": frame_statistics})
        return {"chance": 1 / DIGITS, **measured}

    def data_hashes(self) -> Mapping[str, str]:
        return FSDD.hashes()

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where one cannot be had."""
        recordings = spoken_digits()
        features = _features(self.front_end.at(RATE), recordings)
        places = by_split(recordings, self.speaker)
        for name in ("valid", "test"):  # In an order whose first, which are shown, are different.
            places[name].sort(key=lambda p: (recordings[p].index, recordings[p].speaker))
        frames = standardized({n: [features[p] for p in own] for n, own in places.items()})
        most = max(map(len, features))

        def split(name: str) -> Batch:
            values, lengths = pad(frames[name], most)
            digits = np.array([recordings[place].digit for place in places[name]], np.int32)
            return Batch(Sequences(jnp.asarray(values), jnp.asarray(lengths)), jnp.asarray(digits))

        splits = splits_in_buckets(self.spec, {name: split(name) for name in places}, self.buckets)
        return splits._replace(train=augmented(splits.train, self.specaugment))

    @property
    def shown(self) -> int:
        return 6

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """Spectrograms one below the other, and what was said and understood."""
        said = zip(np.asarray(batch.targets), outputs.argmax(axis=-1), strict=True)
        lines = [f"said {digit}, understood {answer}" for digit, answer in said]
        return {"spectrograms": spectrogram_picture(batch.inputs), "digits": "\n".join(lines)}


@functools.lru_cache(maxsize=1)
def _features(front_end: FrontEnd, recordings: tuple[SpokenDigit, ...]) -> tuple[np.ndarray, ...]:
    """Of files that were verified just before: the same again."""
    return tuple(features_of(front_end, read_samples(recordings)))
