"""The splits of the spoken digits."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from seqexp.data.fsdd import (
    LONGEST,
    SPEAKERS,
    SpokenDigit,
    by_split,
    read_samples,
    require_speaker,
    spoken_digits,
)
from seqexp.types import SeqexpError

ALL = tuple(
    SpokenDigit(Path(f"{digit}_{speaker}_{index}.wav"), digit, speaker, index)
    for digit in range(10)
    for speaker in SPEAKERS
    for index in range(50)
)


@pytest.mark.parametrize("speaker", [None, *SPEAKERS])
def test_each_recording_is_in_one_split_and_digits_are_balanced(speaker):
    places = by_split(ALL, speaker)
    assert sorted(sum(places.values(), [])) == list(range(3000))
    sizes = {"train": 2400, "valid": 300, "test": 300}
    if speaker is not None:
        sizes = {"train": 2000, "valid": 500, "test": 500}
    for name, own in places.items():
        assert Counter(ALL[place].digit for place in own) == dict.fromkeys(
            range(10), sizes[name] // 10
        )


def test_the_official_test_is_the_indices_0_to_4():
    test = by_split(ALL, None)["test"]
    assert {ALL[place].index for place in test} == {0, 1, 2, 3, 4}
    assert {ALL[place].speaker for place in test} == set(SPEAKERS)


@pytest.mark.parametrize(
    "speaker, following", [("george", "jackson"), ("theo", "yweweler"), ("yweweler", "george")]
)
def test_no_voice_is_in_two_splits(speaker, following):
    voices = {
        name: {ALL[place].speaker for place in own} for name, own in by_split(ALL, speaker).items()
    }
    assert voices["test"] == {speaker} and voices["valid"] == {following}
    assert voices["train"] == set(SPEAKERS) - {speaker, following}


def test_unknown_speakers_are_refused():
    require_speaker("A", None)
    with pytest.raises(SeqexpError, match="A: speaker must be one of george, .* but is 'bob'"):
        require_speaker("A", "bob")


def test_the_recordings():
    folder = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip("SEQEXP_DATA_DIR names no folder with fsdd/recordings")
    found = spoken_digits()
    assert [each[1:] for each in found] == [each[1:] for each in ALL]
    assert all(each.path.name == f"{each.digit}_{each.speaker}_{each.index}.wav" for each in found)
    assert max(map(len, read_samples(found))) == LONGEST
