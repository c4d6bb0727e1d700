"""How many dimensions the states of a layer use."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.types import Array


def state_spectrum(states: Float[Array, "B T P"], mask: Bool[Array, "B T"]) -> Float[Array, " R"]:
    """The singular values of the centred states, largest first.

        X = U diag(s) V^T / sqrt(n),    rows of X the n true steps less their mean

    so that s^2 are the eigenvalues of the covariance. Under `vmap` decompositions wait for each
    other on jaxlib's pool of threads: use `lax.map` over members.

    Args:
        states: `[B, T, P]`.
        mask: `[B, T]`, True where a step is real.

    Returns:
        `[min(B T, P)]`.
    """
    rows = states.reshape(-1, states.shape[-1])
    real = mask.reshape(-1, 1)
    count = jnp.maximum(jnp.sum(real), 1)
    mean = jnp.sum(jnp.where(real, rows, 0), 0) / count
    centred = jnp.where(real, rows - mean, 0) / jnp.sqrt(count).astype(rows.dtype)
    # Not the eigenvalues of X^T X: in float32 what is below 1e-4 of the largest would be noise.
    return jnp.linalg.svd(centred, compute_uv=False)


def effective_rank(singular_values: Float[Array, " R"]) -> Float[Array, ""]:
    """The effective rank of a matrix (Roy and Vetterli 2007,
    https://ieeexplore.ieee.org/document/7098875).

        exp(-sum_i p_i log p_i),    p_i = s_i / sum_j s_j

    Args:
        singular_values: `[R]`, at least 0.

    Returns:
        From 1 to R; 0 where all are 0.

    >>> [round(float(effective_rank(jnp.array(s))), 3) for s in ([2.0, 2.0, 0.0], [1.0, 0.0])]
    [2.0, 1.0]
    """
    total = jnp.sum(singular_values)
    p = singular_values / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, jnp.exp(-jnp.sum(jax.scipy.special.xlogy(p, p))), 0)


def participation_ratio(singular_values: Float[Array, " R"]) -> Float[Array, ""]:
    """How many directions the variance is spread over (Gao et al. 2017,
    https://doi.org/10.1101/214262).

        (sum_i s_i^2)^2 / sum_i s_i^4

    Args:
        singular_values: `[R]`, of centred states.

    Returns:
        From 1 to R; 0 where all are 0.

    >>> float(participation_ratio(jnp.array([3.0, 3.0, 0.0])))
    2.0
    """
    largest = jnp.max(singular_values)
    variances = jnp.square(singular_values / jnp.where(largest > 0, largest, 1))
    ratio = jnp.square(jnp.sum(variances)) / jnp.maximum(jnp.sum(jnp.square(variances)), 1e-30)
    return jnp.where(largest > 0, ratio, 0)
