"""Features of many recordings are those of each alone."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data import audio_features
from seqexp.data.audio_features import features_of, standardized
from seqexp.data.spectrogram import LogMel


@pytest.mark.full
def test_together_is_as_alone(monkeypatch):
    monkeypatch.setattr(audio_features, "AT_ONCE", 256)  # two recordings of up to 128 samples
    rng = np.random.default_rng(0)
    recordings = [rng.uniform(-1, 1, n) for n in (1, 100, 65, 128, 90, 129, 20, 300)]
    front_end = LogMel(rate=1000, window=20, hop=8, mels=5)
    found = features_of(front_end, recordings)
    for samples, features in zip(recordings, found, strict=True):
        alone, _ = front_end(jnp.asarray(samples[None], jnp.float32), jnp.array([len(samples)]))
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, alone[0], rtol=1e-4, atol=1e-4)


def test_statistics_are_of_the_training_split_alone():
    rng = np.random.default_rng(1)
    splits = {
        name: [rng.normal(centre, 2, (n, 3)).astype(np.float32) for n in (4, 9)]
        for name, centre in (("train", 5), ("test", 50))
    }
    frames = np.concatenate(splits["train"])
    found = standardized(splits)
    for name, own in found.items():
        for got, raw in zip(own, splits[name], strict=True):
            want = (raw - frames.mean(axis=0)) / frames.std(axis=0)
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
