"""Front ends for audio: raw frames, log-mel spectrograms, and cepstral coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.frames import check_frames, frame_count, frames, masked
from seqexp.data.mel import Scale, mel_filters
from seqexp.types import Array, SeqexpError, Sequences

FLOOR = 1e-10
"""The least power whose logarithm is taken: silence is log(1e-10) = -23."""


@dataclass(frozen=True)
class RawFrames:
    """The samples themselves, a frame a step: D = window.

    Attributes:
        window: samples a frame.
        hop: samples from one frame to the next; `window` for frames side by side.
    """

    window: int
    hop: int

    def __post_init__(self) -> None:
        check_frames(self.window, self.hop)

    @property
    def size(self) -> int:
        return self.window

    def lengths(self, samples: Array) -> Array:
        return frame_count(samples, self.window, self.hop)

    def __call__(self, samples: Array, lengths: Array) -> Sequences:
        """`[B, n]` samples to `[B, T, window]`; the last frame of each is filled with 0."""
        return masked(frames(samples, lengths, self.window, self.hop), self.lengths(lengths))


@dataclass(frozen=True)
class LogMel:
    """Log-mel spectrogram: the logarithm of the power in bands that are evenly spaced in mels.

        s_{t,m} = log max(sum_k F_{k,m} |sum_j w_j x_{t hop + j} e^{-2 pi i j k / n_fft}|^2, 1e-10)

    with the periodic Hann window w_j = sin^2(pi j / W), and F of `seqexp.data.mel.mel_filters`; the
    natural logarithm. There is no pre-emphasis, and no padding before the first frame. Common for
    speech is a window of 25 ms, a hop of 10 ms, and 40 or 80 mels.

    Attributes:
        rate: samples a second, Hz.
        window: W, samples a frame.
        hop: samples from one frame to the next.
        mels: D, bands.
        n_fft: points of the Fourier transform, at least W; None for the next power of two.
        fmin: the lower end of the lowest band, Hz.
        fmax: the upper end of the highest band, Hz; None for half the rate.
        scale: of the mels, "htk" or "slaney" (`seqexp.data.mel.hz_to_mel`).

    Raises SeqexpError for a hop or n_fft that doesn't fit the window, or bands that don't fit the
    transform.

    >>> front_end = LogMel(rate=8000, window=200, hop=80, mels=23)
    >>> features, lengths = front_end(np.zeros((1, 800), np.float32), np.array([800]))
    >>> features.shape, lengths.tolist()
    ((1, 9, 23), [9])
    """

    rate: int
    window: int
    hop: int
    mels: int
    n_fft: int | None = None
    fmin: float = 0.0
    fmax: float | None = None
    scale: Scale = "htk"

    def __post_init__(self) -> None:
        check_frames(self.window, self.hop)
        if self._points < self.window:
            raise SeqexpError(
                f"n_fft is {self._points}, and must be at least the window, {self.window} samples"
            )
        self._filters()

    @property
    def size(self) -> int:
        return self.mels

    def lengths(self, samples: Array) -> Array:
        return frame_count(samples, self.window, self.hop)

    def __call__(self, samples: Array, lengths: Array) -> Sequences:
        """`[B, n]` samples in [-1, 1] to `[B, T, mels]`."""
        return masked(self._logarithms(samples, lengths), self.lengths(lengths))

    def _logarithms(self, samples: Array, lengths: Array) -> Array:
        hann = np.sin(np.pi * np.arange(self.window) / self.window) ** 2
        windowed = frames(samples, lengths, self.window, self.hop) * hann.astype(np.float32)
        power = jnp.abs(jnp.fft.rfft(windowed, self._points)) ** 2
        # At the default precision accelerators multiply in fewer bits, and a logarithm shows it.
        bands = jnp.matmul(power, self._filters(), precision=jax.lax.Precision.HIGHEST)
        return jnp.log(jnp.maximum(bands, FLOOR))

    def _filters(self) -> np.ndarray:
        fmax = self.rate / 2 if self.fmax is None else self.fmax
        return mel_filters(self.rate, self._points, self.mels, self.fmin, fmax, self.scale)

    @property
    def _points(self) -> int:
        return 1 << (self.window - 1).bit_length() if self.n_fft is None else self.n_fft


@dataclass(frozen=True)
class MFCC:
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of a log-mel spectrogram.

        c_{t,q} = a_q sum_m s_{t,m} cos(pi q (2m + 1) / 2M), a_0 = sqrt(1/M), else sqrt(2/M)

    for q = 0 .. D - 1, not liftered. Davis and Mermelstein 1980, "Comparison of parametric
    representations for monosyllabic word recognition", https://doi.org/10.1109/TASSP.1980.1163420.

    Attributes:
        log_mel: the spectrogram, of M mels.
        coefficients: D, 1 to M; 13 is common.

    >>> MFCC(LogMel(rate=8000, window=200, hop=80, mels=23), coefficients=13).size
    13
    """

    log_mel: LogMel
    coefficients: int

    def __post_init__(self) -> None:
        if not 1 <= self.coefficients <= self.log_mel.mels:
            raise SeqexpError(
                f"coefficients must be from 1 to the mels, {self.log_mel.mels}, not "
                f"{self.coefficients}"
            )

    @property
    def size(self) -> int:
        return self.coefficients

    def lengths(self, samples: Array) -> Array:
        return self.log_mel.lengths(samples)

    def __call__(self, samples: Array, lengths: Array) -> Sequences:
        """`[B, n]` samples in [-1, 1] to `[B, T, coefficients]`."""
        logarithms, frame_lengths = self.log_mel(samples, lengths)
        cepstrum = jax.scipy.fft.dct(logarithms, type=2, norm="ortho")
        return masked(cepstrum[..., : self.coefficients], frame_lengths)
