"""Strings of digits: what is joined, what is judged, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seqexp.data.audio_front_end import AudioFrontEnd
from seqexp.data.spec_augment import SpecAugment
from seqexp.tasks import DigitStrings
from seqexp.types import CTC, Batch, SeqexpError, Sequences

TASK = DigitStrings(
    speaker=None,
    digits=3,
    seconds=2.0,
    silence_ms=50,
    train_strings=60,
    valid_strings=20,
    test_strings=30,
    front_end=AudioFrontEnd(kind="log_mel", window_ms=32, hop_ms=16, mels=12, coefficients=1),
    specaugment=SpecAugment(0, 1, 0, 1),
    beam=None,
    buckets=2,
)


@pytest.fixture(scope="module")
def splits(require_files):
    require_files(TASK)
    return TASK.load()


def test_counts_lengths_and_labels(splits):
    parts = {"train": splits.train.all_examples(), **splits.held_out}
    for name, count in (("train", 60), ("valid", 20), ("test", 30)):
        assert sum(len(part.inputs.lengths) for part in parts[name]) == count
        for part in parts[name]:
            labels, counts = map(np.asarray, part.targets)
            assert labels.shape[1] == 3 and 1 <= counts.min() <= counts.max() <= 3
            assert 0 <= labels.min() <= labels.max() <= 9
            assert part.inputs.lengths.max() <= TASK.spec.max_length == 124


def test_strings_are_longer_where_they_have_more_digits(splits):
    lengths, counts = (
        np.concatenate([np.asarray(get(part)) for part in splits.train.all_examples()])
        for get in (lambda part: part.inputs.lengths, lambda part: part.targets.lengths)
    )
    assert np.corrcoef(lengths, counts)[0, 1] > 0.7


def test_edits_are_pooled_and_strings_counted():
    labels = Sequences(np.array([[1, 2, 3], [4, 0, 0]]), np.array([3, 1]))  # type: ignore[arg-type]
    found = Sequences(np.array([[1, 3], [4, 9]]), np.array([2, 1]))  # type: ignore[arg-type]
    inputs = Sequences(np.zeros((2, 5, 12)), np.array([5, 3]))  # type: ignore[arg-type]
    batch = Batch(inputs, labels)
    assert TASK.judge(found, batch) == {"label_error_rate": 0.25, "string_error_rate": 0.5}
    nothing = found._replace(lengths=np.array([2, 0]))
    shown = TASK.show(batch, np.zeros((2, 5, 11)), nothing)
    assert shown["strings"] == "said 1 2 3, understood 1 3\nsaid 4, understood nothing"


def test_a_beam_is_an_option():
    assert TASK.decoding == CTC(10) and replace(TASK, beam=8).decoding == CTC(10, 8)
    with pytest.raises(SeqexpError, match="width of a beam"):
        replace(TASK, beam=0)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"digits": 0}, "digits must be an integer >= 1"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"speaker": "bob"}, "speaker must be one of"),
    ],
)
def test_mistakes_are_refused_before_any_data_is_read(change, said):
    with pytest.raises(SeqexpError, match=said):
        replace(TASK, **change)


def test_too_few_frames_for_the_digits_are_refused(require_files):
    require_files(TASK)
    slow = AudioFrontEnd(kind="raw", window_ms=600, hop_ms=600, mels=1, coefficients=1)
    with pytest.raises(SeqexpError, match="frames are too few for the digits"):
        replace(TASK, front_end=slow).load()
