"""The Free Spoken Digit Dataset: its recordings, and its splits."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqexp.data.audio_files import read_audio
from seqexp.data.download import fetch
from seqexp.data.sources import FSDD
from seqexp.types import SeqexpError

RATE, LONGEST = 8000, 18_262
"""Samples a second, and of the longest recording."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TEST, VALID = range(0, 5), range(5, 10)
"""Indices of the recordings of each speaker and digit; the official split says nothing of 5-9."""


class SpokenDigit(NamedTuple):
    """A recording.

    Attributes:
        path: of the WAV file.
        digit: 0 to 9.
        speaker: one of SPEAKERS.
        index: of the speaker's recordings of this digit, 0 to 49.
    """

    path: Path
    digit: int
    speaker: str
    index: int


def spoken_digits() -> tuple[SpokenDigit, ...]:
    """All 3,000 recordings, by digit, speaker and index.

    Raises SeqexpError, naming the file and the remedy, where they cannot be had.
    """
    found = []
    for path in fetch(FSDD).values():
        digit, speaker, index = path.stem.split("_")
        found.append(SpokenDigit(path, int(digit), speaker, int(index)))
    return tuple(sorted(found, key=lambda each: each[1:]))


def read_samples(recordings: tuple[SpokenDigit, ...]) -> list[np.ndarray]:
    """`[n]` float32 samples of each, 8,000 a second."""
    return [read_audio(each.path, RATE).samples for each in recordings]


def split_of(recording: SpokenDigit, speaker: str | None) -> str:
    """Which of "train", "valid" and "test" a recording is in.

    By the official split the indices 0 to 4 of each speaker and digit are the test; of the rest, 5
    to 9 are validation here. Where a speaker is left out, all of theirs are the test, and all of
    the next speaker's, in the order of the alphabet and from the last to the first, validation.

    Args:
        recording: one of `spoken_digits`.
        speaker: to be left out; None for the official split.

    >>> split_of(SpokenDigit(Path("7_theo_3.wav"), 7, "theo", 3), None)
    'test'
    >>> split_of(SpokenDigit(Path("7_george_30.wav"), 7, "george", 30), "yweweler")
    'valid'
    """
    if speaker is None:
        if recording.index in TEST:
            return "test"
        return "valid" if recording.index in VALID else "train"
    after = SPEAKERS[(SPEAKERS.index(speaker) + 1) % len(SPEAKERS)]
    return {speaker: "test", after: "valid"}.get(recording.speaker, "train")


def require_speaker(task: str, speaker: str | None) -> None:
    """Raises SeqexpError unless it is one of the speakers, or None."""
    if speaker is not None and speaker not in SPEAKERS:
        raise SeqexpError(
            f"{task}: speaker must be one of {', '.join(SPEAKERS)}, or null for the official "
            f"split, but is {speaker!r}"
        )


def by_split(recordings: tuple[SpokenDigit, ...], speaker: str | None) -> dict[str, list[int]]:
    """The places of the recordings of each split, in their order."""
    places: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    for place, recording in enumerate(recordings):
        places[split_of(recording, speaker)].append(place)
    return places
