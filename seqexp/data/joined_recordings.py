"""Strings of spoken digits: which recordings are joined, and with how much silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqexp.data.fsdd import RATE, SpokenDigit
from seqexp.types import SeqexpError

TRIES = 1000


class DigitString(NamedTuple):
    """Recordings one after the other.

    Attributes:
        places: of the recordings, among all of them.
        silences: samples of silence before each but the first.
    """

    places: tuple[int, ...]
    silences: tuple[int, ...]


def draw_strings(
    recordings: Sequence[SpokenDigit],
    sizes: Sequence[int],
    places: Sequence[int],
    count: int,
    *,
    digits: int,
    silence: int,
    longest: int,
    seed: int,
) -> list[DigitString]:
    """Strings of one voice each, the same whenever they are drawn.

    The number of digits is uniform from 1 to `digits`; so are the voice among the speakers, each
    digit, its recording among those of the voice, and each silence from 0 to `silence`. Recordings
    and silences are drawn again while the string would be too long.

    Args:
        recordings: all.
        sizes: samples of each.
        places: of the recordings to choose from, among all.
        count: of strings.
        digits: most of a string.
        silence: the most between two digits, samples.
        longest: the most samples of a string.
        seed: draws.

    Raises:
        SeqexpError: no string that is short enough is found.
    """
    # RandomState and not default_rng, since only its stream is promised never to change.
    rng = np.random.RandomState(seed)
    of: dict[tuple[str, int], list[int]] = {}
    for place in places:
        of.setdefault((recordings[place].speaker, recordings[place].digit), []).append(place)
    speakers = sorted({speaker for speaker, _ in of})
    strings = []
    for _ in range(count):
        length = rng.randint(1, digits + 1)
        speaker = speakers[rng.randint(len(speakers))]
        said = rng.randint(0, 10, length)
        for _ in range(TRIES):
            choices = [of[speaker, digit] for digit in said.tolist()]
            chosen = tuple(own[rng.randint(len(own))] for own in choices)
            silences = tuple(rng.randint(0, silence + 1, length - 1).tolist())
            if sum(sizes[place] for place in chosen) + sum(silences) <= longest:
                break
        else:
            raise SeqexpError(
                f"{length} digits of {speaker} don't fit into {longest / RATE:g} s: allow longer "
                "strings, or fewer digits"
            )
        strings.append(DigitString(chosen, silences))
    return strings


def join(samples: Sequence[np.ndarray], string: DigitString) -> np.ndarray:
    """The samples of a string.

    >>> join([np.array([1, 2]), np.array([3])], DigitString((0, 1, 0), (2, 0))).tolist()
    [1, 2, 0, 0, 3, 1, 2]
    """
    first, *others = (samples[place] for place in string.places)
    parts = [first]
    for silence, other in zip(string.silences, others, strict=True):
        parts += [np.zeros(silence, first.dtype), other]
    return np.concatenate(parts)
