"""Where two pytrees differ, and by how much, in words."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

RELATIVE = {"float32": 1e-5, "float64": 1e-12}
"""Of the largest number of an array: what rounding explains and no mistake does."""


def difference(found: Any, expected: Any) -> str | None:
    """The first array that differs by more than rounding; None where none does."""
    ours, theirs = jax.tree.leaves_with_path(found), jax.tree.leaves_with_path(expected)
    if [path for path, _ in ours] != [path for path, _ in theirs]:
        return "not the same arrays"
    for (path, one), (_, other) in zip(ours, theirs, strict=True):
        name = jax.tree_util.keystr(path)
        got, want = np.asarray(one), np.asarray(other)
        if got.dtype != want.dtype:
            return f"{name} {got.dtype} against {want.dtype}".strip()
        if got.shape != want.shape:
            return f"{name} {list(got.shape)} against {list(want.shape)}".strip()
        got, want = got.astype(np.float64), want.astype(np.float64)
        if not got.size or np.array_equal(got, want):
            continue
        if not np.isfinite(got).all():
            return f"{name} is not finite".strip()
        if not np.isfinite(want).all():  # No number is off by more than NaN.
            return f"{name} is finite, and not where it is computed the other way".strip()
        allowed = max(RELATIVE.get(str(a.dtype), 1e-2) for a in (one, other))
        off = np.abs(got - want)
        if off.max() > allowed * max(1.0, np.abs(want).max()):
            at = np.unravel_index(off.argmax(), off.shape)
            return (
                f"{name}{list(map(int, at))} is {got[at]:.6g} against {want[at]:.6g}, "
                f"off by {off.max():.2g}"
            ).strip()
    return None
