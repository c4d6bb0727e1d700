"""Sequential MNIST: recognize a handwritten digit read pixel by pixel, in order or permuted."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.download import fetch
from seqexp.data.idx import read_idx
from seqexp.data.padding import sequences_of
from seqexp.data.prepared import Prepared
from seqexp.data.sources import MNIST
from seqexp.data.streams import Examples
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.labels import LabelTask
from seqexp.tasks.shown_classes import shown_classes
from seqexp.types import (
    Batch,
    Features,
    SeqexpError,
    Sequences,
    Splits,
    TaskSpec,
)

CLASSES, SIDE, PIXELS, BRIGHTEST = 10, 28, 784, 255
TRAIN, VALID = 55_000, 5_000
PERMUTATION_SEED = 92_916
PERMUTATION_SHA256 = "7c8746c4702fe6847ba8e8056236b8e3217b49f57f3de83df7a780c854b6de14"
"""Of the permutation's 784 numbers as unsigned 16-bit integers, the low byte first."""
STRENGTHS, TOLERANCE, ITERATIONS = (0.01, 0.1, 1.0), 1e-4, 50


@dataclass(frozen=True, kw_only=True)
class SequentialMNIST(LabelTask):
    """The 70,000 digits of 28 x 28 pixels, one pixel a step, or one row a step.

    Step t holds pixel t, row by row: its brightness of 0 to 255, divided by 255. The first digit of
    the training split, a 5, is dark up to pixel 151:

        step    0    ...    151    152        153        154        155        ...
        pixel   0    ...    0      0.01176    0.07059    0.07059    0.07059    ...    target 5

    The first 55,000 digits train, the last 5,000 of the same file are for validation, and the
    10,000 of the other file are the test split.

    Permuted, step t holds pixel p_t of the same permutation p for all digits. It has no canonical
    form. Here it is the one that most code uses since scoRNN (Helfrich et al. 2018,
    https://arxiv.org/abs/1707.09520), `numpy.random.RandomState(92916).permutation(784)`; it begins
    319, 576, 323, 107, 355, and its sha256 is among the task's `data_hashes`.

    Digits are bytes on the device, 43 MB for training, and floats in a batch alone; where all are
    looked at, before training, they take 172 MB.

    Le et al. 2015, "A simple way to initialize recurrent networks of rectified linear units",
    https://arxiv.org/abs/1504.00941. Data: LeCun et al. 1998, https://doi.org/10.1109/5.726791.

    Attributes:
        step: "pixel" for 784 steps of 1 feature, "row" for 28 steps of 28.
        permuted: whether the pixels are permuted.

    Raises:
        SeqexpError: `step` is unknown.
    """

    step: Literal["pixel", "row"]
    permuted: bool

    def __post_init__(self) -> None:
        if self.step not in ("pixel", "row"):
            raise SeqexpError(
                f"SequentialMNIST: step must be 'pixel' or 'row', but is {self.step!r}"
            )

    @property
    def spec(self) -> TaskSpec:
        width = 1 if self.step == "pixel" else SIDE
        return TaskSpec(Features(width), "sequence", CLASSES, PIXELS // width, causal=False)

    @property
    def baselines(self) -> Mapping[str, float]:
        """The accuracy on the test split of chance, and of `logistic_regression`."""
        measured = measured_baselines(self, {"logistic regression": logistic_regression})
        return {"chance": 1 / CLASSES, **measured}

    def data_hashes(self) -> Mapping[str, str]:
        permutation = {"mnist/permutation": PERMUTATION_SHA256} if self.permuted else {}
        return {**MNIST.hashes(), **permutation}

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where one cannot be had."""
        images, labels, test_images, test_labels = map(read_idx, fetch(MNIST).values())
        train, valid = (
            self._examples(images[part], labels[part])
            for part in (slice(0, TRAIN), slice(TRAIN, TRAIN + VALID))
        )
        test = self._examples(test_images, test_labels)
        held_out = {"valid": (fractions(valid),), "test": (fractions(test),)}
        return Splits(Prepared(Examples(jax.tree.map(jnp.asarray, train)), fractions), held_out)

    @property
    def shown(self) -> int:
        return 6

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The digits side by side, their pixels in their places, and what is said of them."""
        pixels = np.asarray(batch.inputs.values).reshape(-1, PIXELS)
        if self.permuted:
            pixels = pixels[:, np.argsort(permutation())]
        images = pixels.reshape(-1, SIDE, SIDE)
        said = shown_classes(batch, outputs, [str(label) for label in range(CLASSES)])
        return {"digits": np.concatenate(list(images), axis=1), "answers": said}

    def _examples(self, images: np.ndarray, labels: np.ndarray) -> Batch:
        pixels = images.reshape(-1, PIXELS)
        if self.permuted:
            pixels = pixels[:, permutation()]
        spec = self.spec
        assert isinstance(spec.inputs, Features)
        lengths = np.full(len(labels), spec.max_length, np.int32)
        values = pixels.reshape(-1, spec.max_length, spec.inputs.size)
        return Batch(sequences_of(values, lengths), labels.astype(np.int32))


def permutation() -> np.ndarray:
    """The 784 places of the permuted pixels. Raises SeqexpError where NumPy draws others."""
    # RandomState and not default_rng, since only its stream is promised never to change.
    drawn = np.random.RandomState(PERMUTATION_SEED).permutation(PIXELS)
    if sha256(drawn.astype("<u2").tobytes()).hexdigest() != PERMUTATION_SHA256:
        raise SeqexpError("this NumPy draws another permutation of MNIST: install another version")
    return drawn


def fractions(batch: Batch) -> Batch:
    """Bytes of pixels as fractions of the brightest, float32; of numpy or JAX."""
    values = batch.inputs.values.astype(np.float32) / BRIGHTEST
    return batch._replace(inputs=batch.inputs._replace(values=values))


def logistic_regression(splits: Splits) -> float:
    """The test accuracy of multinomial logistic regression on all pixels, in no order.

    Its C, of 0.01, 0.1 and 1, is the one that is best on validation. Each is fitted by L-BFGS from
    where the one before ended, until the gradient's largest entry is at most 1e-4, or for 50
    iterations: 20 s on one core, for several slow each other down.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    parts = splits.train.all_examples()
    assert parts is not None
    (train,) = parts
    valid, test = splits.held_out["valid"][0], splits.held_out["test"][0]
    model = LogisticRegression(tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
    best, on_test = -1.0, math.nan
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for C in STRENGTHS:
            model.set_params(C=C).fit(_flat(train), np.asarray(train.targets))
            if (score := _score(model, valid)) > best:
                best, on_test = score, _score(model, test)
    return on_test


def _flat(split: Batch) -> np.ndarray:
    return np.asarray(split.inputs.values).reshape(-1, PIXELS)


def _score(model: Any, split: Batch) -> float:
    return float(model.score(_flat(split), np.asarray(split.targets)))
