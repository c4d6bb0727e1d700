"""Audio files: WAV and FLAC to samples of one channel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqexp.data.extras import needs
from seqexp.data.riff import missing_bytes
from seqexp.types import SeqexpError

FORMATS = {"WAV", "WAVEX", "RF64", "FLAC"}


class Recording(NamedTuple):
    """One channel of sound.

    Attributes:
        samples: `[n]` float32 in [-1, 1], n at least 1.
        rate: samples a second, Hz.
    """

    samples: np.ndarray
    rate: int


def read_audio(path: Path | str, rate: int | None = None) -> Recording:
    """A WAV or FLAC file, whatever its sample format; several channels are averaged.

    Integers of b bits are divided by 2^(b-1). Resampling is by a polyphase filter
    (`scipy.signal.resample_poly`) to ceil(n rate / own rate) samples; where its ripple leaves
    [-1, 1] it is clipped.

    Args:
        path: of the file. The format is told by its content, not by its name.
        rate: samples a second that the result has, Hz; None for the file's own.

    Raises:
        SeqexpError: the file is missing, empty, cut off, corrupt or of another format, holds no
            samples, or floats that are not finite or beyond [-1, 1]; or soundfile (the extra
            "audio") is not installed.
    """
    if rate is not None and rate < 1:
        raise SeqexpError(f"the rate of audio must be at least 1 Hz, not {rate}")
    samples, own_rate = _decoded(Path(path))
    mono = samples.mean(axis=1)
    if rate is not None and rate != own_rate:
        mono = resampled(mono, own_rate, rate)
    return Recording(mono.astype(np.float32), own_rate if rate is None else rate)


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """`[n]` samples at `rate` to `[ceil(n new_rate / rate)]` at `new_rate`, clipped to [-1, 1].

    >>> resampled(np.zeros(441), 44_100, 16_000).shape
    (160,)
    """
    import scipy.signal  # takes half a second, and few need it

    common = math.gcd(rate, new_rate)
    return np.clip(
        scipy.signal.resample_poly(samples, new_rate // common, rate // common), -1.0, 1.0
    )


def _decoded(path: Path) -> tuple[np.ndarray, int]:
    """`[n, channels]` float64, and the rate."""
    if not path.is_file():
        raise SeqexpError(f"{path} is not there, or is no file: correct the path")
    if path.stat().st_size == 0:
        raise SeqexpError(f"{path} is empty: replace it or leave it out")
    lost = missing_bytes(path)
    if lost:
        raise SeqexpError(f"{path} is cut off: {lost} bytes are missing at its end; replace it")
    samples, rate = _read(path)
    if not len(samples):
        raise SeqexpError(f"{path} holds no samples: leave it out")
    if not np.isfinite(samples).all():
        raise SeqexpError(f"{path} holds samples that are NaN or infinite: replace it")
    peak = np.abs(samples).max()
    if peak > 1:
        raise SeqexpError(
            f"{path} holds samples up to {peak:g}, and [-1, 1] is the range of sound: scale it"
        )
    return samples, rate


def _read(path: Path) -> tuple[Any, int]:
    with needs("audio"):
        import soundfile
    try:
        with soundfile.SoundFile(path) as file:
            if file.format not in FORMATS:
                raise SeqexpError(f"{path} is {file.format}, not WAV or FLAC: convert it")
            samples = file.read(file.frames, dtype="float64", always_2d=True)
            if len(samples) != file.frames:
                raise SeqexpError(
                    f"{path} is cut off: it holds {len(samples)} of {file.frames} samples; "
                    "replace it"
                )
            return samples, file.samplerate
    # A FLAC file that doesn't say its length asks for more memory than there is.
    except (soundfile.SoundFileError, MemoryError, ValueError) as error:
        said = str(error).removeprefix(f"Error opening {str(path)!r}: ").rstrip(".")
        raise SeqexpError(
            f"{path} can't be read as WAV or FLAC ({said}): replace it or leave it out"
        ) from error
