"""What every task promises, over all of them: found by `seqexp.tasks.__all__` and `conf/task`."""

import dataclasses
import functools
import math
from pathlib import Path

import hydra
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

import seqexp.tasks
from seqexp.types import Batch, Mean, Score, Splits

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "task").glob("*.yaml"))
BATCH_SIZE = 4


@functools.cache
def loaded(config: Path):
    task = hydra.utils.instantiate(OmegaConf.load(config).task)
    return task, task.load()


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request, require_files) -> Path:
    require_files(hydra.utils.instantiate(OmegaConf.load(request.param).task))
    return request.param


@pytest.fixture
def task(config):
    return loaded(config)[0]


@pytest.fixture
def splits(config) -> Splits:
    return loaded(config)[1]


@functools.partial(jax.jit, static_argnums=3)
def train_batch(stream, key, step, batch_size: int = BATCH_SIZE) -> Batch:
    return stream.batch(stream.plan(key, step, 1, batch_size), key, step, batch_size)


def some(split: Batch, count: int = 5) -> Batch:
    return jax.tree.map(lambda array: array[-count:], split)


def outputs_for(task, batch: Batch) -> jax.Array:
    spec = task.spec
    steps = (batch.inputs.shape[1],) if spec.outputs == "step" else ()
    shape = (batch.lengths.shape[0], *steps, spec.output_size)
    return 3 * jax.random.normal(jax.random.key(5), shape)


def value(mean: Mean) -> float:
    return float(mean.total / mean.weight)


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


def test_batches_are_as_the_spec_says(task, splits):
    spec = task.spec
    train = train_batch(splits.train, jax.random.key(0), jnp.int32(3))
    assert train.lengths.shape == (BATCH_SIZE,)
    for batch in (train, splits.valid, splits.test):
        count = batch.lengths.shape[0]
        assert batch.lengths.dtype == jnp.int32
        assert 1 <= batch.lengths.min() <= batch.lengths.max() <= spec.length
        if spec.inputs == "tokens":
            assert batch.inputs.shape == (count, spec.length)
            assert batch.inputs.dtype == jnp.int32
            assert 0 <= batch.inputs.min() <= batch.inputs.max() < spec.input_size
        else:
            assert batch.inputs.shape == (count, spec.length, spec.input_size)
            assert batch.inputs.dtype == jnp.float32
            assert jnp.all(jnp.isfinite(batch.inputs))
        answers = (count, spec.length) if spec.outputs == "step" else (count,)
        if jnp.issubdtype(batch.targets.dtype, jnp.integer):
            assert batch.targets.shape == answers
            assert batch.targets.dtype == jnp.int32
            assert 0 <= batch.targets.min() <= batch.targets.max() < spec.output_size
        else:
            assert batch.targets.shape == (*answers, spec.output_size)
            assert batch.targets.dtype == jnp.float32
            assert jnp.all(jnp.isfinite(batch.targets))


def test_data_is_the_same_whenever_it_is_loaded(task, splits):
    again = task.load()
    for got, want in zip(jax.tree.leaves(again), jax.tree.leaves(splits), strict=True):
        np.testing.assert_array_equal(got, want)
    assert jax.tree.structure(again.train) == jax.tree.structure(splits.train)


def test_training_batches_follow_the_key_and_the_step(splits):
    batches = [
        train_batch(splits.train, jax.random.key(seed), jnp.int32(step)).inputs
        for seed, step in [(0, 0), (0, 1), (1, 0), (0, 0)]
    ]
    np.testing.assert_array_equal(batches[0], batches[3])
    assert not np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[0], batches[2])


def test_metrics_are_finite_and_hold_the_loss_and_the_score(task, splits):
    batch = some(splits.valid)
    metrics = jax.jit(task.measure)(outputs_for(task, batch), batch)
    assert isinstance(task.score, Score)
    assert {"loss", task.score.name} <= set(metrics)
    for mean in metrics.values():
        assert mean.total.shape == mean.weight.shape == ()
        assert math.isfinite(value(mean)) and mean.weight > 0


def test_metrics_of_parts_pool_to_those_of_the_whole(task, splits):
    batch = some(splits.valid)
    outputs = outputs_for(task, batch)
    whole = task.measure(outputs, batch)
    parts = [
        task.measure(outputs[rows], jax.tree.map(lambda array, rows=rows: array[rows], batch))
        for rows in (slice(0, 2), slice(2, 5))
    ]
    pooled = jax.tree.map(jnp.add, *parts)
    for name in whole:
        np.testing.assert_allclose(pooled[name], whole[name], rtol=1e-5)


@pytest.mark.parametrize("filling", [math.nan, math.inf, -1e30])
def test_padding_weighs_nothing_in_metrics_and_gradients(task, splits, filling):
    batch = some(splits.valid)
    # Shorter than the arrays, so that padding begins at true data too.
    if task.spec.outputs == "step":
        batch = batch._replace(lengths=batch.lengths - jnp.arange(5) % 3)
    outputs = outputs_for(task, batch)
    steps = ((0, 2),) if task.spec.outputs == "step" else ()
    label = 10**6 if jnp.issubdtype(batch.targets.dtype, jnp.integer) else filling

    def padded(array, widths, fill):
        rest = [(0, 0)] * (array.ndim - 1 - len(widths))
        return jnp.pad(array, ((0, 3), *widths, *rest), constant_values=fill)

    if task.spec.outputs == "step":
        true = jnp.arange(outputs.shape[1]) < batch.lengths[:, None]
        clean = jnp.where(true[..., None], outputs, 0)
        dirty = jnp.where(true[..., None], outputs, filling)
        mask = true if batch.targets.ndim == 2 else true[..., None]
        targets = jnp.where(mask, batch.targets, jnp.asarray(label, batch.targets.dtype))
    else:
        clean, dirty, targets = outputs, outputs, batch.targets
    longer = Batch(
        padded(batch.inputs, ((0, 2),), 1),
        padded(targets, steps, label),
        padded(batch.lengths, (), 0),
    )

    def loss(outputs, batch):
        metrics = task.measure(outputs, batch)
        return metrics["loss"].total, metrics

    grad = jax.grad(loss, has_aux=True)
    expected_slope, expected = grad(clean, batch)
    slope, metrics = grad(padded(dirty, steps, filling), longer)
    for name in expected:
        np.testing.assert_allclose(metrics[name], expected[name], rtol=1e-6)
    np.testing.assert_allclose(slope, padded(expected_slope, steps, 0), rtol=1e-5, atol=1e-7)


def test_sums_are_float32_for_a_model_that_computes_in_less(task, splits):
    batch = some(splits.valid)
    metrics = task.measure(outputs_for(task, batch).astype(jnp.bfloat16), batch)
    assert all(mean.total.dtype == mean.weight.dtype == jnp.float32 for mean in metrics.values())


def test_baselines_are_finite_and_need_no_data(task, monkeypatch, tmp_path):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path))
    assert task.baselines and all(math.isfinite(score) for score in task.baselines.values())


def test_hashes_are_sha256(task):
    assert all(len(bytes.fromhex(digest)) == 32 for digest in task.data_hashes().values())


def test_text_fits_the_tokens(task):
    if task.text is not None:
        assert task.spec.inputs == "tokens" and task.spec.outputs == "step"
        assert len(task.text.symbols) == task.spec.input_size == task.spec.output_size
        assert task.text.prompt and set(task.text.prompt) <= set(task.text.symbols)
