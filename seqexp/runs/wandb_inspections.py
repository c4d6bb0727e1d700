"""What wandb shows of an inspection."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqexp.runs.inspections import of_kind

START = "inspect"


KINDS = ("histogram", "bounds", "confusion")
"""What is read of the arrays of an inspection."""


def inspection_values(
    record: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    pictures: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """What wandb shows of an inspection, by the names that it has there at every step:

        inspect/half_life/layer_1             each number
        inspect/histogram/layer_1/forget      how activations are distributed
        inspect/figure/gradient-layer-1       each figure, an image
        inspect/confusion                     a table: which class was taken for which, how often
        inspect/warnings, inspect/not_defined tables of words

    Args:
        record: its line; a number that is not finite is None there, or as it is.
        arrays: its arrays, of which "histogram/LAYER/NAME" `[T, bins]` count, in mean over the
            steps, between the two numbers in "bounds/LAYER/NAME", and "confusion" `[C, C]`.
        pictures: its figures as PNG, by name.
    """
    import wandb
    from PIL import Image

    shown: dict[str, Any] = {}
    for name, value in record.items():
        if "/" in name and (value is None or isinstance(value, int | float)):
            finite = value is not None and math.isfinite(value)
            shown[f"{START}/{name}"] = value if finite else math.nan
    for name, shares in of_kind(arrays, "histogram").items():
        low, high = arrays[f"bounds/{name}"]
        edges = np.linspace(low, high, shares.shape[1] + 1)
        counted = shares[shares.sum(axis=1) > 0].mean(axis=0)
        shown[f"{START}/histogram/{name}"] = wandb.Histogram(np_histogram=(counted, edges))
    for name, content in (pictures or {}).items():
        shown[f"{START}/figure/{name}"] = wandb.Image(Image.open(io.BytesIO(content)))
    for name, (columns, rows) in _tables(record, arrays).items():
        if rows:
            data: list[Any] = rows
            shown[f"{START}/{name}"] = wandb.Table(columns=["step", *columns], data=data)
    return shown


def _tables(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """The columns behind "step", and the rows, of each table."""
    step = record["step"]
    counts = arrays.get("confusion", np.zeros((0, 0)))
    found = np.argwhere(counts).tolist()
    warnings = record.get("warnings") or []
    reasons: Mapping[str, str] = record.get("not_defined") or {}
    return {
        "confusion": (
            ["true class", "predicted class", "count"],
            [[step, row, column, int(counts[row, column])] for row, column in found],
        ),
        "warnings": (["warning"], [[step, str(warning)] for warning in warnings]),
        "not_defined": (["name", "reason"], [[step, *each] for each in reasons.items()]),
    }
