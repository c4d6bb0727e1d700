"""Whole splits are evaluated exactly, means and what is no mean: against numpy over all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.data.buckets import bucketed
from seqexp.data.streams import Examples
from seqexp.tasks.metrics import cross_entropy
from seqexp.training import Program
from seqexp.training.evaluation import eval_batches, joined, pooled, real_examples, weights
from seqexp.training.random_batch import random_batch
from seqexp.types import (
    Batch,
    Features,
    Mean,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    means,
)
from tests.full import full
from tests.training.small import HYPERS, experiment, program


def split(n: int, steps: int = 2, first: int = 0) -> Batch:
    values = jnp.arange(n * steps * 1.0).reshape(n, steps, 1)
    return Batch(Sequences(values, jnp.full(n, steps)), first + jnp.arange(n))


@pytest.mark.parametrize(("n", "size", "batches"), [(10, 4, 3), (8, 4, 2), (3, 100, 1), (5, 1, 5)])
def test_every_example_is_evaluated_once(n, size, batches):
    cut = eval_batches([split(n)], size)
    assert len(cut) == batches and len({b.inputs.lengths.shape for b in cut}) == 1
    lengths = np.concatenate([b.inputs.lengths for b in cut])
    targets = np.concatenate([b.targets for b in cut])
    assert targets[lengths > 0].tolist() == list(range(n))


def test_parts_of_different_lengths_are_cut_each_for_itself():
    cut = eval_batches([split(5, 2), split(3, 7, first=5), split(4, 9, first=8)], 4)
    shapes = [batch.inputs.values.shape for batch in cut]
    assert shapes == [(4, 2, 1), (4, 2, 1), (3, 7, 1), (4, 9, 1)]
    true = [b.targets[b.inputs.lengths > 0] for b in jax.tree.map(np.asarray, cut)]
    assert np.concatenate(true).tolist() == list(range(12))


def test_batches_of_unequal_weight_pool_to_the_mean_of_the_whole():
    values, counts = jnp.array([3.0, 10.0, 1.0]), jnp.array([3, 5, 1])
    sums = [{"x": Mean(v, w)} for v, w in zip(values, counts, strict=True)]
    assert means(pooled(sums)) == {"x": values.sum() / counts.sum()}
    assert weights(pooled(sums)) == {"x": 9.0}


def test_many_small_numbers_are_not_lost_to_float32():
    large, small, one = jnp.array([1e8]), jnp.array([1.0]), jnp.array([1.0])
    sums = [{"x": Mean(large, one)}] + [{"x": Mean(small, one)}] * 100
    total, weight = pooled(sums)["x"]
    assert total / weight == (1e8 + 100) / 101


def test_what_weighs_nothing_is_not_a_number():
    assert np.isnan(means({"x": Mean(np.float64(0), np.float64(0))})["x"])  # type: ignore[arg-type]


def test_shorter_arrays_are_joined_to_longer_ones_with_zeros():
    one, other = np.ones((2, 3)), np.full((1, 5), 2)
    np.testing.assert_array_equal(
        joined([{"a": one}, {"a": other}])["a"], [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [2] * 5]
    )


def test_examples_that_filled_a_batch_up_are_not_judged():
    (batch,) = eval_batches([split(3)], 100)
    padded = jax.tree.map(lambda a: np.concatenate([a, 0 * a[:2]]), batch)
    generated = Sequences(np.arange(5)[:, None], np.ones(5, int))  # type: ignore[arg-type]
    said, real = real_examples(generated, padded)
    assert np.asarray(said.values).ravel().tolist() == [0, 1, 2]
    assert real.targets.tolist() == [0, 1, 2]


C, T, N = 4, 6, 23
EDGES = [3, 6]


@dataclass(frozen=True)
class Judged(Task):
    """Labels whose confusion matrix is summed, and which are judged once more when decoded."""

    answer: Literal["sequence", "step", "free"]

    @property
    def spec(self) -> TaskSpec:
        if self.answer == "free":
            return TaskSpec(
                Features(3), "free", C, T, causal=False, max_answer_length=5, start=0, end=1
            )
        return TaskSpec(Features(3), self.answer, C, T, causal=False)

    @property
    def score(self) -> Score:
        return Score("f1", "max")

    def examples(self, seed: int, count: int) -> Batch:
        rng = np.random.default_rng(seed)
        lengths, answers = rng.integers(1, T + 1, count), rng.integers(1, 6, count)
        return random_batch(
            self.spec,
            count,
            lengths=lengths.tolist(),
            answer_lengths=answers.tolist(),
            seed=seed,
        )

    def load(self) -> Splits:
        parts = bucketed(self.spec, self.examples(1, N), EDGES)
        test = bucketed(self.spec, self.examples(2, N), EDGES)
        return Splits(
            Examples(self.examples(0, N)), {"valid": parts, "test": test, "short": test[:1]}
        )

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        mask = jnp.asarray(self.spec.answer_mask(batch))
        said = jnp.argmax(prediction.outputs, -1)
        pairs = jnp.zeros((C, C)).at[batch.targets, said].add(mask)
        loss = cross_entropy(prediction.outputs, batch.targets, mask)
        return {"loss": loss, "confusion": pairs, "counts": {"examples": mask.sum()}}

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        pairs = sums["confusion"]
        f1 = 2 * np.diag(pairs) / np.maximum(1, pairs.sum(0) + pairs.sum(1))
        counted = {f"pair {i} {j}": float(pairs[i, j]) for i in range(C) for j in range(C)}
        return {**means(sums), **counted, "f1": f1.mean(), "n": sums["counts"]["examples"]}

    @property
    def decoding(self) -> Literal["greedy"]:
        return "greedy"

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        assert isinstance(generated.values, np.ndarray) and isinstance(batch.targets, np.ndarray)
        exact = 0
        for said, length, wanted in zip(*generated, np.atleast_1d(batch.targets), strict=True):
            exact += said[:length].tolist() == np.atleast_1d(wanted)[:length].tolist()
        said = float(generated.values.sum())
        return {"exact": exact, "judged": len(generated.lengths), "said": said}


def of_all(group: Program, member: int, states, examples: Batch) -> dict[str, float]:
    """The same metrics of all examples at once in numpy, each read alone."""
    task, params = group.experiment.task, group.take(states)[member].params
    spec, found = task.spec, np.zeros((C, C))
    model = nnx.merge(group.graphdef, params)

    @jax.jit
    def outputs_of(one: Batch):
        return model(one.inputs, one.prefix).outputs

    total, exact = 0.0, 0
    for row in range(len(examples.inputs.lengths)):
        one = jax.tree.map(lambda a, row=row: np.asarray(a)[row : row + 1], examples)
        outputs = np.asarray(outputs_of(one), np.float64).reshape(-1, C)
        length = {"sequence": 1, "step": int(one.inputs.lengths[0])}.get(spec.answer)
        if length is None:
            assert one.prefix is not None
            length = int(one.prefix.lengths[0])
        labels = np.ravel(one.targets)[:length]
        said = outputs[:length].argmax(-1)
        np.add.at(found, (labels, said), 1)
        p = np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)
        total -= np.log(p[np.arange(length), labels]).sum()
        exact += said.tolist() == labels.tolist()
    per_class = []
    for c in range(C):
        true, claimed, hits = found[c].sum(), found[:, c].sum(), found[c, c]
        precision, recall = hits / max(1, claimed), hits / max(1, true)
        per_class.append(2 * precision * recall / max(1e-300, precision + recall))
    counted = {f"pair {i} {j}": found[i, j] for i in range(C) for j in range(C)}
    return {
        **counted,
        "loss": total / found.sum(),
        "f1": float(np.mean(per_class)),
        "n": found.sum(),
        "exact": exact,
    }


@pytest.mark.parametrize(
    ("answer", "size"), [("sequence", 5), full("step", 100), full("sequence", 100), full("step", 5)]
)
def test_what_is_no_mean_is_exact_over_uneven_batches(answer, size):
    """A confusion matrix, F1, and a judge that counts what is right as a whole; two members."""
    task = Judged(answer)
    small = experiment(task, eval_batch_size=size)
    group = program(small, task.load(), HYPERS[:2], members=1)
    states = group.init()
    found = group.evaluate([s.params for s in states], np.array([True, True]), "test")
    assert set(found) == {0, 1}
    for member, (metrics, by_mean) in found.items():
        expected = of_all(group, member, states, task.examples(2, N))
        assert metrics["judged"] == N
        exactly = [name for name in expected if name not in ("loss", "f1")]
        assert {name: metrics[name] for name in exactly} == {n: expected[n] for n in exactly}
        assert metrics["f1"] == pytest.approx(expected["f1"], rel=1e-12)
        assert metrics["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert by_mean == {"loss": expected["n"]}
    assert found[0].metrics != found[1].metrics


@pytest.mark.full
def test_free_answers_are_judged_as_they_are_written():
    """Teacher-forced sums, and answers of every length, whatever the batches."""
    task = Judged("free")
    found = []
    for size in (5, 100):
        group = program(experiment(task, eval_batch_size=size), task.load(), HYPERS[:1])
        states = group.init()
        evaluated = group.evaluate([s.params for s in states], np.array([True]), "test")
        expected = of_all(group, 0, states, task.examples(2, N))
        metrics = evaluated[0].metrics
        assert metrics["judged"] == N
        assert metrics["n"] == expected["n"] == evaluated[0].weights["loss"]
        assert metrics["f1"] == pytest.approx(expected["f1"], rel=1e-12)
        found.append((metrics["exact"], metrics["said"]))
    assert found[0] == found[1]


def test_a_member_that_is_not_active_is_left_out():
    task = Judged("sequence")
    group = program(experiment(task), task.load(), HYPERS[:2], members=1)
    params = [s.params for s in group.init()]
    both = group.evaluate(params, np.array([True, True]), "short")
    one = group.evaluate(params, np.array([False, True]), "short")
    assert one == {1: both[1]}
