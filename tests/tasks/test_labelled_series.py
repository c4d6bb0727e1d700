"""Classification of `.ts` files of one's own, written here."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.tasks import LabelledSeriesFiles
from seqexp.training.check_data import check_data
from seqexp.types import Features, SeqexpError
from tests.test_configs import point

HEAD = "@univariate true\n@classLabel true walk run\n@data\n"


def cases(count: int, missing: bool = False) -> str:
    """Lengths 2 to 5; walkers are about 0, runners about 3."""
    rng = np.random.default_rng(count)
    lines = []
    for n in range(count):
        values = [f"{v:.3f}" for v in rng.normal(3 * (n % 2), 0.5, 2 + n % 4)]
        if missing and n % 3 == 0:
            values[1] = "?"
        lines.append(",".join(values) + ":" + ("walk", "run")[n % 2])
    return "\n".join(lines) + "\n"


@pytest.fixture
def path(tmp_path) -> str:
    (tmp_path / "own.ts").write_text(HEAD + cases(40))
    return str(tmp_path / "own.ts")


def task(path: str, **options) -> LabelledSeriesFiles:
    usual = {"train": path, "test": None, "split": (0.5, 0.25, 0.25), "seed": 0, "buckets": 2}
    return LabelledSeriesFiles(**{**usual, **options})


def count(parts) -> int:
    return sum(len(part.inputs.lengths) for part in parts)


def test_one_file_is_divided_in_three(path):
    own = task(path)
    splits = own.load()
    check_data(own, splits, batch_size=2)
    assert own.spec.inputs == Features(1) and own.spec.max_length == 5
    assert own.spec.output_size == 2
    assert count(splits.train.all_examples()) == 20
    for parts in splits.held_out.values():
        labels = np.concatenate([np.asarray(part.targets) for part in parts])
        assert np.bincount(labels).tolist() == [5, 5]
    assert own.baselines == {"majority": 0.5, "1-NN with DTW": 1.0}
    (part, *_) = splits.held_out["valid"]
    outputs = np.tile([9.0, 0.0], (len(part.targets), 1))
    said = own.show(part, outputs, None)
    assert " of walk: said walk" in str(said["answers"])


def test_a_test_file_is_all_of_the_test_split(path, tmp_path):
    (tmp_path / "test.ts").write_text(HEAD + cases(7))
    own = task(path, test=str(tmp_path / "test.ts"), split=(0.8, 0.2))
    splits = own.load()
    assert count(splits.train.all_examples()) == 32
    assert {name: count(parts) for name, parts in splits.held_out.items()} == {
        "valid": 8,
        "test": 7,
    }
    assert set(own.data_hashes()) == {"train", "test"}


def test_missing_values_are_marked(tmp_path):
    (tmp_path / "own.ts").write_text(HEAD + cases(20, missing=True))
    own = task(str(tmp_path / "own.ts"))
    splits = own.load()
    check_data(own, splits, batch_size=2)
    assert own.spec.inputs == Features(2)


def test_what_does_not_fit_is_refused(path, tmp_path):
    with pytest.raises(SeqexpError, match="split must be 2 shares, for training, validation, "):
        task(path, test="other.ts")
    with pytest.raises(SeqexpError, match="split must be 3 shares"):
        task(path, split=(0.8, 0.2))
    with pytest.raises(SeqexpError, match="is not there"):
        task(str(tmp_path / "none.ts")).load()
    wide = tmp_path / "wide.ts"
    wide.write_text("@dimensions 2\n@classLabel true walk run\n@data\n1,2:3,4:run\n")
    with pytest.raises(SeqexpError, match="2 dimensions, but .* 1"):
        task(path, test=str(wide), split=(0.8, 0.2)).load()
    wide.write_text("@univariate true\n@classLabel true walk fly\n@data\n1,2:fly\n")
    with pytest.raises(SeqexpError, match="has the classes fly"):
        task(path, test=str(wide), split=(0.8, 0.2)).load()
    wide.write_text("@univariate true\n@data\n1,2\n")
    with pytest.raises(SeqexpError, match="at least 2 classes"):
        task(str(wide)).load()


def test_the_config_takes_a_path(path):
    own = point("model=gru", "task=labelled_series", f"task.train={path}").build().task
    assert own.spec.output_size == 2
