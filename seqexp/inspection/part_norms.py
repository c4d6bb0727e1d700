"""Norms of gradients, updates and parameters, by the parts of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from seqexp.inspection.part_names import part_name
from seqexp.types import Array

Norms = dict[str, Float[Array, ""]]


class TrainingNorms(NamedTuple):
    """Euclidean norms at a training step, each by the part's name.

    Attributes:
        gradient: before clipping, if given so.
        update: what is added to the parameters.
        parameter: before or after it.
        ratio: update / parameter; NaN where the parameters are all 0. About 1e-3 is usual.
    """

    gradient: Norms
    update: Norms
    parameter: Norms
    ratio: Norms


def norms_by_part(tree: Any) -> Norms:
    """The Euclidean norm of all parameters of each part: "embedding", "layer_1", "readout".

    Args:
        tree: a model, its state, or gradients or updates of either.

    >>> tree = {"stack": {"layers": [{"bias": jnp.array([3.0]), "kernel": jnp.array([4.0])}]}}
    >>> {name: float(norm) for name, norm in norms_by_part(tree).items()}
    {'layer_1': 5.0}
    """
    found: dict[str, list[Array]] = {}
    for path, leaf in jax.tree.leaves_with_path(tree):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            found.setdefault(part_name(path), []).append(leaf)
    return {part: optax.tree.norm(leaves) for part, leaves in found.items()}


def training_norms(gradients: Any, updates: Any, parameters: Any) -> TrainingNorms:
    """The norms of a training step by part, and how large the update is.

    Args:
        gradients: a pytree as the parameters'.
        updates: what the optimizer gives.
        parameters: a model or its state.
    """
    gradient, update, parameter = map(norms_by_part, (gradients, updates, parameters))
    ratio = {
        name: jnp.where(norm > 0, update[name] / jnp.where(norm > 0, norm, 1), jnp.nan)
        for name, norm in parameter.items()
    }
    return TrainingNorms(gradient, update, parameter, ratio)
