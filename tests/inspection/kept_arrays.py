"""The names and shapes of what an inspection keeps, as figures read them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

DIMENSIONS = {
    "inputs": (2, 3),
    "lengths": (1,),
    "targets": (1, 2, 3),
    "outputs": (2, 3),
    "hidden": (3,),
    "activation": (3,),
    "bounds": (1,),
    "histogram": (2,),
    "time_constants": (1,),
    "spectrum": (1,),
    "gradient_by_lag": (2,),
    "pascanu_bound": (1,),
    "jacobian": (1,),
    "lyapunov": (1,),
    "memory": (1,),
    "perturbation": (1,),
    "saliency": (2,),
    "attention": (3,),
    "confusion": (2,),
}
"""By the first part of its name, how many dimensions an array may have."""

NUMBERS = {
    *("half_life", "saturated", "dead", "effective_rank", "participation_ratio"),
    *("memory_capacity", "largest_lyapunov", "gradient_norm", "update_norm", "parameter_norm"),
    "update_ratio",
}

WORDS = {"step", "level", "seconds", "compile_seconds", "examples"}
WORDS |= {"keeps", "no_decay", "warnings", "not_defined", "attention_tokens"}


def check(record: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise AssertionError for a name or a shape that no figure would read."""
    examples = record["examples"]
    for name, array in arrays.items():
        kind = name.split("/")[0]
        assert array.ndim in DIMENSIONS[kind], name
        assert array.dtype in (np.float32, np.int32), name
        if kind in ("inputs", "lengths", "targets", "outputs", "hidden", "activation", "saliency"):
            assert len(array) == examples, name
    steps = arrays["inputs"].shape[1]
    assert (arrays["lengths"] <= steps).all()
    for name, quartiles in arrays.items():
        if name.startswith("gradient_by_lag/"):
            assert len(quartiles) == 3
            known = quartiles[:, ~np.isnan(quartiles).any(axis=0)]
            assert (np.diff(known, axis=0) >= 0).all()
        if name.startswith("histogram/"):
            assert set(np.round(quartiles.sum(axis=1), 4).tolist()) <= {0.0, 1.0}
            assert f"bounds/{name.removeprefix('histogram/')}" in arrays
    for name, value in record.items():
        assert name in WORDS or name.split("/")[0] in NUMBERS, name
        assert name in WORDS or isinstance(value, float), name
