"""Sequential digits: recognize a handwritten digit read pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from seqexp.data.streams import Examples
from seqexp.tasks.labels import LabelTask
from seqexp.types import (
    Batch,
    Features,
    Sequences,
    Splits,
    TaskSpec,
)

CLASSES, PIXELS, BRIGHTEST = 10, 64, 16
SPLIT_SEED, HELD_OUT_PER_CLASS = 0, 18


@dataclass(frozen=True)
class SequentialDigits(LabelTask):
    """The 1,797 digits of 8 x 8 pixels that come with scikit-learn, row by row, one pixel a step.

    A small sequential MNIST that needs no download. The first digit, a 0, begins

        step    0    1    2       3       4       5       6    7    8    ...
        pixel   0    0    0.3125  0.8125  0.5625  0.0625  0    0    0    ...    target 0

    where a pixel is its brightness of 0 to 16, divided by 16. Of each class 18 digits are for
    validation and 18 for test, chosen by a fixed permutation: 1,437 / 180 / 180 digits.

    Data: the test part of Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits",
    https://doi.org/10.24432/C50P49. Task: Le et al. 2015, https://arxiv.org/abs/1504.00941.
    """

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Features(1), "sequence", CLASSES, PIXELS, causal=False)

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 1 / CLASSES}

    def data_hashes(self) -> Mapping[str, str]:
        pixels, labels = _digits()
        return {
            "digits/pixels": sha256(pixels.tobytes()).hexdigest(),
            "digits/labels": sha256(labels.tobytes()).hexdigest(),
        }

    def load(self) -> Splits:
        pixels, labels = _digits()
        inputs = pixels[:, :, None].astype(np.float32) / BRIGHTEST
        lengths = np.full(len(labels), PIXELS, np.int32)

        def split(chosen: np.ndarray) -> Batch:
            sequences = Sequences(jnp.asarray(inputs[chosen]), jnp.asarray(lengths[chosen]))
            return Batch(sequences, jnp.asarray(labels[chosen], jnp.int32))

        train, valid, test = split_by_class(labels)
        held_out = {"valid": (split(valid),), "test": (split(test),)}
        return Splits(Examples(split(train)), held_out)


def split_by_class(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of train, validation and test: disjoint, and balanced but for train."""
    # RandomState and not default_rng, since only its stream is promised never to change.
    order = np.random.RandomState(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in range(CLASSES)]
    cuts = [HELD_OUT_PER_CLASS, 2 * HELD_OUT_PER_CLASS]
    valid, test, train = zip(*(np.split(indices, cuts) for indices in by_class), strict=True)
    return np.concatenate(train), np.concatenate(valid), np.concatenate(test)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    # The file alone: scikit-learn takes more than a second to import.
    package = find_spec("sklearn")
    assert package is not None and package.submodule_search_locations
    (folder,) = package.submodule_search_locations
    file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
    # Bytes, so that the hash is the same on every platform; the file holds whole numbers.
    rows = np.loadtxt(file, np.uint8, delimiter=",")
    return rows[:, :PIXELS].copy(), rows[:, PIXELS].copy()
