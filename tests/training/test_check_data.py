"""Mistakes in a task's data are named before training: split, field, row and value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Examples, Generated, Windows
from seqexp.tasks.metrics import accuracy, cross_entropy, squared_error
from seqexp.training.check_data import check_data
from seqexp.types import (
    CTC,
    Batch,
    Beam,
    Decoding,
    Features,
    FreeRunning,
    Mean,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
)

N, T, V, C, U = 6, 4, 7, 3, 5
WORDS = TaskSpec(Tokens(V), "sequence", C, T, causal=False)
STEPS = TaskSpec(Features(2), "step", C, T, causal=True)
VALUE = TaskSpec(Features(2), "sequence", 1, T, causal=False)
NEXT = TaskSpec(Features(C), "step", C, T, causal=True)
FREE = TaskSpec(
    Tokens(V), "free", C, T, causal=False, max_answer_length=U, start=0, end=1, targets="labels"
)
LENGTHS = np.array([4, 3, 2, 4, 0, 1], np.int32)
ANSWERS = np.array([1, 5, 2, 3, 0, 4], np.int32)


@dataclass
class Own(Task):
    """A task of a user's own, with labels or values."""

    asked: TaskSpec
    judged_by: Score = Score("loss", "min")
    decoded_by: Decoding | None = None

    @property
    def spec(self) -> TaskSpec:
        return self.asked

    @property
    def score(self) -> Score:
        return self.judged_by

    @property
    def decoding(self) -> Decoding | None:
        return self.decoded_by

    def load(self) -> Splits:
        return splits(self.spec)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        mask = jnp.asarray(self.spec.answer_mask(batch))
        if self.spec.output_size == 1:
            return {"loss": squared_error(prediction.outputs, batch.targets, mask)}
        loss = cross_entropy(prediction.outputs, batch.targets, mask)
        return {"loss": loss, "accuracy": accuracy(prediction.outputs, batch.targets, mask)}


def examples(spec: TaskSpec) -> Batch:
    """Examples that are right, with nonsense where padding is."""
    rng = np.random.default_rng(0)
    real = np.arange(T) < LENGTHS[:, None]
    if isinstance(spec.inputs, Tokens):
        inputs = np.where(real, rng.integers(0, V, (N, T)), 99)
    else:
        values = rng.normal(size=(N, T, spec.inputs.size))
        inputs = np.where(real[..., None], values, np.nan).astype(np.float32)
    prefix = None
    if spec.answer == "free":
        written = np.arange(U) < ANSWERS[:, None]
        tokens = np.where(written, rng.integers(0, C, (N, U)), 99)
        prefix = Sequences(tokens, ANSWERS)  # type: ignore[arg-type]
        targets = np.where(written, rng.integers(0, C, (N, U)), -1)
    elif spec.output_size == 1:
        targets = np.where(LENGTHS > 0, 1.0, np.inf)[:, None]
    elif spec.answer == "step":
        targets = np.where(real, rng.integers(0, C, (N, T)), -1)
    else:
        targets = np.where(LENGTHS > 0, rng.integers(0, C, N), -1)
    return Batch(Sequences(inputs, LENGTHS), targets, prefix)  # type: ignore[arg-type]


def splits(spec: TaskSpec, **wrong: Batch) -> Splits:
    train = wrong.pop("train", examples(spec))
    held_out = {"valid": examples(spec), "test": examples(spec), **wrong}
    return Splits(Examples(train), {name: (split,) for name, split in held_out.items()})


def changed(spec: TaskSpec, **changes: Any) -> Batch:
    """Right examples but for whole arrays, by the names of errors."""
    batch = examples(spec)
    for name, value in changes.items():
        if name == "inputs":
            batch = batch._replace(inputs=batch.inputs._replace(values=value))
        elif name == "lengths":
            batch = batch._replace(inputs=batch.inputs._replace(lengths=value))
        elif name in ("prefix", "prefix lengths"):
            assert batch.prefix is not None
            field = "values" if name == "prefix" else "lengths"
            batch = batch._replace(prefix=batch.prefix._replace(**{field: value}))
        else:
            batch = batch._replace(targets=value)
    return batch


def but(spec: TaskSpec, name: str, row: Any, value: Any) -> Batch:
    """Right examples but for one value."""
    batch = examples(spec)
    arrays = {
        "inputs": batch.inputs.values,
        "lengths": batch.inputs.lengths,
        "targets": batch.targets,
    }
    if batch.prefix is not None:
        arrays |= {"prefix": batch.prefix.values, "prefix lengths": batch.prefix.lengths}
    array = np.array(arrays[name])
    array[row] = value
    return changed(spec, **{name: array})


@pytest.mark.parametrize(
    "spec", [WORDS, STEPS, VALUE, FREE], ids=["words", "steps", "value", "free"]
)
def test_what_is_right_passes_whatever_its_padding_holds(spec):
    check_data(Own(spec), splits(spec), batch_size=2)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("spec", "name", "row", "value", "said"),
    [
        (
            WORDS,
            "inputs",
            (3, 1),
            V,
            "inputs, row 3, place 1 is token 7, but .* 0 to 6 .inputs=Tokens.7..$",
        ),
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
        (FREE, "prefix", (1, 4), C, r"prefix, row 1, place 4 is token 3, but .*output_size=3"),
        (FREE, "prefix lengths", 1, U + 1, "prefix lengths, row 1 is 6, but the prefix has 5"),
        (FREE, "prefix lengths", slice(None), 0, "every length is 0"),
        (FREE, "targets", (1, 4), C, "targets, row 1, place 4 is label 3, but"),
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
        (FREE, {"prefix": np.zeros((N, U + 1), int)}, r"prefix are int64 \[6, 6\].* 1 to 5 steps"),
        (FREE, {"prefix": np.zeros((N, U))}, "prefix are float64 .* tokens, which are integers"),
        (FREE, {"prefix lengths": np.full(N, 2.0)}, "prefix lengths are float64"),
        (FREE, {"targets": np.zeros(N, int)}, r"a step of the prefix .* integers \[6, 5\]"),
    ],
)
def test_a_wrong_form_is_named(spec, changes, said):
    wrong = splits(spec, test=changed(spec, **changes))
    with pytest.raises(SeqexpError, match=f"^Own, test split: .*{said}"):
        check_data(Own(spec), wrong, batch_size=2)


def test_a_task_can_have_targets_of_its_own():
    """Say, a label of -1 for what its measure leaves out."""
    own = splits(WORDS, valid=but(WORDS, "targets", 2, -1))
    check_data(Own(replace(WORDS, targets="own")), own, batch_size=2)


def test_the_tokens_of_windows_are_all_looked_at():
    tokens = np.zeros(1000, np.int32)
    tokens[998] = V
    spec = TaskSpec(Tokens(V), "step", C, T, causal=True)
    right = examples(spec)
    with pytest.raises(SeqexpError, match="^Own, train split: inputs, row 249, place 2 is token 7"):
        windows = Windows(tokens, T)  # type: ignore[arg-type]
        wrong = Splits(windows, {"valid": (right,), "test": (right,)})
        check_data(Own(spec), wrong, batch_size=2)


def test_generated_examples_are_looked_at():
    def make(key, batch_size):
        shape = batch_size, T, 2
        inputs = Sequences(jnp.full(shape, jnp.nan), jnp.full(batch_size, T))
        return Batch(inputs, jnp.ones((batch_size, 1)))

    wrong = splits(VALUE)._replace(train=Generated(make))
    with pytest.raises(SeqexpError, match="^Own, training batch of step 0: inputs, row 0"):
        check_data(Own(VALUE), wrong, batch_size=2)


def test_a_measure_must_give_the_loss_and_the_score():
    task = Own(WORDS, judged_by=Score("f1", "max"))
    with pytest.raises(SeqexpError, match="measure gives accuracy, loss, but no 'f1'"):
        check_data(task, splits(WORDS), batch_size=2)


@pytest.mark.parametrize(
    ("spec", "how", "said"),
    [
        (WORDS, Beam(2), "a beam writes free answers, and the spec has one a sequence"),
        (WORDS, CTC(0), "CTC needs an answer a step"),
        (STEPS, CTC(C), "the blank of CTC must be one of the outputs, 0 to 2, not 3"),
        (STEPS, CTC(-1, width=2), "the blank of CTC"),
        (STEPS, FreeRunning(2), "as many values as features"),
        (NEXT, FreeRunning(T + 1), "at least 5 steps"),
        (NEXT, FreeRunning(2, draws="bernoulli"), "what is judged is not drawn"),
    ],
)
def test_what_is_decoded_must_fit_the_answers(spec, how, said):
    with pytest.raises(SeqexpError, match=said):
        check_data(Own(spec, decoded_by=how), splits(spec), batch_size=2)


@pytest.mark.parametrize(
    ("spec", "how"),
    [(FREE, Beam(2)), (STEPS, CTC(C - 1)), (FREE, "greedy"), (NEXT, FreeRunning(T))],
)
def test_decoding_that_fits_is_accepted(spec, how):
    check_data(Own(spec, decoded_by=how), splits(spec), batch_size=2)


def test_a_task_must_be_a_subclass_of_the_one_there_is():
    with pytest.raises(SeqexpError, match=r"^Splits is no task: make it a subclass of seqexp\."):
        check_data(splits(WORDS), splits(WORDS), batch_size=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "said"), [(["valid"], "no test split"), ([], "no test and no valid split")]
)
def test_the_splits_that_everything_rests_on_must_be_there(names, said):
    whole = splits(WORDS)
    wrong = whole._replace(held_out={name: whole.held_out[name] for name in names})
    with pytest.raises(SeqexpError, match=f"^Own: held_out has {said}$"):
        check_data(Own(WORDS), wrong, batch_size=2)


@pytest.mark.parametrize(("spec", "found"), [(FREE, "none"), (WORDS, "one")])
def test_a_prefix_is_for_free_answers(spec, found):
    prefix = None if spec is FREE else Sequences(np.zeros((N, U), int), ANSWERS)  # type: ignore[arg-type]
    wrong = splits(spec, valid=examples(spec)._replace(prefix=prefix))
    with pytest.raises(SeqexpError, match=f"^Own, valid split: there is {found}, but only a task"):
        check_data(Own(spec), wrong, batch_size=2)


def test_further_splits_and_all_their_parts_are_looked_at():
    right, wrong = examples(WORDS), but(WORDS, "inputs", (3, 1), V)
    held_out = {**splits(WORDS).held_out, "length 4x": (right, wrong)}
    with pytest.raises(SeqexpError, match="^Own, length 4x split: inputs, row 3, place 1"):
        check_data(Own(WORDS), splits(WORDS)._replace(held_out=held_out), batch_size=2)


class MeanOfVectors(Own):
    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        return {"loss": Mean(jnp.zeros(2), jnp.ones(2))}


class LossOfCounts(Own):
    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        return {"loss": jnp.zeros(())}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            MeanOfVectors(WORDS),
            r"the sum and weight of 'loss' must be scalars, and are \[\[2\], \[2\]\]",
        ),
        (LossOfCounts(WORDS), "measure gives loss, but no 'loss' that is a Mean"),
    ],
)
def test_a_loss_is_the_mean_of_scalars(task, said):
    with pytest.raises(SeqexpError, match=said):
        check_data(task, splits(WORDS), batch_size=2)
