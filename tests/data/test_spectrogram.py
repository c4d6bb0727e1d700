"""Front ends for audio against slow SciPy, closed forms, and themselves without padding."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.frames import frame_count, frames
from seqexp.data.mel import hz_to_mel, mel_filters, mel_to_hz
from seqexp.data.spectrogram import MFCC, LogMel, RawFrames
from seqexp.types import SeqexpError

# The stubs of SciPy say more types than these calls can give.
scipy_stft: Any = scipy.signal.stft
scipy_dct: Any = scipy.fft.dct

RATE, WINDOW, HOP = 8000, 100, 40
LOG_MEL = LogMel(RATE, WINDOW, HOP, mels=12)
FRONT_ENDS = {
    "raw": RawFrames(WINDOW, HOP),
    "side by side": RawFrames(WINDOW, WINDOW),
    "log-mel": LOG_MEL,
    "slaney": LogMel(RATE, WINDOW, HOP, 12, n_fft=300, fmin=60.0, fmax=3000.0, scale="slaney"),
    "mfcc": MFCC(LOG_MEL, 5),
}


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, n).astype(np.float32)


def centres(low: float, high: float, count: int, scale) -> np.ndarray:
    """Frequencies that are evenly spaced in mels, in Hz."""
    return mel_to_hz(np.linspace(hz_to_mel(low, scale), hz_to_mel(high, scale), count), scale)


def alone(front_end, samples):
    values, lengths = jax.jit(front_end)(jnp.asarray(samples)[None], jnp.array([len(samples)]))
    assert int(lengths[0]) == values.shape[1]
    return np.asarray(values[0])


@pytest.mark.parametrize("window, hop", [(1, 1), (4, 1), (5, 2), (6, 6), (30, 7)])
def test_frames_hold_every_sample_and_no_frame_is_needless(window, hop):
    """Against the definition, frame by frame, for each length up to 24; NaN stands at padding."""
    lengths: Any = np.arange(25)
    batch = np.full((25, 24), np.nan, np.float32)
    expected = []
    for row, n in zip(batch, lengths, strict=True):
        row[:n] = np.arange(1, n + 1)
        cut, start = [], 0
        while n and (start == 0 or start - hop + window < n):
            cut.append([row[k] if k < n else 0.0 for k in range(start, start + window)])
            start += hop
        expected.append(np.reshape(cut, (-1, window)))
        assert set(row[:n]) <= set(expected[-1].ravel())
    found = np.asarray(jax.jit(frames, static_argnums=(2, 3))(batch, lengths, window, hop))
    counts = np.asarray(frame_count(lengths, window, hop))
    np.testing.assert_array_equal(counts, [len(cut) for cut in expected])
    assert found.shape == (25, counts[-1], window)
    for row, cut in zip(found, expected, strict=True):
        np.testing.assert_array_equal(row[: len(cut)], cut)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_padding_never_matters(name):
    """The true frames of a batch are those of each recording alone; NaN stands at padding."""
    front_end = FRONT_ENDS[name]
    lengths = [0, 1, WINDOW - 1, WINDOW, WINDOW + 1, 777]
    batch = np.full((len(lengths), 900), np.nan, np.float32)
    for row, n in zip(batch, lengths, strict=True):
        row[:n] = noise(n, n)
    values, found = jax.jit(front_end)(jnp.asarray(batch), jnp.asarray(lengths))
    assert values.shape[2] == front_end.size
    np.testing.assert_array_equal(found, front_end.lengths(jnp.array(lengths)))
    for row, n, length in zip(np.asarray(values), lengths, np.asarray(found), strict=True):
        np.testing.assert_array_equal(row[length:], 0)
        if n:
            np.testing.assert_allclose(row[:length], alone(front_end, noise(n, n)), atol=2e-4)


@pytest.mark.parametrize("n_fft, scale", [(128, "htk"), (100, "slaney"), (256, "slaney")])
def test_log_mel_is_that_of_scipy(n_fft, scale):
    """Whole frames of `scipy.signal.stft`, and filters written bin by bin."""
    n = WINDOW + 9 * HOP
    x = noise(n)
    front_end = LogMel(RATE, WINDOW, HOP, 10, n_fft=n_fft, fmin=100.0, fmax=3500.0, scale=scale)
    hann = np.asarray(scipy.signal.get_window("hann", WINDOW))
    _, _, Z = scipy_stft(
        x.astype(np.float64), RATE, hann, WINDOW, WINDOW - HOP, n_fft, boundary=None, padded=False
    )
    power = np.abs(Z * hann.sum()) ** 2  # stft divides by the sum of the window
    ends = centres(100.0, 3500.0, 12, scale)
    bands = np.zeros((10, power.shape[1]))
    for m in range(10):
        low, centre, high = ends[m : m + 3]
        for k in range(n_fft // 2 + 1):
            f = k * RATE / n_fft
            if low < f <= centre:
                bands[m] += power[k] * (f - low) / (centre - low)
            elif centre < f < high:
                bands[m] += power[k] * (high - f) / (high - centre)
    np.testing.assert_allclose(alone(front_end, x), np.log(bands).T, atol=1e-3)


def test_mfcc_is_the_orthonormal_dct_of_scipy():
    x = noise(500)
    expected = scipy_dct(alone(LOG_MEL, x).astype(np.float64), type=2, norm="ortho")
    np.testing.assert_allclose(alone(MFCC(LOG_MEL, 5), x), expected[:, :5], atol=1e-4)
    np.testing.assert_allclose(alone(MFCC(LOG_MEL, 12), x), expected, atol=1e-4)


def test_silence_is_the_floor_and_its_only_coefficient_the_first():
    silence = np.zeros(300, np.float32)
    np.testing.assert_allclose(alone(LOG_MEL, silence), np.log(1e-10), rtol=1e-6)
    cepstrum = alone(MFCC(LOG_MEL, 12), silence)
    np.testing.assert_allclose(cepstrum[:, 0], np.sqrt(12) * np.log(1e-10), rtol=1e-5)
    np.testing.assert_allclose(cepstrum[:, 1:], 0, atol=1e-4)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("band", [1, 5, 11])
def test_a_tone_peaks_in_its_band(scale, band):
    """And is as strong as the closed form: |X|^2 = (A sum w / 2)^2 at its bin."""
    front_end = LogMel(RATE, 512, 512, 13, n_fft=512, fmin=0.0, scale=scale)
    ends = centres(0.0, RATE / 2, 15, scale)
    k = round(float(ends[band + 1]) * 512 / RATE)
    x = 0.5 * np.cos(2 * np.pi * k * np.arange(512) / 512)
    found = alone(front_end, x.astype(np.float32))[0]
    assert found.argmax() == band
    # Hann spreads a tone over three bins, 1/2 : 1 : 1/2 in amplitude.
    filters = mel_filters(RATE, 512, 13, 0.0, RATE / 2, scale)[k - 1 : k + 2, band]
    power = (0.5 * 256 / 2) ** 2 * (filters * [0.25, 1, 0.25]).sum()
    np.testing.assert_allclose(found[band], np.log(power), atol=1e-4)


def test_twice_as_loud_is_log_4_more():
    x = 0.4 * noise(400)
    np.testing.assert_allclose(alone(LOG_MEL, 2 * x) - alone(LOG_MEL, x), np.log(4), atol=1e-3)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(f=st.floats(0, 20_000), scale=st.sampled_from(["htk", "slaney"]))
def test_mel_scales_have_inverses(f, scale):
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(f, scale), scale), f, rtol=1e-9, atol=1e-9)


def test_published_values_of_the_mel_scales():
    """1000 Hz is about 1000 mels by O'Shaughnessy; 15 of Slaney's, with 27 more to 6400 Hz."""
    np.testing.assert_allclose(hz_to_mel(1000.0, "htk"), 1000, atol=0.02)
    np.testing.assert_allclose(hz_to_mel(np.array([200 / 3, 1000, 6400]), "slaney"), [1, 15, 42])


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_filters_add_up_to_one_between_the_outer_centres(scale):
    filters = mel_filters(16_000, 1024, 20, 200.0, 7000.0, scale)
    ends = centres(200.0, 7000.0, 22, scale)
    bins = np.fft.rfftfreq(1024, 1 / 16_000)
    inner = (bins >= ends[1]) & (bins <= ends[-2])
    np.testing.assert_allclose(filters[inner].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(filters[(bins <= 200) | (bins >= 7000)], 0)


def test_front_ends_have_gradients():
    def total(x):
        return MFCC(LOG_MEL, 5)(x, jnp.array([300]))[0].sum()

    gradient = jax.jit(jax.grad(total))(jnp.asarray(noise(400))[None])
    assert np.isfinite(gradient).all() and np.any(gradient[:, :300])
    np.testing.assert_array_equal(gradient[:, 300:], 0)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: RawFrames(10, 11), "hop is 11"),
        (lambda: RawFrames(10, 0), "hop is 0"),
        (lambda: LogMel(RATE, 100, 40, 12, n_fft=99), "n_fft is 99"),
        (lambda: LogMel(RATE, 100, 40, 12, fmax=4001.0), "fmax 4001"),
        (lambda: LogMel(RATE, 100, 40, 12, fmin=-1.0), "fmin is -1"),
        (lambda: LogMel(RATE, 100, 40, 12, fmin=500.0, fmax=500.0), "must ascend"),
        (lambda: LogMel(RATE, 100, 40, 80), "mel filters have no bin"),
        (lambda: LogMel(RATE, 100, 40, 0), "mels must be at least 1"),
        (lambda: LogMel(RATE, 100, 40, 12, scale="bark"), "mel scale"),  # type: ignore
        (lambda: MFCC(LOG_MEL, 13), "from 1 to the mels, 12"),
    ],
)
def test_front_ends_that_cannot_be_are_refused(make, said):
    with pytest.raises(SeqexpError, match=said):
        make()
