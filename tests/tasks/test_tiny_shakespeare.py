"""Tiny Shakespeare: sizes, coverage, and scores of simple predictors computed here from scratch."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import TINY_SHAKESPEARE
from seqexp.tasks import TinyShakespeare
from seqexp.types import Prediction, SeqexpError, Tokens


@pytest.fixture(scope="module")
def task(require_files) -> TinyShakespeare:
    task = TinyShakespeare(window=128)
    require_files(task)
    return task


@pytest.fixture(scope="module")
def splits(task):
    return task.load()


@pytest.fixture(scope="module")
def characters(task) -> str:
    (path,) = fetch(TINY_SHAKESPEARE).values()
    return path.read_bytes().decode("ascii")


def test_the_symbols_are_those_of_the_text_sorted(task, characters):
    assert task.text.symbols == "".join(sorted(set(characters)))
    assert task.spec.inputs == Tokens(65)


def test_the_splits_are_the_text_in_order(task, splits, characters):
    def written(tokens) -> str:
        return "".join(np.array(list(task.text.symbols))[np.asarray(tokens)])

    def covered(name: str) -> str:
        """The first character, then each predicted one."""
        (split,) = splits.held_out[name]
        true = np.arange(task.window) < np.asarray(split.inputs.lengths)[:, None]
        return written(split.inputs.values[0, :1]) + written(np.asarray(split.targets)[true])

    train, valid, test = written(splits.train.tokens), covered("valid"), covered("test")
    assert (len(train), len(valid), len(test)) == (1_003_854, 55_770, 55_770)
    assert train + valid + test == characters


def test_each_target_is_the_next_input(splits):
    (valid,) = splits.held_out["valid"]
    inputs, lengths, targets = map(np.asarray, (*valid.inputs, valid.targets))
    np.testing.assert_array_equal(inputs[:-1, 1:], targets[:-1, :-1])
    np.testing.assert_array_equal(inputs[1:, 0], targets[:-1, -1])
    assert lengths[-1] == 55_769 % 128 and set(lengths[:-1]) == {128}


def score(task, logits, split) -> float:
    total, weight = task.measure(Prediction(logits, ()), split)["bits_per_character"]
    assert weight == 55_769
    return float(total / weight)


@pytest.mark.full
def test_simple_predictors_reach_their_baselines(task, splits):
    train, (test,) = np.asarray(splits.train.tokens), splits.held_out["test"]
    counts = np.bincount(train, minlength=65) + 1
    everywhere = (*test.targets.shape, 65)
    predictors = {
        "uniform": np.zeros(65),
        "character frequencies": np.log(counts / counts.sum()),
    }
    assert {*predictors, "n-grams"} == set(task.baselines)
    for name, logits in predictors.items():
        bits = score(task, jnp.broadcast_to(jnp.asarray(logits, jnp.float32), everywhere), test)
        assert bits == pytest.approx(task.baselines[name], abs=2e-4), name


def test_bits_are_nats_by_the_logarithm_of_two(task, splits):
    (valid,) = splits.held_out["valid"]
    sums = task.measure(Prediction(jnp.zeros((*valid.targets.shape, 65)), ()), valid)
    nats, bits = (mean.total / mean.weight for mean in sums.values())
    np.testing.assert_allclose([nats, bits], [np.log(65), np.log2(65)], rtol=1e-5)


@pytest.mark.parametrize("window, message", [(0, ">= 1"), (55_770, "55769 characters")])
def test_impossible_windows_are_refused(window, message):
    with pytest.raises(SeqexpError, match=f"TinyShakespeare: window.*{message}"):
        TinyShakespeare(window=window)


def test_the_longest_window_is_accepted():
    assert TinyShakespeare(window=55_769).spec.max_length == 55_769
