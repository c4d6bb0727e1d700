"""The mel scale, and triangular filters that are evenly spaced on it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from seqexp.types import SeqexpError

Scale = Literal["htk", "slaney"]

BREAK = 1000.0
"""Hz below which Slaney's scale is linear."""
LINEAR = 200 / 3
"""Hz a mel there."""
LOG_STEP = np.log(6.4) / 27
"""Growth of log f a mel above: 27 steps from 1 kHz to 6.4 kHz."""


def hz_to_mel(frequency: np.ndarray | float, scale: Scale) -> np.ndarray:
    """Frequencies in Hz on a mel scale.

        htk      m = 2595 log10(1 + f / 700)
        slaney   m = 3 f / 200 below 1 kHz, and 15 + 27 log(f / 1000) / log(6.4) from there

    The first is that of the HTK Book, section 5.4 (Young et al. 2006), from O'Shaughnessy 1987,
    "Speech Communication"; the second that of Slaney's Auditory Toolbox (Interval technical report
    1998-010, https://engineering.purdue.edu/~malcolm/interval/1998-010/).

    >>> hz_to_mel(np.array([0.0, 700.0]), "htk").round(2).tolist()
    [0.0, 781.17]
    >>> hz_to_mel(np.array([500.0, 1000.0, 6400.0]), "slaney").round(6).tolist()
    [7.5, 15.0, 42.0]
    """
    f = np.asarray(frequency, np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + f / 700)
    above = BREAK / LINEAR + np.log(np.maximum(f, BREAK) / BREAK) / LOG_STEP
    return np.where(f < BREAK, f / LINEAR, above)


def mel_to_hz(mel: np.ndarray | float, scale: Scale) -> np.ndarray:
    """The inverse of `hz_to_mel`."""
    m = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700 * (10 ** (m / 2595) - 1)
    corner = BREAK / LINEAR
    return np.where(m < corner, m * LINEAR, BREAK * np.exp(LOG_STEP * (m - corner)))


def mel_filters(
    rate: int, n_fft: int, mels: int, fmin: float, fmax: float, scale: Scale
) -> np.ndarray:
    """Triangles of height 1 from the centre of one filter to that of the next but one.

    With m_0 .. m_{M+1} evenly spaced in mels from fmin to fmax and f_k = k rate / n_fft Hz, filter
    i weighs bin k by max(0, min((f_k - m_{i-1}) / (m_i - m_{i-1}), (m_{i+1} - f_k) / (m_{i+1} -
    m_i))), all in Hz. Slaney's toolbox gives triangles one area instead: in a logarithm, that is a
    constant a filter.

    Args:
        rate: samples a second, Hz.
        n_fft: points of the Fourier transform.
        mels: M, filters.
        fmin: the lower end of the first, Hz.
        fmax: the upper end of the last, Hz.
        scale: of the spacing.

    Returns:
        `[n_fft // 2 + 1, M]` float32.

    Raises:
        SeqexpError: the ends don't ascend within 0 to rate / 2, or a filter is so narrow that no
            bin is within it.
    """
    if mels < 1:
        raise SeqexpError(f"mels must be at least 1, not {mels}")
    if scale not in ("htk", "slaney"):
        raise SeqexpError(f'the mel scale is "htk" or "slaney", not {scale!r}')
    if not 0 <= fmin < fmax <= rate / 2:
        raise SeqexpError(
            f"fmin is {fmin:g} Hz and fmax {fmax:g} Hz: they must ascend, from 0 to half the rate, "
            f"{rate / 2:g} Hz"
        )
    low, high = hz_to_mel(fmin, scale), hz_to_mel(fmax, scale)
    ends = mel_to_hz(np.linspace(low, high, mels + 2), scale)
    ends[[0, -1]] = fmin, fmax  # there and back is rounded, by each processor in its own way
    bins = np.fft.rfftfreq(n_fft, 1 / rate)[:, None]
    widths = np.diff(ends)
    rising = (bins - ends[:-2]) / widths[:-1]
    falling = (ends[2:] - bins) / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(~filters.any(axis=0))
    if len(empty):
        raise SeqexpError(
            f"with n_fft {n_fft} at {rate} Hz, {len(empty)} of {mels} mel filters have no bin "
            f"(the first from {ends[empty[0]]:.0f} to {ends[empty[0] + 2]:.0f} Hz): take a greater "
            "n_fft or fewer mels"
        )
    return filters.astype(np.float32)
