"""A trained model is loaded back, and is the one whose scores were recorded."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqexp
from seqexp.runs.store import read, read_json, write_json_atomic
from seqexp.training.evaluation import eval_batches, pooled
from seqexp.types import Prediction, SeqexpError, Sequences
from tests.full import full
from tests.hasty import no_costs
from tests.sweeps.tiny import TINY, runs
from tests.sweeps.tiny import seqexp as command
from tests.test_configs import point

OWN = """
from seqexp.cells import GRU
from seqexp.tasks import CopyMemory
from seqexp.data.sampled_text import Text

class Mine(GRU):
    pass

class Spoken(CopyMemory):
    text = Text(symbols="0123456789", prompt="12", length=5)
"""

SIZES = ["task.valid_examples=20", "task.test_examples=30", "trainer.eval_batch_size=16"]
TASKS = {
    "adding": ["task=adding", "task.length=6", *SIZES, "model.cell._target_=loaded_own.Mine"],
    "copy_memory": ["task=copy_memory", "task.blanks=3", *SIZES, "task._target_=loaded_own.Spoken"],
    "digits": [
        *("task=digits", "model=lstm", "model.bidirectional=true", "model.pooling=mean"),
        *("cell_dropout=zoneout", "trainer.batch_devices=2"),
    ],
    "jsb_chorales": ["task=jsb_chorales"],
    "tiny_shakespeare": ["task=tiny_shakespeare", "task.window=16"],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A user's own module."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "loaded_own.py").write_text(OWN)
    sys.path.insert(0, str(folder))
    yield folder / "loaded_own.py"
    sys.path.remove(str(folder))
    sys.modules.pop("loaded_own", None)


@pytest.fixture(scope="module")
def trained(own, tmp_path_factory):
    """Trains on a task once; the folder of the run."""
    folder = tmp_path_factory.mktemp("runs")

    def train(task: str):
        study = folder / task
        if not study.exists():
            with no_costs():
                settings = [o for o in TINY if o != "task=digits"]
                where = [f"runs_dir={folder}", f"study={task}"]
                assert command("run", "model=gru", *settings, *TASKS[task], *where) == 0
        (run_id,) = runs(study)
        return study / run_id

    return train


@pytest.fixture
def adding(trained, tmp_path):
    """A copy of a run, elsewhere, to spoil."""
    return shutil.copytree(trained("adding"), tmp_path / "moved")


def score_of_predictions(run) -> float:
    """The score of what `predict` says of the test split, summed over its batches."""
    (test,), size = run.task.load().held_out["test"], run.config["trainer"]["eval_batch_size"]
    outputs = run.predict(*test.inputs)
    size = min(size, len(outputs))
    padded = np.pad(outputs, [(0, -len(outputs) % size)] + [(0, 0)] * (outputs.ndim - 1))
    batches = zip(eval_batches([test], size), np.split(padded, len(padded) // size), strict=True)
    measure = jax.jit(lambda outputs, batch: run.task.measure(Prediction(outputs, ()), batch))
    sums = pooled(measure(own, batch) for batch, own in batches)
    return run.task.summarize(sums)[run.run["score"]["name"]]


@pytest.mark.parametrize("task", [task if task == "digits" else full(task) for task in TASKS])
def test_a_loaded_run_has_the_recorded_scores_to_the_last_digit(task, trained, require_files):
    require_files(point(f"task={task}").build().task)
    folder = trained(task)
    run = seqexp.load_run(folder)
    assert run.step == run.run["score"]["step"] > 0
    assert run.evaluate("test") == run.scores["test"]
    assert run.evaluate("valid") == run.scores["valid"]
    assert score_of_predictions(run) == run.run["score"]["test"]
    assert run.metrics == read(folder / "metrics.jsonl") and len(run.metrics) == 3
    assert run.config == (read_json(folder / "run.json") or {})["config"]
    assert run.run["name"] in repr(run) and str(folder) in repr(run)


@pytest.mark.full
@pytest.mark.parametrize("before", ["", "import jax; jax.devices()"])
def test_a_run_is_loaded_by_a_script_that_started_nothing(before, trained):
    """Its cores become devices, as in training; a single one that is there already is told."""
    script = f"{before}\nimport sys, jax, seqexp\nrun = seqexp.load_run(sys.argv[1])\n"
    script += "same = run.evaluate('test') == run.scores['test']\nprint(len(jax.devices()), same)"
    flags = [f for f in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in f]
    environment = {**os.environ, "XLA_FLAGS": " ".join(flags)}
    command = [sys.executable, "-c", script, str(trained("digits"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    devices, same = done.stdout.split()
    if before:
        assert devices == "1" and "a single CPU device" in done.stderr
    else:
        assert int(devices) >= 2 and same == "True" and done.stderr == ""


@pytest.mark.full
def test_one_sequence_is_one_of_many_and_padding_says_nothing(trained):
    run = seqexp.load_run(trained("adding"))
    inputs = np.random.default_rng(0).normal(size=(5, 6, 2)).astype(np.float32)
    whole = run.predict(inputs)
    assert whole.shape == (5, 1)
    np.testing.assert_allclose(run.predict(inputs[2]), whole[2], rtol=1e-6)
    longer = np.pad(inputs, [(0, 0), (0, 3), (0, 0)], constant_values=9)
    np.testing.assert_allclose(run.predict(longer, [6] * 5), whole, rtol=1e-6)
    np.testing.assert_allclose(run.predict(longer[2], 6), whole[2], rtol=1e-6)
    assert run.model(Sequences(jnp.asarray(longer), jnp.full(5, 9))).outputs.shape == (5, 1)


@pytest.mark.full
@pytest.mark.parametrize(
    ("inputs", "lengths", "said"),
    [
        (np.zeros((5, 6, 3)), None, r"inputs must be \[B, T, 2\] features"),
        (np.zeros(6), None, "one sequence without B"),
        (np.zeros((0, 6, 2)), None, "inputs must be"),
        (np.zeros((5, 6, 2)), [7] * 5, "lengths must be 5 whole numbers from 1 to 6"),
        (np.zeros((5, 6, 2)), [6], "lengths must be 5"),
        (np.full((5, 6, 2), "a"), None, "inputs must be"),
    ],
)
def test_inputs_of_another_form_are_refused(inputs, lengths, said, trained):
    with pytest.raises(SeqexpError, match=said):
        seqexp.load_run(trained("adding")).predict(inputs, lengths)


@pytest.mark.full
def test_tokens_beyond_the_vocabulary_are_refused(trained):
    run = seqexp.load_run(trained("copy_memory"))
    assert run.predict([1, 2, 3]).shape == (3, 10)
    with pytest.raises(SeqexpError, match="tokens must be from 0 to 9, not 1 to 10"):
        run.predict([1, 10])


@pytest.mark.full
def test_what_is_generated_is_what_training_sampled(trained):
    folder = trained("copy_memory")
    run = seqexp.load_run(folder)
    samples = {record["step"]: record["texts"] for record in read(folder / "samples.jsonl")}
    assert [run.generate("12")] == samples[run.step]
    assert run.generate([1, 2]) == [int(symbol) for symbol in samples[run.step][0]]
    assert run.generate("12", 30, seed=1) != run.generate("12", 30, seed=2)
    greedy = run.generate("12", 9, temperature=0)
    assert greedy == run.generate("12", 9, temperature=0, seed=5) and len(greedy) == 11
    likeliest = run.predict([int(symbol) for symbol in greedy[:-1]]).argmax(-1)
    assert greedy[2:] == "".join(map(str, likeliest[1:]))
    assert run.generate("12", 9, seed=5, top_k=1) == greedy
    assert run.generate("12", 9, seed=5, top_p=1e-6) == greedy


@pytest.mark.full
def test_a_mistaken_prompt_is_told(trained):
    run = seqexp.load_run(trained("copy_memory"))
    for prompt, said in {"": "at least one", "1a": "'a'"}.items():
        with pytest.raises(SeqexpError, match=said):
            run.generate(prompt)
    with pytest.raises(SeqexpError, match="from 0 to 9"):
        run.generate([10])
    with pytest.raises(SeqexpError, match="temperature"):
        run.generate("1", temperature=-1)
    with pytest.raises(SeqexpError, match="length"):
        run.generate("1", 0)
    for k, p in ((0, None), (True, None), (None, 0.0), (None, 1.1)):
        with pytest.raises(SeqexpError, match="top_k" if p is None else "top_p"):
            run.generate("1", top_k=k, top_p=p)
    with pytest.raises(SeqexpError, match="can't generate: adding is no task"):
        seqexp.load_run(trained("adding")).generate("1")


def changed(folder, **changes) -> None:
    run = read_json(folder / "run.json") or {}
    write_json_atomic(folder / "run.json", {**run, **changes})


def test_a_run_is_loaded_from_where_it_lies_without_its_data(adding, monkeypatch, caplog):
    run = seqexp.load_run(str(adding))
    assert run.evaluate("test") == run.scores["test"]
    assert not caplog.records

    def missing(self):
        raise SeqexpError("input.txt is missing")

    monkeypatch.setattr(type(run.task), "load", missing)
    again = seqexp.load_run(adding)
    assert again.predict(np.zeros((6, 2))).shape == (1,)
    with pytest.raises(SeqexpError, match=r"input\.txt is missing"):
        again.evaluate("test")
    with pytest.raises(SeqexpError, match="'valid' or 'test'"):
        again.evaluate("train")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "running"}, "is not finished"),
        ({"status": "failed"}, "is not finished"),
        ({"status": "diverged", "diverged_step": 3}, "diverged at step 3: no weights"),
        ({"format": 99}, "has format 99"),
    ],
)
def test_a_run_without_a_result_is_one_line(changes, said, adding):
    changed(adding, **changes)
    with pytest.raises(SeqexpError, match=said) as error:
        seqexp.load_run(adding)
    assert "\n" not in str(error.value)


def test_missing_and_damaged_weights_are_one_line(adding, tmp_path):
    weights = adding / "weights.msgpack"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SeqexpError, match=r"weights\.msgpack can't be read .*rerun=stale"):
        seqexp.load_run(adding)
    weights.unlink()
    with pytest.raises(SeqexpError, match=r"weights\.msgpack is missing: rerun=stale"):
        seqexp.load_run(adding)
    with pytest.raises(SeqexpError, match="no run in"):
        seqexp.load_run(tmp_path)


def test_weights_of_another_model_are_refused(adding):
    config = json.loads((adding / "run.json").read_text())["config"]
    changed(adding, config={**config, "model": {**config["model"], "features": 4}})
    with pytest.raises(SeqexpError, match="its weights are not those of the model"):
        seqexp.load_run(adding)


def test_a_redacted_value_is_named_where_it_is_needed(adding):
    config = json.loads((adding / "run.json").read_text())["config"]
    changed(adding, config={**config, "logger": {"api_key": "[redacted]"}})
    assert seqexp.load_run(adding)
    changed(adding, config={**config, "model": {**config["model"], "token": "[redacted]"}})
    with pytest.raises(SeqexpError, match=r"model\.token looked secret .*run\.json"):
        seqexp.load_run(adding)


@pytest.mark.parametrize("content", ["{", '{"data_hashes": 3}'])
def test_a_damaged_manifest_is_one_line_of_warning(adding, caplog, content):
    """The weights prove themselves."""
    (adding / "manifest.json").write_text(content)
    run = seqexp.load_run(adding)
    assert len(caplog.messages) == 1 and "manifest.json" in caplog.messages[0] or content != "{"
    assert run.evaluate("test") == run.scores["test"]


def test_other_code_is_one_line_of_warning(adding, own, caplog):
    manifest = read_json(adding / "manifest.json") or {}
    write_json_atomic(adding / "manifest.json", {**manifest, "source": "0123456789abcdef"})
    own.write_text(f"{OWN}\n# another day\n")
    importlib.invalidate_caches()
    try:
        seqexp.load_run(adding)
    finally:
        own.write_text(OWN)
    (warning,) = caplog.messages
    assert "made by other code or settings (seqexp, " in warning and "loaded_own" in warning
    assert "\n" not in warning
