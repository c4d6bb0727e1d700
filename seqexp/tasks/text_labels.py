"""What is measured of labels: accuracy or macro F1, and their baselines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from seqexp.tasks.baselines import Method
from seqexp.tasks.classical import bag_of_words, most_frequent_class, tfidf
from seqexp.tasks.f1 import confusion, macro_f1, majority_f1
from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.tasks.tag_frequencies import most_frequent_tag, most_frequent_tag_of_token
from seqexp.types import Array, Batch, Prediction, Sums, TaskSpec, means

METRICS = ("accuracy", "macro_f1")


def measure_labels(prediction: Prediction, batch: Batch, asked: Array, metric: str) -> Sums:
    """Cross-entropy in nats, accuracy, and the confusion matrix for "macro_f1"."""
    measured = prediction.outputs, batch.targets, asked
    sums: dict[str, object] = {"loss": cross_entropy(*measured), "accuracy": accuracy(*measured)}
    if metric == "macro_f1":
        sums["confusion"] = confusion(*measured)
    return sums


def summarize_labels(sums: Sums) -> Mapping[str, float]:
    """The means, and macro F1 where a confusion matrix is there."""
    found = means(sums)
    if "confusion" in sums:
        found["macro_f1"] = macro_f1(sums["confusion"])
    return found


def label_baselines(spec: TaskSpec, metric: str) -> Mapping[str, Method]:
    """What gives the scores of models that know nothing of order; of macro F1 the majority's."""
    if metric == "macro_f1":
        return {"majority": partial(majority_f1, spec=spec)}
    if spec.answer == "sequence":
        return {"majority": most_frequent_class, "bag of words": bag_of_words, "TF-IDF": tfidf}
    return {"majority": most_frequent_tag, "majority of the token": most_frequent_tag_of_token}
