"""A front end by its name, with times in milliseconds, for recordings of any rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import jax

from seqexp.data.frames import FrontEnd
from seqexp.data.spectrogram import MFCC, LogMel, RawFrames
from seqexp.types import SeqexpError

Kind = Literal["log_mel", "mfcc", "raw"]


@dataclass(frozen=True, kw_only=True)
class AudioFrontEnd:
    """What a model gets to see of sound: a front end of `seqexp.data.spectrogram`.

    Attributes:
        kind: "log_mel", "mfcc" or "raw".
        window_ms: of a frame, milliseconds.
        hop_ms: from one frame to the next, at most the window.
        mels: bands, of "log_mel" and "mfcc".
        coefficients: of "mfcc" alone, at most the mels.

    Raises:
        SeqexpError: the kind is unknown, or a number is too small.

    >>> front_end = AudioFrontEnd(kind="mfcc", window_ms=25, hop_ms=10, mels=40, coefficients=13)
    >>> front_end.at(8000).size
    13
    """

    kind: Kind
    window_ms: float
    hop_ms: float
    mels: int
    coefficients: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SeqexpError(
                f"front_end.kind must be one of {', '.join(get_args(Kind))}, but is {self.kind!r}"
            )
        if min(self.window_ms, self.hop_ms) <= 0 or min(self.mels, self.coefficients) < 1:
            raise SeqexpError(
                "front_end needs window_ms and hop_ms above 0, and mels and coefficients of at "
                f"least 1, not {self.window_ms}, {self.hop_ms}, {self.mels}, {self.coefficients}"
            )

    def at(self, rate: int) -> FrontEnd:
        """The front end for recordings of so many samples a second.

        Raises:
            SeqexpError: window, hop, mels or coefficients don't fit each other at this rate.
        """
        window, hop = (round(rate * each / 1000) for each in (self.window_ms, self.hop_ms))
        if self.kind == "raw":
            return RawFrames(window, hop)
        log_mel = LogMel(rate, window, hop, self.mels)
        return log_mel if self.kind == "log_mel" else MFCC(log_mel, self.coefficients)


def longest(front_end: FrontEnd, samples: int) -> int:
    """The frames of a recording of so many samples, as a number even where a program is traced."""
    with jax.ensure_compile_time_eval():
        return int(front_end.lengths(samples))  # type: ignore[arg-type]
