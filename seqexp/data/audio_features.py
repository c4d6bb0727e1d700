"""Features of many recordings, each at its own length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import jax
import numpy as np

from seqexp.data.frames import FrontEnd
from seqexp.data.padding import pad
from seqexp.data.standardize import statistics

AT_ONCE = 2**20
"""Samples that a front end is given at once, padding included."""


def features_of(front_end: FrontEnd, recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`[n]` samples of each recording to its `[t, D]` float32 features.

    Recordings are padded to powers of two, so that few programs are compiled, whatever the lengths.

    >>> from seqexp.data.spectrogram import RawFrames
    >>> features_of(RawFrames(window=2, hop=2), [np.arange(1.0, 4.0)])[0].tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, samples in enumerate(recordings):
        by_length[1 << (len(samples) - 1).bit_length()].append(place)
    program = jax.jit(front_end.__call__)
    found: list[np.ndarray] = [np.zeros((0, front_end.size), np.float32)] * len(recordings)
    for length, places in by_length.items():
        count = min(max(1, AT_ONCE // length), len(places))
        for start in range(0, len(places), count):
            chosen = places[start : start + count]
            samples, lengths = pad(
                [np.asarray(recordings[place], np.float32) for place in chosen], length
            )
            missing = count - len(chosen)
            samples = np.pad(samples, [(0, missing), (0, 0)])
            values, frames = map(np.asarray, program(samples, np.pad(lengths, (0, missing))))
            for row, place in enumerate(chosen):
                found[place] = values[row, : frames[row]].copy()
    return found


def standardized(splits: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """`[t, D]` features of each recording of each split, by the statistics of "train" alone."""
    by = statistics(np.concatenate(splits["train"]))
    return {name: [by.standardize(each) for each in own] for name, own in splits.items()}
