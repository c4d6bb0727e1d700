"""An inspection keeps what figures read, for every kind of task and model, or says why not."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.inspection import hidden_states
from seqexp.inspection.fixed_batch import cut, first_examples, in_chunks, kept
from seqexp.inspection.inspector import Inspection, Inspector
from seqexp.inspection.probe import Found
from seqexp.inspection.settings import Settings
from seqexp.training.step import graph, init_member, train_step
from seqexp.types import Batch, SeqexpError, Sequences
from tests.inspection.kept_arrays import check
from tests.test_configs import fits, point


def inspected(*overrides: str, level: Any = "full", examples: int = 4) -> tuple[Any, Inspection]:
    """The inspection of a model before its first step, and what it was made of."""
    composed = point(*overrides, "model.features=4")
    experiment, hyper = composed.build(), composed.hyper
    splits = experiment.task.load()
    state = jax.jit(partial(init_member, experiment))(hyper.traced())
    settings = Settings(level, examples=examples)
    inspector = Inspector(experiment, graph(experiment), splits.held_out["valid"], settings)
    found = inspector(state.params, 0, hyper, state.opt_state)
    assert not inspector.failed
    return (experiment, hyper, state, splits), found


SMALL = ["task.length=12", "task.valid_examples=20", "task.test_examples=20"]


def test_all_that_is_defined_of_a_gated_network_is_kept():
    _, found = inspected("model=lstm", "task=adding", *SMALL)
    check(found.record, found.arrays)
    kinds = {name.split("/")[0] for name in {**found.arrays, **found.record}}
    assert {"hidden", "histogram", "time_constants", "spectrum", "gradient_by_lag"} <= kinds
    assert {"jacobian", "lyapunov", "memory", "perturbation", "saliency", "half_life"} <= kinds
    assert {"update_ratio", "saturated", "dead", "effective_rank"} <= kinds
    assert found.record["keeps"] == ["layer_1/forget"]
    missing = found.record["not_defined"]
    assert set(missing) == {"attention", "confusion", "pascanu_bound/layer_1"}
    assert "Elman" in missing["pascanu_bound/layer_1"]


def test_norms_are_those_of_a_step_of_training_and_states_those_of_the_model():
    (experiment, hyper, state, splits), found = inspected(
        "model=rnn", "task=adding", *SMALL, "model.dropout=0", level="light"
    )
    batch = first_examples(splits.held_out["valid"], 4)
    model = nnx.merge(graph(experiment), state.params)
    values = hidden_states(model, batch)["layer_1"].values
    np.testing.assert_allclose(found.arrays["hidden/layer_1"], values, rtol=1e-4, atol=1e-6)
    after, _ = train_step(experiment, graph(experiment), state, hyper.traced(), batch)

    def size(tree: Any) -> float:
        return float(np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(tree))))

    moved = size(jax.tree.map(np.subtract, after.params, state.params))
    parts = [v for name, v in found.record.items() if name.startswith("update_norm/")]
    assert np.sqrt(np.sum(np.square(parts))) == pytest.approx(moved, rel=1e-3)


@pytest.mark.full
@pytest.mark.parametrize("task", ["digit_strings", "dyck_2", "mackey_glass", "multi30k"])
def test_every_kind_of_answer_is_inspected(task, require_files):
    model = "encoder_decoder" if task == "multi30k" else "gru"
    require_files(point(f"model={model}", f"task={task}").build().task)
    _, found = inspected(f"model={model}", f"task={task}", level="full")
    check(found.record, found.arrays)
    assert "hidden/layer_1" in found.arrays


@pytest.mark.full
@pytest.mark.parametrize("model", ["bag_of_words", "s5", "transformer"])
def test_every_make_of_model_is_inspected_or_says_why_not(model):
    overrides = [f"model={model}", "task=digits"]
    if not fits(model, point(*overrides).build().task.spec):
        pytest.skip("it was inspected with the task that it is for")
    _, found = inspected(*overrides)
    check(found.record, found.arrays)
    assert "confusion" in found.arrays
    assert ("hidden/layer_1" in found.arrays) != ("hidden" in found.record["not_defined"])


def batch(lengths: list[int], steps: int, start: int = 0) -> Batch:
    values = np.arange(len(lengths) * steps, dtype=np.float32).reshape(-1, steps, 1) + start
    targets = np.arange(len(lengths), dtype=np.int32) + start
    return Batch(Sequences(values, np.array(lengths, np.int32)), targets)  # type: ignore[arg-type]


def test_the_first_real_examples_of_all_parts_are_looked_at():
    parts = [batch([3, 0, 2], 3), batch([4, 5, 1], 5, start=100)]
    found = first_examples(parts, 4)
    assert found.inputs.lengths.tolist() == [3, 2, 4, 5]
    assert found.targets.tolist() == [0, 2, 100, 101]
    assert found.inputs.values.shape == (4, 5, 1)
    assert first_examples(parts, 99).targets.tolist() == [0, 2, 100, 101, 102]
    chunks = in_chunks(found, 3)
    assert chunks.inputs.lengths.tolist() == [[3, 2, 4], [5, 0, 0]]


def test_of_long_sequences_the_first_steps_are_kept():
    long = batch([5, 2], 5)
    assert cut(long, 3).inputs.lengths.tolist() == [3, 2]
    arrays = kept(long._replace(targets=np.zeros((2, 5))), per_step=True, steps=3)  # type: ignore
    assert [arrays[name].shape[1] for name in ("inputs", "targets")] == [3, 3]


def test_a_probe_that_breaks_leaves_the_others(monkeypatch):
    def broken(model, batch, key):
        raise ValueError("no such thing")

    def undefined(model, batch, key):
        raise SeqexpError("not of this model")

    probes: dict[str, Any] = {"broken": broken, "undefined": undefined}
    probes["good"] = lambda model, batch, key: Found({"lengths": batch.inputs.lengths + 1})
    monkeypatch.setattr("seqexp.inspection.inspector.light_probes", lambda *_: probes)
    composed = point("model=rnn", "task=adding", *SMALL)
    experiment, hyper = composed.build(), composed.hyper
    state = jax.jit(partial(init_member, experiment))(hyper.traced())
    valid = experiment.task.load().held_out["valid"]
    inspector = Inspector(experiment, graph(experiment), valid, Settings("light", examples=2))
    found = inspector(state.params, 0, hyper)
    why = "the probe failed: ValueError: no such thing"
    assert inspector.failed == {"broken": why}
    missing = found.record["not_defined"]
    assert missing["broken"] == why and missing["undefined"] == "not of this model"
    assert "optimizer is not kept" in missing["update_norm"]
    assert found.arrays["lengths"].tolist() == [13, 13]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"level": "heavy"}, "level must be one of off, light, full"),
        ({"level": False}, "level must be one of"),
        ({"level": "full", "every": 0}, "every must be a whole number of at least 1"),
        ({"level": "full", "examples": True}, "examples must be"),
    ],
)
def test_settings_that_mean_nothing_are_refused(said, wrong):
    with pytest.raises(SeqexpError, match=wrong):
        Settings(**said)


def test_nothing_is_inspected_but_the_nth_evaluations_and_the_last():
    assert not Settings.of(None).due(100, 10, 100)
    due = partial(Settings("light", every=3).due, eval_every=10, steps=95)
    assert [step for step in [*range(10, 95, 10), 95] if due(step)] == [30, 60, 90, 95]
