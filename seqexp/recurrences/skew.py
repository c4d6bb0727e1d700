"""Skew-symmetric matrices by the numbers above their diagonal."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from seqexp.types import Array


def skew_size(n: int) -> int:
    """n (n - 1) / 2, how many numbers make a skew-symmetric matrix `[n, n]`."""
    return n * (n - 1) // 2


def skew_symmetric(upper: Float[Array, " K"], n: int) -> Float[Array, "{n} {n}"]:
    """W - W^T `[n, n]`, where W has `upper` `[n (n - 1) / 2]`, row by row, above its diagonal."""
    w = jnp.zeros((n, n), upper.dtype).at[np.triu_indices(n, 1)].set(upper)
    return w - w.T
