"""Strings of spoken digits: which were said, and in which order, without being told when."""

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
from seqexp.data.fsdd import (
    RATE,
    SpokenDigit,
    by_split,
    read_samples,
    require_speaker,
    spoken_digits,
)
from seqexp.data.joined_recordings import draw_strings, join
from seqexp.data.padding import pad
from seqexp.data.sources import FSDD
from seqexp.data.spec_augment import SpecAugment
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.ctc_loss import ctc_loss
from seqexp.tasks.equal_cuts import equal_cuts
from seqexp.tasks.label_errors import label_error_rate, label_lists
from seqexp.tasks.spectrogram_picture import spectrogram_picture
from seqexp.types import (
    CTC,
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

DIGITS = 10
BLANK = DIGITS
SEEDS = {"train": 2_006_001, "valid": 2_006_002, "test": 2_006_003}


@dataclass(frozen=True, kw_only=True)
class DigitStrings(Task):
    """Recordings of digits joined to strings, of one voice each; the answer is all of its digits.

    There is an output a frame, one of ten digits or a blank, and the loss is that of connectionist
    temporal classification: the sum over all paths that leave the digits once repetitions and then
    blanks are taken out. For example, with `-` for the blank,

        frames   0  1  2  3  4  5  6  7  8        digits   7 7 2
        a path   -  7  7  -  7  7  2  2  -

    Of each string the number of digits, the voice, the digits, their recordings and the silences
    are drawn, with a seed of each split's own, from the recordings of that split alone, which are
    those of `SpokenDigits`. Strings are the same in every run. Features have mean 0 and deviation 1
    by the statistics of the training strings. The score is the label error rate: edits over digits,
    pooled over the strings of a split.

    Graves et al. 2006, "Connectionist temporal classification",
    https://doi.org/10.1145/1143844.1143891; recordings of Jackson et al. 2018,
    https://doi.org/10.5281/zenodo.1342401.

    Attributes:
        speaker: left out of training, see `SpokenDigits`; None for the official split.
        digits: the most of a string; the number is uniform from 1.
        seconds: the most of a string.
        silence_ms: the most between two digits, milliseconds; uniform from 0.
        train_strings: how many.
        valid_strings: how many.
        test_strings: how many.
        front_end: what is seen of the sound.
        specaugment: masks of training examples; counts of 0 for none. Evaluation has none.
        beam: how many prefixes a search for the likeliest digits keeps; None for the best path.
        buckets: how many padded lengths there are at most; "auto" for as few of 1 to 16 as waste at
            most 7 % of the steps, beside what fills batches.

    Raises:
        SeqexpError: a size is too small, the speaker unknown, a mask wider than there are features,
            or the front end doesn't fit 8 kHz.
    """

    speaker: str | None
    digits: int
    seconds: float
    silence_ms: float
    train_strings: int
    valid_strings: int
    test_strings: int
    front_end: AudioFrontEnd
    specaugment: SpecAugment
    beam: int | None
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        require_speaker("DigitStrings", self.speaker)
        require_buckets("DigitStrings", self.buckets)
        for name in ("digits", "train_strings", "valid_strings", "test_strings"):
            require_count("DigitStrings", name, getattr(self, name), minimum=1)
        if self.seconds <= 0 or self.silence_ms < 0:
            raise SeqexpError(
                "DigitStrings: seconds must be above 0 and silence_ms at least 0, not "
                f"{self.seconds} and {self.silence_ms}"
            )
        self.specaugment.require_features(self.front_end.at(RATE).size)
        CTC(BLANK, self.beam)

    @property
    def spec(self) -> TaskSpec:
        front_end = self.front_end.at(RATE)
        most = longest(front_end, round(self.seconds * RATE))
        return TaskSpec(
            Features(front_end.size), "step", DIGITS + 1, most, causal=False, targets="own"
        )

    @property
    def score(self) -> Score:
        return Score("label_error_rate", "min")

    @property
    def decoding(self) -> CTC:
        return CTC(BLANK, self.beam)

    @property
    def baselines(self) -> Mapping[str, float]:
        """Label error rates on the test split; "equal cuts" names pieces of equal length."""
        return {"say nothing": 1.0, **measured_baselines(self, {"equal cuts": equal_cuts})}

    def data_hashes(self) -> Mapping[str, str]:
        return FSDD.hashes()

    def load(self) -> Splits:
        """Raises SeqexpError where a file cannot be had, naming it and the remedy, a string cannot
        be as short as `seconds`, or has too few frames for its digits."""
        recordings = spoken_digits()
        made = _made(
            recordings,
            self.speaker,
            (self.train_strings, self.valid_strings, self.test_strings),
            self.digits,
            round(self.silence_ms * RATE / 1000),
            round(self.seconds * RATE),
            self.front_end,
        )
        splits = {}
        for name, (frames, digits) in made.items():
            values, lengths = pad(frames, max(map(len, frames)))
            labels, counts = pad([np.array(own, np.int32) for own in digits], self.digits)
            splits[name] = Batch(
                Sequences(jnp.asarray(values), jnp.asarray(lengths)),
                Sequences(jnp.asarray(labels), jnp.asarray(counts)),
            )
        found = splits_in_buckets(self.spec, splits, self.buckets)
        return found._replace(train=augmented(found.train, self.specaugment))

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The CTC loss of a string in nats, of `[B, T, 11]` logits."""
        mask = self.spec.answer_mask(batch)
        return {"loss": ctc_loss(prediction.outputs, batch.targets, mask, BLANK)}

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """The label error rate, and the share of strings that have an error."""
        found, right = label_lists(generated), label_lists(batch.targets)
        wrong = [one != other for one, other in zip(found, right, strict=True)]
        return {
            "label_error_rate": label_error_rate(found, right),
            "string_error_rate": float(np.mean(wrong)),
        }

    @property
    def shown(self) -> int:
        return 4

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """Spectrograms one below the other, and what was said and understood."""
        assert generated is not None
        said, understood = (
            [" ".join(map(str, digits)) or "nothing" for digits in label_lists(labels)]
            for labels in (batch.targets, generated)
        )
        lines = [f"said {a}, understood {b}" for a, b in zip(said, understood, strict=True)]
        return {"spectrograms": spectrogram_picture(batch.inputs), "strings": "\n".join(lines)}


@functools.lru_cache(maxsize=1)
def _made(
    recordings: tuple[SpokenDigit, ...],
    speaker: str | None,
    counts: tuple[int, int, int],
    digits: int,
    silence: int,
    most: int,
    front_end: AudioFrontEnd,
) -> Mapping[str, tuple[list[np.ndarray], list[list[int]]]]:
    """The features and digits of each split's strings; their files were verified just before."""
    samples = read_samples(recordings)
    sizes = [len(own) for own in samples]
    frames, said = {}, {}
    for (name, places), count in zip(by_split(recordings, speaker).items(), counts, strict=True):
        strings = draw_strings(
            recordings,
            sizes,
            places,
            count,
            digits=digits,
            silence=silence,
            longest=most,
            seed=SEEDS[name],
        )
        frames[name] = features_of(
            front_end.at(RATE), [join(samples, string) for string in strings]
        )
        said[name] = [[recordings[p].digit for p in string.places] for string in strings]
        _require_paths(frames[name], said[name])
    by_name = standardized(frames)
    return {name: (by_name[name], said[name]) for name in frames}


def _require_paths(frames: list[np.ndarray], said: list[list[int]]) -> None:
    """Raises SeqexpError for a string that no path of its length can stand for."""
    for own, digits in zip(frames, said, strict=True):
        repeated = sum(a == b for a, b in zip(digits[1:], digits[:-1], strict=True))
        if len(own) < len(digits) + repeated:
            raise SeqexpError(
                f"DigitStrings: {len(own)} frames are too few for the digits {digits}: let "
                "front_end.hop_ms be shorter"
            )
