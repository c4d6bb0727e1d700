"""Sequential MNIST against the bytes of its files, and a permutation that never changes."""

from __future__ import annotations

import gzip

import jax
import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import MNIST
from seqexp.data.streams import Examples
from seqexp.tasks import SequentialMNIST
from seqexp.tasks.sequential_mnist import logistic_regression, permutation
from seqexp.types import Batch, SeqexpError, Sequences, Splits


@pytest.fixture(scope="module")
def images(require_files) -> np.ndarray:
    require_files(SequentialMNIST(step="pixel", permuted=False))
    path = fetch(MNIST)["mnist/t10k-images-idx3-ubyte.gz"]
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 784)


def test_the_permutation_is_the_recorded_one():
    """The first that scoRNN's code, and most since, draws."""
    order = permutation()
    assert sorted(order.tolist()) == list(range(784))
    assert order[:5].tolist() == [319, 576, 323, 107, 355]
    permuted = SequentialMNIST(step="row", permuted=True).data_hashes()
    plain = SequentialMNIST(step="row", permuted=False).data_hashes()
    assert permuted.keys() - plain.keys() == {"mnist/permutation"}


@pytest.mark.parametrize("step", ["pixel", "row"])
@pytest.mark.parametrize("permuted", [False, True])
def test_digits_are_read_in_their_order(images, step, permuted):
    task = SequentialMNIST(step=step, permuted=permuted)
    splits = task.load()
    (valid,), (test,) = splits.held_out["valid"], splits.held_out["test"]
    shape = (784, 1) if step == "pixel" else (28, 28)
    assert valid.inputs.values.shape == (5000, *shape)
    assert splits.train.steps_per_epoch(100) == 550
    read = images[:, permutation()] if permuted else images
    np.testing.assert_allclose(
        np.asarray(test.inputs.values).reshape(-1, 784)[:50], read[:50] / 255, rtol=1e-6
    )
    # The published order of the first test digits.
    assert np.asarray(test.targets)[:5].tolist() == [7, 2, 1, 0, 4]
    two = jax.tree.map(lambda array: np.asarray(array)[:2], test)
    shown = task.show(two, np.eye(10)[[7, 3]] * 99, None)
    np.testing.assert_allclose(
        np.asarray(shown["digits"]), np.hstack(images[:2].reshape(2, 28, 28)) / 255
    )
    assert str(shown["answers"]).splitlines()[1].endswith("of 2: said 3 1.00, 0 0.00, 1 0.00")


def test_an_unknown_step_is_refused():
    with pytest.raises(SeqexpError, match="'pixel' or 'row'"):
        SequentialMNIST(step="column", permuted=False)  # type: ignore[arg-type]


def test_logistic_regression_learns_what_is_linear():
    """Two classes by which half of the digit is bright; the baseline needs no order."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Batch:
        targets = rng.integers(0, 2, count).astype(np.int32)
        pixels = rng.random((count, 784), np.float32)
        pixels[targets == 1, :392] *= 0.5
        lengths = np.full(count, 784, np.int32)
        return Batch(Sequences(pixels[..., None], lengths), targets)  # type: ignore[arg-type]

    splits = Splits(Examples(split(60)), {"valid": (split(20),), "test": (split(20),)})
    assert logistic_regression(splits) == 1.0
