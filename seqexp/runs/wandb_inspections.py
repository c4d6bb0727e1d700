"""What wandb shows of an inspection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqexp.runs.inspections import of_kind

START = "inspection"


def inspection_values(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The numbers and histograms of an inspection by the names that they have in wandb.

    Args:
        record: its line; a number that is not finite is None there, or as it is.
        arrays: its arrays, of which "histogram/LAYER/NAME" `[T, bins]` count, in mean over the
            steps, between the two numbers in "bounds/LAYER/NAME".
    """
    import wandb

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
    return shown
