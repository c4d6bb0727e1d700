"""Strings of digits: of one voice, no longer than allowed, and uniform."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqexp.data.fsdd import SPEAKERS, SpokenDigit
from seqexp.data.joined_recordings import DigitString, draw_strings, join
from seqexp.types import SeqexpError

ALL = tuple(
    SpokenDigit(Path("none"), digit, speaker, index)
    for digit in range(10)
    for speaker in SPEAKERS[:3]
    for index in range(4)
)
SIZES = [1000 + 100 * (place % 7) for place in range(len(ALL))]
EVEN = [place for place in range(len(ALL)) if place % 2 == 0]


def drawn(count: int, **changes) -> list[DigitString]:
    settings = {"digits": 4, "silence": 80, "longest": 9000, "seed": 0} | changes
    return draw_strings(ALL, SIZES, EVEN, count, **settings)


def test_a_string_is_of_one_voice_and_of_the_recordings_that_are_given():
    for string in drawn(200):
        assert len({ALL[place].speaker for place in string.places}) == 1
        assert set(string.places) <= set(EVEN)
        assert 1 <= len(string.places) <= 4 and len(string.silences) == len(string.places) - 1
        assert all(0 <= silence <= 80 for silence in string.silences)


def test_none_is_longer_than_allowed():
    longest = max(
        sum(SIZES[place] for place in string.places) + sum(string.silences)
        for string in drawn(300, longest=5600)
    )
    assert 5400 < longest <= 5600
    with pytest.raises(SeqexpError, match="digits of .* don't fit into 0.125 s"):
        drawn(300, longest=1000)


def test_lengths_digits_and_voices_are_uniform():
    strings = drawn(3000)
    lengths = Counter(len(string.places) for string in strings)
    assert all(abs(lengths[n] - 750) < 100 for n in (1, 2, 3, 4))
    digits = Counter(ALL[place].digit for string in strings for place in string.places)
    assert all(abs(digits[digit] / 7500 - 0.1) < 0.02 for digit in range(10))
    voices = Counter(ALL[string.places[0]].speaker for string in strings)
    assert all(abs(count - 1000) < 120 for count in voices.values()) and len(voices) == 3


def test_they_derive_from_the_seed():
    assert drawn(20) == drawn(20)
    assert drawn(20) != drawn(20, seed=1)


def test_joined_samples():
    samples = [np.array([1.0, 2.0]), np.array([3.0])]
    assert join(samples, DigitString((1, 0), (3,))).tolist() == [3, 0, 0, 0, 1, 2]
    assert join(samples, DigitString((0,), ())).tolist() == [1, 2]
