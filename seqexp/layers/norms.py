"""Norms of the features of a step."""

from __future__ import annotations

from typing import Literal, get_args

from flax import nnx

from seqexp.types import SeqexpError

Norm = Literal["none", "layer", "rms"]
"""None, "layer" (Ba et al. 2016, https://arxiv.org/abs/1607.06450) or "rms" (Zhang and Sennrich
2019, https://arxiv.org/abs/1910.07467)."""


def make_norm(norm: Norm, features: int, rngs: nnx.Rngs) -> nnx.LayerNorm | nnx.RMSNorm | None:
    """The norm of so many features; None for "none".

    Raises:
        SeqexpError: for an unknown name.
    """
    if norm not in get_args(Norm):
        raise SeqexpError(f"unknown norm {norm!r}: use none, layer or rms")
    if norm == "none":
        return None
    if norm == "rms":
        return nnx.RMSNorm(features, rngs=rngs)
    # Its fast variance, a difference of squares, is wrong where the mean is large.
    return nnx.LayerNorm(features, use_fast_variance=False, rngs=rngs)
