"""What every task promises, over all of them: found by `seqexp.tasks.__all__` and `conf/task`.

Those of free answers keep the laws of tasks (`seqexp.laws.tasks`) in test files of their own.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

import seqexp.tasks
from seqexp.inspection.shown import shown_examples, text_of
from seqexp.types import (
    Batch,
    Bucket,
    Mean,
    Prediction,
    Sequences,
    Splits,
    Stream,
    Sums,
    Task,
    Tokens,
)
from tests.full import full, tasks
from tests.own_files import own_files

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "task").glob("*.yaml"))
FREE = {"multi30k"}
EXAMPLES = 5


class Loaded(NamedTuple):
    """A task, its data, a few validation examples as numpy, and its compiled functions."""

    task: Task
    splits: Splits
    batch: Batch
    measure: Callable[[np.ndarray, Batch], Sums]
    slope_and_sums: Callable[[np.ndarray, Batch], tuple[jax.Array, Sums]]


def made(config: Path) -> Task:
    settings = own_files().get(config.stem, {})
    return hydra.utils.instantiate(OmegaConf.merge(OmegaConf.load(config).task, settings))


@functools.cache
def load(config: Path) -> Loaded:
    task = made(config)
    splits = task.load()
    most = max(splits.held_out["valid"], key=lambda part: len(part.inputs.lengths))
    batch = jax.tree.map(lambda array: np.array(array)[-EXAMPLES:], most)

    def measure(outputs, batch):
        return dict(task.measure(Prediction(outputs, ()), batch))

    def loss(outputs, batch):
        sums = measure(outputs, batch)
        return sums["loss"].total, sums

    grad = jax.jit(jax.grad(loss, has_aux=True))
    return Loaded(task, splits, batch, jax.jit(measure), grad)


@pytest.fixture(params=tasks(path.stem for path in CONFIGS if path.stem not in FREE))
def loaded(request, require_files) -> Loaded:
    (config,) = (path for path in CONFIGS if path.stem == request.param)
    require_files(made(config))
    return load(config)


@pytest.fixture
def task(loaded):
    return loaded.task


def train_batch(stream: Stream, key, step) -> Batch:
    """The batch of a step, of the bucket that is due then."""
    place = int(stream.order(step, 1, EXAMPLES)[0])
    return bucket_batch(stream, key, step, stream.buckets(EXAMPLES)[place])


@functools.partial(jax.jit, static_argnums=3)
def bucket_batch(stream: Stream, key, step, bucket: Bucket) -> Batch:
    return stream.batch(stream.plan(key, step, 1, EXAMPLES), key, step, bucket)


def outputs_for(loaded: Loaded) -> np.ndarray:
    spec = loaded.task.spec
    shape = (*spec.answer_shape(loaded.batch), spec.output_size)
    return np.random.default_rng(5).normal(0, 3, shape).astype(np.float32)


def with_lengths(batch: Batch, lengths: np.ndarray) -> Batch:
    return batch._replace(inputs=Sequences(batch.inputs.values, lengths))  # type: ignore[arg-type]


def test_every_task_has_a_config_and_every_config_its_task():
    targets = {OmegaConf.load(path).task._target_ for path in CONFIGS}
    assert targets == {f"seqexp.tasks.{name}" for name in seqexp.tasks.__all__}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_names_every_argument_and_a_training_length(path):
    config = OmegaConf.load(path)
    task = hydra.utils.get_class(config.task._target_)
    assert path.read_text().startswith("# @package _global_\n")
    assert set(config) == {"task", "trainer"}
    assert dataclasses.is_dataclass(task)
    arguments = {field.name for field in dataclasses.fields(task)}
    assert set(config.task) == {"_target_", *arguments}
    assert set(config.trainer) == {"steps", "batch_size", "eval_every"}
    assert config.trainer.steps % config.trainer.eval_every == 0


def test_batches_are_as_the_spec_says(loaded):
    spec, splits = loaded.task.spec, loaded.splits
    train = train_batch(splits.train, jax.random.key(0), jnp.int32(3))
    assert train.inputs.lengths.shape == (EXAMPLES,)
    assert {"valid", "test"} <= set(splits.held_out)
    for split in (train, *(part for parts in splits.held_out.values() for part in parts)):
        inputs, lengths = map(np.asarray, split.inputs)
        assert lengths.dtype == np.int32
        assert 1 <= lengths.min() <= lengths.max() <= spec.max_length
        steps = inputs.shape[1]
        assert lengths.max() <= steps <= spec.max_length
        if isinstance(spec.inputs, Tokens):
            assert inputs.shape == (len(lengths), steps)
            assert inputs.dtype == np.int32
            assert 0 <= inputs.min() <= inputs.max() < spec.inputs.size
        else:
            assert inputs.shape == (len(lengths), steps, spec.inputs.size)
            assert inputs.dtype == np.float32
            assert np.all(np.isfinite(inputs))
        answers = (len(lengths), steps) if spec.answer == "step" else (len(lengths),)
        assert spec.answer_shape(split) == answers
        if spec.targets == "own":
            continue
        targets = np.asarray(split.targets)
        if np.issubdtype(targets.dtype, np.integer):
            assert targets.shape == answers
            assert targets.dtype == np.int32
            assert 0 <= targets.min() <= targets.max() < spec.output_size
        else:
            assert targets.shape == (*answers, spec.output_size)
            assert targets.dtype == np.float32
            assert np.all(np.isfinite(targets))


def test_some_data_is_as_long_as_the_spec_says(loaded):
    spec, splits = loaded.task.spec, loaded.splits
    longest = {
        name: max(part.inputs.values.shape[1] for part in parts)
        for name, parts in splits.held_out.items()
    }
    buckets = splits.train.buckets(EXAMPLES)
    trained = max([*(bucket.length for bucket in buckets), longest["valid"], longest["test"]])
    assert trained == spec.usual_length
    assert max(trained, *longest.values()) == spec.max_length


def test_data_is_the_same_whenever_it_is_loaded(loaded):
    again = loaded.task.load()
    assert jax.tree.structure(again) == jax.tree.structure(loaded.splits)
    for got, want in zip(jax.tree.leaves(again), jax.tree.leaves(loaded.splits), strict=True):
        np.testing.assert_array_equal(got, want)


def test_training_batches_follow_the_key_and_the_step(loaded):
    batches = [
        np.asarray(
            train_batch(loaded.splits.train, jax.random.key(seed), jnp.int32(step)).inputs.values
        )
        for seed, step in [(0, 0), (0, 1), (1, 0), (0, 0)]
    ]
    np.testing.assert_array_equal(batches[0], batches[3])
    assert not np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[0], batches[2])


def test_metrics_are_finite_and_hold_the_loss_and_the_score(loaded):
    sums = loaded.measure(outputs_for(loaded), loaded.batch)
    metrics = loaded.task.summarize(jax.tree.map(np.float64, sums))
    assert "loss" in metrics
    assert loaded.task.score.name in metrics or loaded.task.decoding is not None
    assert all(math.isfinite(value) for value in metrics.values())
    assert loaded.task.score.goal in ("min", "max")
    for mean in sums.values():
        assert isinstance(mean, Mean)
        total, weight = mean
        assert total.shape == weight.shape == ()
        assert np.isfinite(total) and weight > 0


def test_metrics_of_parts_pool_to_those_of_the_whole(loaded):
    outputs, batch = outputs_for(loaded), loaded.batch
    whole = loaded.measure(outputs, batch)
    first = np.arange(EXAMPLES) < 2
    parts = [
        loaded.measure(outputs, with_lengths(batch, np.where(rows, batch.inputs.lengths, 0)))
        for rows in (first, ~first)
    ]
    for name in whole:
        pooled = np.add(parts[0][name], parts[1][name])
        np.testing.assert_allclose(pooled, whole[name], rtol=1e-5)


@pytest.mark.parametrize("filling", [math.nan, full(math.inf), full(-1e30)])
def test_padding_weighs_nothing_in_metrics_and_gradients(loaded, filling):
    """Against zeros within the arrays: two steps and three examples more, and wild values."""
    outputs = outputs_for(loaded)
    inputs, lengths = map(np.asarray, loaded.batch.inputs)
    targets, own = loaded.batch.targets, loaded.task.spec.targets == "own"
    by_step = loaded.task.spec.answer == "step"
    if by_step:
        lengths = lengths - np.arange(EXAMPLES, dtype=np.int32) % 3
        true = np.arange(outputs.shape[1]) < lengths[:, None]
    else:
        true = lengths > 0

    def fill(array: np.ndarray, value: float) -> np.ndarray:
        mask = true.reshape(true.shape + (1,) * (array.ndim - true.ndim))
        return np.where(mask, array, np.asarray(value, array.dtype))

    def extend(array: np.ndarray, value: float, has_steps: bool) -> np.ndarray:
        widths = [(0, 3), (0, 2 if has_steps else 0), (0, 0)][: array.ndim]
        return np.pad(array, widths, constant_values=value)

    def spoilt(value: float, label: int) -> Any:
        """The targets, with something else at padding, unless only the task knows where that is."""
        if own:
            return targets
        array = np.asarray(targets)
        return fill(array, label if np.issubdtype(array.dtype, np.integer) else value)

    def more(leaf: np.ndarray) -> np.ndarray:
        with_steps = by_step and not own
        value = 0 if own else 10**6 if np.issubdtype(leaf.dtype, np.integer) else filling
        return extend(leaf, value, with_steps)

    few = with_lengths(loaded.batch, lengths)._replace(targets=spoilt(0, 0))
    many = loaded.batch._replace(
        inputs=Sequences(extend(inputs, 1, True), extend(lengths, 0, False)),  # type: ignore[arg-type]
        targets=jax.tree.map(more, spoilt(filling, 10**6)),
    )
    slope, metrics = loaded.slope_and_sums(fill(outputs, 0), few)
    wild = extend(fill(outputs, filling), filling, by_step)
    wild_slope, wild_metrics = loaded.slope_and_sums(wild, many)
    for name in metrics:
        np.testing.assert_allclose(wild_metrics[name], metrics[name], rtol=1e-5)
    expected = extend(np.asarray(slope), 0, by_step)
    np.testing.assert_allclose(wild_slope, expected, rtol=1e-5, atol=1e-7)


def test_sums_are_float32_for_a_model_that_computes_in_less(loaded):
    outputs = jax.ShapeDtypeStruct(outputs_for(loaded).shape, jnp.bfloat16)
    for mean in jax.eval_shape(loaded.measure, outputs, loaded.batch).values():
        assert mean.total.dtype == mean.weight.dtype == jnp.float32


def test_baselines_are_finite(task, require_files):
    require_files(task)
    assert task.baselines and all(math.isfinite(score) for score in task.baselines.values())


def test_hashes_are_sha256(task):
    assert all(len(bytes.fromhex(digest)) == 32 for digest in task.data_hashes().values())


def test_answers_are_shown_as_text_or_pictures(loaded):
    if shown_examples(loaded.task) and loaded.task.decoding is None:
        shown = loaded.task.show(loaded.batch, outputs_for(loaded), None)
        assert shown and all(isinstance(each, str) or each.ndim == 2 for each in shown.values())


def test_text_fits_the_tokens(task):
    text = text_of(task)
    if text is not None:
        symbols = len(text.symbols)
        assert task.spec.inputs == Tokens(symbols) and task.spec.answer == "step"
        assert task.spec.output_size == symbols
        prompt = text.split(text.prompt)
        assert prompt and set(prompt) <= set(text.symbols)
