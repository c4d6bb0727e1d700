"""Parameters for laws: drawn, for zeros would hide mistakes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def drawn(module: Any, rng: np.random.Generator, dtype: Any) -> Any:
    """A model or layer with normal parameters of a size that keeps its outputs near 1.

    Args:
        module: in form alone (`nnx.eval_shape`); no initializer is compiled.
        rng: draws.
        dtype: of the parameters. What is no float is 0.
    """

    def draw(leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return np.zeros(leaf.shape, leaf.dtype)
        wide = leaf.shape[0] if len(leaf.shape) > 1 else 4
        return (rng.normal(0, 1, leaf.shape) / np.sqrt(wide)).astype(dtype)

    return jax.tree.map(draw, module)
