"""Recordings of a user's own: tones that are high or low, and mistakes in what is given."""

from __future__ import annotations

import shutil

import jax
import numpy as np
import pytest

from seqexp.data.audio_front_end import AudioFrontEnd
from seqexp.data.spec_augment import SpecAugment
from seqexp.tasks import AudioFiles
from seqexp.training.check_data import check_data
from seqexp.types import Features, Prediction, SeqexpError

soundfile = pytest.importorskip("soundfile", exc_type=ImportError)

RATE, COUNT = 4000, 10
SETTINGS = {
    "valid": None,
    "test": None,
    "split": [0.6, 0.2, 0.2],
    "split_seed": 0,
    "pattern": None,
    "path_column": "path",
    "label_column": "label",
    "rate": RATE,
    "front_end": AudioFrontEnd(kind="log_mel", window_ms=40, hop_ms=20, mels=8, coefficients=1),
    "specaugment": SpecAugment(0, 0, 0, 0),
    "metric": "accuracy",
    "buckets": 2,
}


def task(train, **changes) -> AudioFiles:
    return AudioFiles(train=str(train), **(SETTINGS | changes))


def write(path, frequency: float, rng: np.random.Generator, rate: int = RATE) -> None:
    n = int(rng.integers(rate // 10, rate // 2))
    tone = 0.5 * np.sin(2 * np.pi * frequency * np.arange(n) / rate + rng.uniform(0, 6))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone + rng.normal(0, 0.01, n), rate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten low tones and ten high ones, one of them at twice the rate."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("tones")
    for number in range(COUNT):
        write(folder / "low" / f"{number}-low.wav", 300, rng)
        write(folder / "high" / f"{number}-high.flac", 1200, rng, RATE * (1 + (number == 0)))
    return folder


def test_splits_have_their_shares_of_each_label(folder):
    tones = task(folder)
    splits = tones.load()
    check_data(tones, splits, batch_size=4)
    parts = {"train": splits.train.all_examples(), **splits.held_out}
    for name, each in (("train", 6), ("valid", 2), ("test", 2)):
        labels = np.concatenate([part.targets for part in parts[name]])
        np.testing.assert_array_equal(np.bincount(labels), [each, each])
    assert tones.baselines == {"majority": 0.5, "frame statistics": 1.0}


def test_macro_f1_may_decide(folder):
    tones = task(folder, metric="macro_f1")
    splits = tones.load()
    check_data(tones, splits, batch_size=4)
    # Of 2 and 2, all taken for one: F1 is 2/3 of that one, and 0 of the other.
    assert tones.score.name == "macro_f1" and tones.baselines["majority"] == pytest.approx(1 / 3)
    part = splits.held_out["test"][0]
    outputs = jax.nn.one_hot(np.asarray(part.targets), 2)
    sums = jax.tree.map(np.asarray, tones.measure(Prediction(outputs, ()), part))
    assert tones.summarize(sums)["macro_f1"] == tones.summarize(sums)["accuracy"] == 1


def test_the_spec_is_known_within_a_program_too(folder):
    tones, found = task(folder), []
    jax.make_jaxpr(lambda: found.append(tones.spec))()
    assert found[0].inputs == Features(8) and found[0].output_size == 2
    assert 0 < found[0].max_length <= 26
    assert tones.load().held_out["valid"][0].inputs.values.shape[2] == 8


def test_names_and_a_table_tell_the_same_labels(folder, tmp_path):
    by_folder = task(folder).data_hashes()
    assert task(folder, pattern=r"\d-(.*)").data_hashes() == by_folder
    rows = "\n".join(f"{path},{path.parent.name}" for path in sorted(folder.rglob("*.*")))
    table = tmp_path / "tones.csv"
    table.write_text(f"path,label\n{rows}\n")
    assert task(table).data_hashes() == by_folder
    assert task(folder, split_seed=1).data_hashes() != by_folder


def test_copies_stay_together_and_other_bytes_are_other_data(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "tones")
    before = task(copy).data_hashes()
    for path in sorted((copy / "low").iterdir()):
        shutil.copy(path, path.with_stem(f"{path.stem}-again"))
    after = task(copy)
    assert before != after.data_hashes()
    held = [{example.text for example in part} for part in after._splits]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


def test_splits_may_have_paths_of_their_own(folder, tmp_path):
    write(tmp_path / "test" / "low" / "a.wav", 300, np.random.default_rng(5))
    own = task(folder, test=str(tmp_path / "test"), split=[0.8, 0.2])
    assert [len(part) for part in own._splits] == [16, 4, 1]
    write(tmp_path / "test" / "middle" / "a.wav", 600, np.random.default_rng(6))
    with pytest.raises(SeqexpError, match="label 'middle', which no recording of the training"):
        task(folder, test=str(tmp_path / "test"), split=[0.8, 0.2]).load()


def test_mistakes_are_named(folder, tmp_path):
    alone = shutil.copytree(folder / "low", tmp_path / "alone" / "low")
    with pytest.raises(SeqexpError, match="has the label 'low' alone"):
        task(tmp_path / "alone").load()
    (alone / "0-low.wav").write_bytes(b"no sound")
    shutil.copytree(folder / "high", tmp_path / "alone" / "high")
    with pytest.raises(SeqexpError, match=r"0-low\.wav can't be read as WAV or FLAC"):
        task(tmp_path / "alone").load()
    for change, said in (
        ({"rate": 0}, "rate must be an integer >= 1"),
        ({"buckets": 0}, "buckets must be"),
        ({"metric": "f1"}, "metric must be one of accuracy, macro_f1"),
        ({"specaugment": SpecAugment(1, 9, 0, 0)}, "more than the 8 features"),
    ):
        with pytest.raises(SeqexpError, match=said):
            task(folder, **change)


def test_what_is_shown(folder):
    tones = task(folder)
    part = tones.load().held_out["valid"][0]
    shown = tones.show(part, np.zeros((len(part.targets), 2)), None)
    assert str(shown["answers"]).splitlines()[0].endswith("said high 0.50, low 0.50")
