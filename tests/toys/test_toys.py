"""Toys of every kind that the ground floor must carry, through the whole harness: a free answer
with a prefix, an aligned answer with targets of its own and a judge, three length buckets with a
stack of two kinds of layers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import seqexp
from seqexp.commands import check
from seqexp.inspection.attention_maps import CELL
from seqexp.runs.record import RunRecord
from seqexp.runs.store import read
from seqexp.training.decoding import decoded
from seqexp.types import Batch, SeqexpError, Sequences
from tests.full import full
from tests.sweeps.tiny import deterministic, runs
from tests.sweeps.tiny import seqexp as command
from tests.toys.counting import Counting
from tests.toys.translation import Translation

CONF = str(Path(__file__).parent / "conf")
MODELS = ["model.features=6", "trainer.batch_size=4", "logger.mode=disabled"]


def task(toy: str) -> list[str]:
    """A toy; the translation is written by a beam."""
    return [f"task={toy}", *(["+task.width=2"] if toy == "translation" else [])]


def sweep(toy: str, folder: Path, *arguments: str) -> Path:
    """A sweep over a toy; its study."""
    asked = ["sweep", "--config-dir", CONF, *task(toy), *MODELS, *arguments]
    assert command(*asked, f"runs_dir={folder}", "study=toy") == 0
    return folder / "toy"


class Swept(NamedTuple):
    """A toy, a model of it, and the study of two seeds."""

    toy: str
    model: str
    study: Path


PAIRS = [("translation", "encoder_decoder"), ("counting", "stack")]


@pytest.fixture(scope="module", params=[PAIRS[0], full(PAIRS[1])], ids="-".join)
def swept(request, tmp_path_factory) -> Swept:
    toy, model = request.param
    folder = tmp_path_factory.mktemp(toy)
    return Swept(toy, model, sweep(toy, folder, f"model={model}", "seed=0,1"))


def test_every_member_finishes_with_its_costs_and_a_report(swept):
    """A figure is missing only where the machine has none to tell."""
    found = runs(swept.study)
    assert [run["status"] for run in found.values()] == ["finished"] * 2
    for run in found:
        cost = json.loads((swept.study / run / "cost.json").read_text())
        assert cost["reasons"] == {}
        absent = {name for name, value in cost.items() if value is None}
        assert absent == {"peak_device_bytes", "peak_resident_bytes", "step_joules"}
    page = (swept.study / "report" / "index.html").read_text()
    assert next(iter(found.values()))["score"]["name"].replace("_", " ") in page


def test_a_member_alone_interrupted_and_gone_on_is_what_it_is_in_a_group(
    swept, tmp_path, monkeypatch, free
):
    """Bitwise."""
    if swept.toy == "translation":
        pytest.skip("an encoder-decoder rounds otherwise on two devices: law 4 is tested on one")
    saves, save = [], RunRecord.save_checkpoint

    def interrupted(self, step, tree):
        save(self, step, tree)
        saves.append(step)
        if len(saves) == 2:
            raise KeyboardInterrupt

    asked = ["run", "--config-dir", CONF, *task(swept.toy), *MODELS, f"model={swept.model}"]
    asked += ["seed=1", f"runs_dir={tmp_path}", "study=toy"]
    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command(*asked)
    (run,) = runs(tmp_path / "toy").values()
    assert (run["status"], saves) == ("running", [4, 8])
    assert command(*asked) == 0
    ours = deterministic(swept.study)
    for name, content in deterministic(tmp_path / "toy").items():
        assert ours[name] == content, name


@pytest.mark.full
def test_a_loaded_run_scores_as_it_was_recorded(swept):
    run = next(iter(runs(swept.study)))
    loaded = seqexp.load_run(swept.study / run)
    assert loaded.evaluate("test") == loaded.scores["test"]


@pytest.mark.full
def test_labels_without_their_places_keep_all_laws(capsys):
    asked = ["--config-dir", CONF, *task("ctc"), "model=gru", *MODELS]
    assert check.main(asked) == 0, capsys.readouterr().out


@pytest.mark.full
def test_an_epoch_of_buckets_trains_each_example_once(tmp_path):
    """By the lengths of the examples alone, whatever the order of the buckets."""
    parts = Counting(120).load().train.all_examples() or ()
    lengths = np.concatenate([part.inputs.lengths for part in parts])
    sizes = {4: 12, 8: 6, 12: 4}  # 48 tokens in a batch of each
    counts = {T: int(np.sum((lengths > T - 4) & (lengths <= T))) for T in sizes}
    batches = {T: -(-counts[T] // B) for T, B in sizes.items()}
    steps = sum(batches.values())
    asked = ["model=gru", "+task.constant=tokens", f"trainer.steps={steps}"]
    study = sweep("counting", tmp_path, *asked, f"trainer.eval_every={steps}")
    (run,) = runs(study)
    (metrics,) = read(study / run / "metrics.jsonl")
    assert (metrics["examples"], metrics["tokens"]) == (len(lengths), lengths.sum())


def test_other_held_out_splits_are_recorded_beside_the_test(swept):
    for run in runs(swept.study).values():
        others = run.get("held_out", {})
        assert others.keys() == ({"length 2x"} if swept.toy == "counting" else set())
        for metrics in others.values():
            assert metrics.keys() == run["test"].keys() and metrics != run["test"]
    if swept.toy == "counting":
        table = seqexp.load(swept.study).runs.set_index("run")
        for run, record in runs(swept.study).items():
            assert table.at[run, "length 2x/f1"] == record["held_out"]["length 2x"]["f1"]


def test_what_a_task_shows_is_kept_at_each_evaluation(swept):
    if swept.toy != "counting":
        pytest.skip("the counting shows its answers")
    for run in runs(swept.study):
        steps = [record["step"] for record in read(swept.study / run / "metrics.jsonl")]
        samples = read(swept.study / run / "samples.jsonl")
        assert [record["step"] for record in samples] == steps
        for record in samples:
            (text,) = record["texts"]
            assert len(text.splitlines()) == 3 and all(", said " in t for t in text.splitlines())
            with Image.open(swept.study / run / record["pictures"]["logits"]) as picture:
                assert picture.size == (3, 3)


def test_what_is_attended_to_is_kept_at_each_evaluation(swept):
    """As pictures, two examples each; of the encoder-decoder alone."""
    if swept.toy != "translation":
        pytest.skip("of the translation alone")
    spec, attends = Translation(3, 20).spec, swept.model == "encoder_decoder"
    assert spec.max_answer_length is not None
    for run in runs(swept.study):
        steps = [record["step"] for record in read(swept.study / run / "metrics.jsonl")]
        kept = sorted(path.name for path in (swept.study / run / "pictures").glob("*"))
        names = [f"attention_{n}" for n in (1, 2)] if attends else []
        assert kept == sorted(f"{name}-{step}.png" for name in names for step in steps)
        for record in read(swept.study / run / "samples.jsonl"):
            pictures = record.get("pictures", {})
            assert list(pictures) == names and record["texts"] == []
            for path in pictures.values():
                with Image.open(swept.study / run / path) as picture:
                    width, height = picture.size
                    # The answer has a step more than its source: the end.
                    assert height == width + CELL <= CELL * spec.max_answer_length


def test_perplexity_is_of_the_whole_split(swept):
    if swept.toy != "translation":
        pytest.skip("of the translation alone")
    for run in runs(swept.study).values():
        assert run["test"]["perplexity"] == pytest.approx(math.exp(run["test"]["loss"]), rel=1e-12)


@pytest.mark.full
def test_a_free_answer_is_generated_for_one_input(swept):
    if swept.toy != "translation":
        pytest.skip("of the translation alone")
    loaded = seqexp.load_run(swept.study / next(iter(runs(swept.study))))
    batch = loaded.task.load().held_out["test"][0]
    spec, alone = loaded.task.spec, [np.asarray(batch.inputs.values[0, :1]), [3, 3, 2]]
    for words in alone:
        inputs = Sequences(np.asarray(words)[None], np.array([len(words)]))  # type: ignore[arg-type]
        how = loaded.task.decoding
        assert how is not None
        (expected,), (length,) = decoded(spec, loaded.model, Batch(inputs, ()), how)
        assert loaded.generate(words) == np.asarray(expected)[: int(length)].tolist()
    with pytest.raises(SeqexpError, match="use generate"):
        loaded.predict(np.zeros((1, 2), int))


@pytest.mark.full
def test_labels_without_their_places_can_be_learned(tmp_path):
    """So targets, decoding and judge belong together."""
    asked = ["model=gru", "trainer.steps=800", "trainer.eval_every=200"]
    asked += ["model.features=32", "trainer.batch_size=32", "optimizer.learning_rate=0.01"]
    (run,) = runs(sweep("ctc", tmp_path, *asked)).values()
    assert run["score"]["goal"] == "min" and run["score"]["test"] <= 0.05
