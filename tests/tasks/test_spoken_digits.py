"""Spoken digits: splits, standardization by training alone, masks in training alone."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.audio_front_end import AudioFrontEnd
from seqexp.data.spec_augment import SpecAugment
from seqexp.tasks import SpokenDigits
from seqexp.types import Batch, Features, SeqexpError, Sequences

FRONT_END = AudioFrontEnd(kind="mfcc", window_ms=32, hop_ms=16, mels=20, coefficients=13)
TASK = SpokenDigits(
    speaker=None, front_end=FRONT_END, specaugment=SpecAugment(1, 4, 1, 8), buckets=3
)


@pytest.fixture(scope="module")
def splits(require_files):
    require_files(TASK)
    return TASK.load()


def test_the_spec_is_of_the_front_end_at_8_khz():
    assert TASK.spec.inputs == Features(13)
    assert TASK.spec.max_length == 1 + -(-(18_262 - 256) // 128)


def test_counts_and_buckets(splits):
    parts = splits.train.all_examples()
    assert len(parts) == 3
    assert sum(len(part.targets) for part in parts) == 2400
    for name in ("valid", "test"):
        targets = np.concatenate([part.targets for part in splits.held_out[name]])
        np.testing.assert_array_equal(np.bincount(targets), 30)


def test_a_speaker_left_out_is_the_test_and_the_next_validation(splits):
    without = replace(TASK, speaker="theo").load()
    parts = without.train.all_examples()
    assert parts is not None
    assert sum(len(part.targets) for part in parts) == 2000
    for name in ("valid", "test"):
        targets = np.concatenate([part.targets for part in without.held_out[name]])
        np.testing.assert_array_equal(np.bincount(targets), 50)


def test_the_first_of_validation_are_different_digits(splits):
    part = max(splits.held_out["valid"], key=lambda part: len(part.targets))
    assert len(np.unique(part.targets[:6])) > 3


def test_training_frames_are_standardized(splits):
    frames = np.concatenate(
        [np.asarray(part.inputs.values)[part.inputs.mask] for part in splits.train.all_examples()]
    )
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-3)


def test_training_is_masked_and_its_statistics_and_evaluation_are_not(splits):
    bucket = splits.train.buckets(8)[0]

    @jax.jit
    def batch(stream):
        key = jax.random.key(0)
        return stream.batch(stream.plan(key, jnp.int32(0), 1, 8), key, jnp.int32(0), bucket)

    def zeros(batch):
        return np.mean(np.asarray(batch.inputs.values)[batch.inputs.mask] == 0)

    assert zeros(batch(splits.train)) > 0.02
    for part in (*splits.train.all_examples(), *splits.held_out["valid"]):
        assert zeros(part) < 1e-4


def test_a_baseline_hears_more_than_chance(require_files):
    require_files(TASK)
    assert 0.6 < TASK.baselines["frame statistics"] < 1


def test_what_is_shown():
    rng = np.random.default_rng(0)
    inputs = Sequences(rng.normal(size=(2, 5, 13)), np.array([5, 3]))  # type: ignore[arg-type]
    found = TASK.show(Batch(inputs, np.array([7, 2])), np.eye(10)[[7, 3]], None)
    assert found["digits"] == "said 7, understood 7\nsaid 2, understood 3"
    assert np.shape(found["spectrograms"]) == (30, 5)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"speaker": "bob"}, "speaker must be one of"),
        ({"buckets": 0}, "buckets must be auto or an integer"),
        ({"specaugment": SpecAugment(1, 14, 0, 0)}, "frequency_width is 14, more than the 13"),
        ({"front_end": replace(FRONT_END, hop_ms=40)}, "hop is 320 samples"),
    ],
)
def test_mistakes_are_refused_before_any_data_is_read(change, said):
    with pytest.raises(SeqexpError, match=said):
        replace(TASK, **change)
