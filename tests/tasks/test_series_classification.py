"""Classification of series: the archives' own splits, and baselines by slow versions."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import TSC
from seqexp.data.streams import Examples
from seqexp.data.ts_files import read_ts
from seqexp.tasks import SeriesClassification
from seqexp.tasks.series_classes import classes_splits, majority, nearest_neighbour
from seqexp.types import Batch, Features, SeqexpError, Sequences, Splits, TaskSpec


@pytest.fixture(scope="module", params=["JapaneseVowels", "ItalyPowerDemand"])
def loaded(request, require_files):
    task = SeriesClassification(dataset=request.param, buckets=1)
    require_files(task)
    return task, task.load()


def parts_of(splits: Splits) -> dict[str, tuple[Batch, ...]]:
    train = splits.train.all_examples()
    assert train is not None
    return {"train": train, **splits.held_out}


def test_the_splits(loaded):
    task, splits = loaded
    parts = parts_of(splits)
    labels = {
        name: np.concatenate([np.asarray(part.targets) for part in of])
        for name, of in parts.items()
    }
    sizes = {"JapaneseVowels": (216, 54, 370), "ItalyPowerDemand": (53, 14, 1029)}
    assert tuple(map(len, labels.values())) == sizes[task.dataset]
    each = {"JapaneseVowels": 9 * [6], "ItalyPowerDemand": [7, 7]}
    assert np.bincount(labels["valid"]).tolist() == each[task.dataset]
    lengths = np.concatenate([np.asarray(p.inputs.lengths) for of in parts.values() for p in of])
    longest = {"JapaneseVowels": (7, 29), "ItalyPowerDemand": (24, 24)}
    assert (lengths.min(), lengths.max()) == longest[task.dataset]
    assert task.spec.max_length == lengths.max()


def test_each_series_is_in_one_split_and_standardized_by_training(loaded):
    task, splits = loaded
    train_path, _ = fetch(TSC.only(f"tsc/{task.dataset}")).values()
    file = read_ts(train_path)
    parts = parts_of(splits)

    def flat(names: tuple[str, ...]) -> np.ndarray:
        return np.concatenate(
            [
                np.asarray(part.inputs.values)[np.asarray(part.inputs.mask)]
                for name in names
                for part in parts[name]
            ]
        )

    train = flat(("train",))
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-5)
    # The affine map is the same for all, so sorted values of train and validation are the file's.
    both, raw = flat(("train", "valid")), np.concatenate(file.series)
    slope = raw.std(0) / both.std(0)
    for d in range(raw.shape[1]):
        restored = (both[:, d] - both[:, d].mean()) * slope[d] + raw[:, d].mean()
        np.testing.assert_allclose(np.sort(restored), np.sort(raw[:, d]), atol=1e-4)


def test_what_is_shown(loaded):
    task, splits = loaded
    part = splits.held_out["valid"][0]
    batch = Batch(
        Sequences(np.asarray(part.inputs.values)[:2], np.asarray(part.inputs.lengths)[:2]),  # type: ignore[arg-type]
        np.asarray(part.targets)[:2],
    )
    answers = task.show(batch, np.zeros((2, task.spec.output_size)), None)["answers"]
    assert f"{int(batch.inputs.lengths[0])} steps of " in str(answers)


def small(labels: dict[str, list[int]], longest: int = 6, masks: bool = False) -> Splits:
    rng = np.random.default_rng(0)
    spec = TaskSpec(Features(2 + 2 * masks), "sequence", 3, longest, causal=False)
    series = {
        name: [rng.normal(label, 0.8, (rng.integers(1, longest + 1), 2)) for label in of]
        for name, of in labels.items()
    }
    arrays = {name: np.array(of) for name, of in labels.items()}
    return classes_splits(spec, series, arrays, buckets=2, masks=masks)


def warped(x: np.ndarray, y: np.ndarray) -> float:
    """Dynamic time warping by its recursion, cell by cell."""
    cost = np.full((len(x) + 1, len(y) + 1), np.inf)
    cost[0, 0] = 0
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            before = min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
            cost[i, j] = ((x[i - 1] - y[j - 1]) ** 2).sum() + before
    return cost[-1, -1]


def test_baselines_against_slow_ones():
    splits = small({"train": [2, 2, 1, 0] * 3, "valid": [1], "test": [0, 1, 2, 2, 0, 1, 1]})

    def rows(parts) -> list[tuple[np.ndarray, int]]:
        return [
            (np.asarray(values)[:length], int(label))
            for part in parts
            for values, length, label in zip(*part.inputs, part.targets, strict=True)
        ]

    train, test = rows(splits.train.all_examples()), rows(splits.held_out["test"])
    right = [min(train, key=lambda t, x=x: warped(t[0], x))[1] == label for x, label in test]
    assert nearest_neighbour(splits) == pytest.approx(np.mean(right))
    assert majority(splits) == pytest.approx(2 / 7)


def test_missing_values_are_filled_and_masked():
    spec = TaskSpec(Features(2), "sequence", 2, 3, causal=False)
    one, two = np.array([[1.0], [np.nan], [3.0]]), np.array([[np.nan], [2.0]])
    splits = classes_splits(
        spec,
        {"train": [one, two], "valid": [one], "test": [two]},
        {"train": np.array([0, 1]), "valid": np.array([0]), "test": np.array([1])},
        buckets=1,
        masks=True,
    )
    assert isinstance(splits.train, Examples)
    values = np.asarray(splits.train.split.inputs.values)
    deviation = np.std([1, 2, 3])
    np.testing.assert_allclose(
        values[0], [[-1 / deviation, 1], [-1 / deviation, 0], [1 / deviation, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(values[1], [[0, 0], [0, 1], [0, 0]], atol=1e-6)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(SeqexpError, match="JapaneseVowels, ItalyPowerDemand"):
        SeriesClassification(dataset="Coffee", buckets=1)  # type: ignore[arg-type]
