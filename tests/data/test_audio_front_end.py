"""Front ends by name: their sizes at a rate, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import jax
import pytest

from seqexp.data.audio_front_end import AudioFrontEnd, longest
from seqexp.data.spectrogram import MFCC, LogMel, RawFrames
from seqexp.types import SeqexpError

SPEECH = AudioFrontEnd(kind="log_mel", window_ms=25, hop_ms=10, mels=40, coefficients=13)


def test_milliseconds_are_samples_at_the_rate_of_the_recordings():
    assert SPEECH.at(8000) == LogMel(8000, 200, 80, 40)
    assert SPEECH.at(16_000) == LogMel(16_000, 400, 160, 40)
    assert replace(SPEECH, kind="mfcc").at(8000) == MFCC(LogMel(8000, 200, 80, 40), 13)
    assert replace(SPEECH, kind="raw").at(8000) == RawFrames(200, 80)


def test_the_longest_is_a_number_within_a_program_too():
    found = []
    jax.make_jaxpr(lambda: found.append(longest(SPEECH.at(8000), 1000)))()
    # Frames at 0, 80, .. 800 hold the samples up to 999.
    assert found == [11] and isinstance(found[0], int)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"kind": "mel"}, "must be one of log_mel, mfcc, raw"),
        ({"window_ms": 0}, "above 0"),
        ({"hop_ms": -1}, "above 0"),
        ({"mels": 0}, "at least 1"),
        ({"coefficients": 0}, "at least 1"),
    ],
)
def test_what_is_no_front_end_is_refused(change, said):
    with pytest.raises(SeqexpError, match=said):
        replace(SPEECH, **change)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"hop_ms": 30}, "hop is 240 samples"),
        ({"kind": "mfcc", "coefficients": 41}, "coefficients must be from 1 to the mels, 40"),
    ],
)
def test_what_does_not_fit_is_refused_at_a_rate(change, said):
    with pytest.raises(SeqexpError, match=said):
        replace(SPEECH, **change).at(8000)
