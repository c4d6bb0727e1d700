"""Series of one class each as a task's data; baselines of their classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from seqexp.data.buckets import splits_in_buckets
from seqexp.data.dynamic_time_warping import nearest_labels
from seqexp.data.missing import fill_missing, with_mask_channels
from seqexp.data.padding import pad, sequences_of
from seqexp.data.standardize import statistics
from seqexp.types import Batch, Splits, TaskSpec


def classes_splits(
    spec: TaskSpec,
    series: Mapping[str, Sequence[np.ndarray]],
    labels: Mapping[str, np.ndarray],
    buckets: int | Literal["auto"],
    masks: bool = False,
) -> Splits:
    """Series standardized by the training split, missing values filled by the last before them.

    Args:
        spec: of the task, with D features, or 2 D where there are `masks`.
        series: by split, `[t, D]` each, NaN where a value is missing.
        labels: by split, `[N]` integers.
        buckets: how many padded lengths at most; "auto" for as few as waste 7 %.
        masks: whether D channels more say where a value was there.
    """
    padded = {name: pad(list(each), spec.max_length) for name, each in series.items()}
    own = statistics(*padded["train"])
    splits = {}
    for name, (values, lengths) in padded.items():
        standard = own.standardize(values)
        inputs = fill_missing(standard)
        if masks:
            inputs = with_mask_channels(inputs, ~np.isnan(standard))
        real = np.arange(spec.max_length) < lengths[:, None]
        inputs = np.where(real[..., None], inputs, 0).astype(np.float32)
        splits[name] = Batch(sequences_of(inputs, lengths), labels[name].astype(np.int32))
    return splits_in_buckets(spec, splits, buckets)


def majority(splits: Splits) -> float:
    """The test accuracy of the class that is most frequent in training, of several the first."""
    _, train = _examples(splits.train.all_examples())
    _, test = _examples(splits.held_out["test"])
    return float(np.mean(test == np.bincount(train).argmax()))


def nearest_neighbour(splits: Splits) -> float:
    """The test accuracy of the class of the nearest training series by dynamic time warping.

    All features are warped together, without a band; see `seqexp.data.dynamic_time_warping`. Like a
    model, it does not learn from the validation split.
    """
    series, labels = _examples(splits.train.all_examples())
    queries, test = _examples(splits.held_out["test"])
    return float(np.mean(nearest_labels(series, labels.tolist(), queries) == test))


def _examples(parts: Sequence[Batch] | None) -> tuple[list[np.ndarray], np.ndarray]:
    """All series without their padding, and their labels."""
    assert parts is not None
    series = [
        np.asarray(values)[:length]
        for part in parts
        for values, length in zip(*map(np.asarray, part.inputs), strict=True)
    ]
    return series, np.concatenate([np.asarray(part.targets) for part in parts])
