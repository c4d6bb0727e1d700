"""Mistakes in a task's data are named before training: split, field, row and value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Examples, Generated, Windows
from seqexp.tasks.metrics import accuracy, cross_entropy, squared_error
from seqexp.training.check_data import check_data
from seqexp.types import Batch, Mean, Score, SeqexpError, Splits, TaskSpec, Text

N, T, V, C = 6, 4, 7, 3
WORDS = TaskSpec("tokens", V, "sequence", C, T, causal=False)
STEPS = TaskSpec("features", 2, "step", C, T, causal=True)
VALUE = TaskSpec("features", 2, "sequence", 1, T, causal=False)
LENGTHS = np.array([4, 3, 2, 4, 0, 1], np.int32)


@dataclass
class Own:
    """A task of a user's own, with labels or values."""

    spec: TaskSpec
    text: Text | None = None
    score: Score = field(default_factory=lambda: Score("loss", "min"))
    baselines: dict[str, float] = field(default_factory=dict)

    def data_hashes(self) -> dict[str, str]:
        return {}

    def load(self) -> Splits:
        return splits(self.spec)

    def measure(self, outputs: Any, batch: Batch) -> dict[str, Mean]:
        mask = batch.lengths > 0
        if self.spec.outputs == "step":
            mask = jnp.arange(outputs.shape[1]) < batch.lengths[:, None]
        if self.spec.output_size == 1:
            return {"loss": squared_error(outputs, batch.targets, mask)}
        loss = cross_entropy(outputs, batch.targets, mask)
        return {"loss": loss, "accuracy": accuracy(outputs, batch.targets, mask)}


def examples(spec: TaskSpec) -> Batch:
    """Examples that are right, with nonsense where padding is."""
    rng = np.random.default_rng(0)
    real = np.arange(T) < LENGTHS[:, None]
    if spec.inputs == "tokens":
        inputs = np.where(real, rng.integers(0, V, (N, T)), 99)
    else:
        inputs = np.where(real[..., None], rng.normal(size=(N, T, 2)), np.nan).astype(np.float32)
    if spec.output_size == 1:
        targets = np.where(LENGTHS > 0, 1.0, np.inf)[:, None]
    elif spec.outputs == "step":
        targets = np.where(real, rng.integers(0, C, (N, T)), -1)
    else:
        targets = np.where(LENGTHS > 0, rng.integers(0, C, N), -1)
    return Batch(inputs, targets, LENGTHS)  # type: ignore[arg-type]


def splits(spec: TaskSpec, **wrong: Batch) -> Splits:
    train = wrong.pop("train", examples(spec))
    return Splits(Examples(train), examples(spec), examples(spec))._replace(**wrong)


def but(spec: TaskSpec, name: str, row: Any, value: Any) -> Batch:
    """Right examples but for one value."""
    array = np.array(getattr(examples(spec), name))
    array[row] = value
    return examples(spec)._replace(**{name: array})


@pytest.mark.parametrize("spec", [WORDS, STEPS, VALUE], ids=["words", "steps", "value"])
def test_what_is_right_passes_whatever_its_padding_holds(spec):
    check_data(Own(spec), splits(spec), batch_size=2)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("spec", "name", "row", "value", "said"),
    [
        (WORDS, "inputs", (3, 1), V, "inputs, row 3, place 1 is token 7, but the spec's tokens"),
        (WORDS, "inputs", (3, 1), -1, "inputs, row 3, place 1 is token -1, but"),
        (WORDS, "targets", 2, C, "targets, row 2 is label 3, but the spec's classes are 0 to 2"),
        (WORDS, "targets", 2, -1, "targets, row 2 is label -1, but"),
        (STEPS, "targets", (1, 2), C, "targets, row 1, place 2 is label 3, but"),
        (STEPS, "inputs", (0, 3, 1), np.nan, r"inputs, row 0, place \[3, 1\] is nan, but"),
        (VALUE, "inputs", (5, 0, 0), -np.inf, r"inputs, row 5, place \[0, 0\] is -inf, but"),
        (VALUE, "targets", (0, 0), np.nan, "targets, row 0, place 0 is nan, but"),
        (VALUE, "targets", (0, 0), 1e300, r"targets, row 0, place 0 is 1e\+300, but"),
        (VALUE, "lengths", 1, T + 1, "lengths, row 1 is 5, but the inputs have 4 steps"),
        (VALUE, "lengths", 1, -2, "lengths, row 1 is -2, but"),
        (VALUE, "lengths", slice(None), 0, "every length is 0"),
    ],
)
def test_a_wrong_value_is_named(spec, name, row, value, said, split):
    wrong = splits(spec, **{split: but(spec, name, row, value)})
    with pytest.raises(SeqexpError, match=f"^Own, {split} split: {said}"):
        check_data(Own(spec), wrong, batch_size=2)


@pytest.mark.parametrize(
    ("spec", "changes", "said"),
    [
        (VALUE, {"targets": np.zeros(N, np.float32)}, r"float32 \[6\], but .*values \[6, 1\]"),
        (WORDS, {"targets": np.zeros((N, 1), np.int32)}, r"int32 \[6, 1\], but"),
        (WORDS, {"targets": np.zeros(N - 1, np.int32)}, r"targets are int32 \[5\], but"),
        (WORDS, {"targets": np.array(["a"] * N)}, "must be numbers"),
        (WORDS, {"inputs": np.zeros((N, T))}, "asks for tokens, which are integers"),
        (VALUE, {"inputs": np.zeros((N, T, 2), int)}, "asks for features, which are floats"),
        (VALUE, {"inputs": np.zeros((N, T, 3))}, r"asks for \[N, T, 2\] features"),
        (VALUE, {"inputs": np.zeros((N, T + 1, 2))}, "of 1 to 4 steps"),
        (VALUE, {"lengths": np.full(N, 2.0)}, "lengths are float64"),
        (VALUE, {"lengths": np.full((N, 1), 2)}, r"must be integers \[6\]"),
    ],
)
def test_a_wrong_form_is_named(spec, changes, said):
    wrong = splits(spec, test=examples(spec)._replace(**changes))
    with pytest.raises(SeqexpError, match=f"^Own, test split: .*{said}"):
        check_data(Own(spec), wrong, batch_size=2)


def test_a_task_can_have_targets_of_its_own():
    """Say, a label of -1 for what its measure leaves out."""
    own = splits(WORDS, valid=but(WORDS, "targets", 2, -1))
    check_data(Own(replace(WORDS, targets="own")), own, batch_size=2)


def test_the_tokens_of_windows_are_all_looked_at():
    tokens = np.zeros(1000, np.int32)
    tokens[998] = V
    spec = TaskSpec("tokens", V, "step", C, T, causal=True)
    right = examples(spec)
    with pytest.raises(SeqexpError, match="^Own, train split: inputs, row 249, place 2 is token 7"):
        wrong = Splits(Windows(tokens, T), right, right)  # type: ignore[arg-type]
        check_data(Own(spec), wrong, batch_size=2)


def test_generated_examples_are_looked_at():
    def make(key, batch_size):
        shape = batch_size, T, 2
        return Batch(jnp.full(shape, jnp.nan), jnp.ones((batch_size, 1)), jnp.full(batch_size, T))

    wrong = splits(VALUE)._replace(train=Generated(make))
    with pytest.raises(SeqexpError, match="^Own, training batch of step 0: inputs, row 0"):
        check_data(Own(VALUE), wrong, batch_size=2)


def test_a_measure_must_give_the_loss_and_the_score():
    task = Own(WORDS, score=Score("f1", "max"))
    with pytest.raises(SeqexpError, match="measure gives accuracy, loss, but no 'f1'"):
        check_data(task, splits(WORDS), batch_size=2)


def test_a_prompt_must_be_of_the_tokens():
    spec = TaskSpec("tokens", V, "step", V, T, causal=True)
    with pytest.raises(SeqexpError, match=r"the prompt of text has symbols .*\['z'\]"):
        check_data(Own(spec, Text("abcdefg", "az", 3)), splits(spec), batch_size=2)
