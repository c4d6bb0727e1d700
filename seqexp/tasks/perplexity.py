"""Perplexity, of a split's mean loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqexp.types import Sums, means


def with_perplexity(sums: Sums) -> Mapping[str, float]:
    """The means of sums, and exp of the mean "loss" in nats: infinite where that overflows.

    >>> from seqexp.types import Mean
    >>> with_perplexity({"loss": Mean(np.log(8.0), np.float64(1))})["perplexity"]
    7.999999999999998
    """
    found = means(sums)
    with np.errstate(over="ignore"):
        return {**found, "perplexity": float(np.exp(found["loss"]))}
