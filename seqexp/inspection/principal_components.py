"""Principal components of states, on axes that are fitted once and shared over training."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.types import Array, SeqexpError


class Components(NamedTuple):
    """Axes of the largest variance, largest first.

    Attributes:
        mean: `[P]`, where they cross.
        axes: `[K, P]`, orthonormal; the largest number of each is positive, so that it has one
            direction only.
        explained: `[K]`, the share of the variance along each; 0 where nothing varies.
    """

    mean: Float[Array, " P"]
    axes: Float[Array, "K P"]
    explained: Float[Array, " K"]


def fit_components(
    states: Float[Array, "B T P"], mask: Bool[Array, "B T"], count: int
) -> Components:
    """The first `count` principal components of the true steps (Pearson 1901,
    https://doi.org/10.1080/14786440109462720).

    Fit them once, on the last states of training, say, and `project` the states of all training
    steps on them: trajectories are compared in one picture so.

    Args:
        states: `[B, T, P]`.
        mask: `[B, T]`, True where a step is real.
        count: K, at most P.

    Raises:
        SeqexpError: for a count that is not from 1 to P.
    """
    units = states.shape[-1]
    if not 1 <= count <= units:
        raise SeqexpError(f"{units} units have from 1 to {units} components, not {count}")
    mean, covariance = _moments(states, mask)
    values, vectors = jnp.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :count].T
    largest = jnp.take_along_axis(axes, jnp.argmax(jnp.abs(axes), 1)[:, None], 1)
    axes = axes * jnp.where(largest < 0, -1, 1)
    return Components(mean, axes, _shares(values[::-1][:count], covariance))


def project(
    components: Components, states: Float[Array, "B T P"], mask: Bool[Array, "B T"]
) -> Float[Array, "B T K"]:
    """States `[B, T, P]` on the axes, `[B, T, K]`, 0 at padding."""
    return jnp.where(mask[..., None], (states - components.mean) @ components.axes.T, 0)


def explained_variance(
    components: Components, states: Float[Array, "B T P"], mask: Bool[Array, "B T"]
) -> Float[Array, " K"]:
    """`[K]`, the share of the variance of other states along each axis; 0 where nothing varies."""
    _, covariance = _moments(states, mask)
    along = jnp.einsum("kp,pq,kq->k", components.axes, covariance, components.axes)
    return _shares(along, covariance)


def _moments(states: Array, mask: Array) -> tuple[Float[Array, " P"], Float[Array, "P P"]]:
    rows, real = states.reshape(-1, states.shape[-1]), mask.reshape(-1, 1)
    count = jnp.maximum(jnp.sum(real), 1)
    mean = jnp.sum(jnp.where(real, rows, 0), 0) / count
    centred = jnp.where(real, rows - mean, 0)
    return mean, centred.T @ centred / count


def _shares(variances: Array, covariance: Array) -> Array:
    total = jnp.trace(covariance)
    return jnp.where(total > 0, jnp.maximum(variances, 0) / jnp.where(total > 0, total, 1), 0)
