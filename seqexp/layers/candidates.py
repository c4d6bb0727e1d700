"""What the minimal recurrent units write into their state."""

from __future__ import annotations

import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.cells.protocol import Activation
from seqexp.types import Array, SeqexpError

Candidate = Literal["positive", "linear"]


def require_candidate(candidate: Candidate) -> None:
    """Raise SeqexpError unless `candidate` is one."""
    if candidate not in get_args(Candidate):
        raise SeqexpError(f"unknown candidate {candidate!r}: use positive or linear")


def make_candidate(candidate: Candidate, x: Float[Array, "*N"]) -> Float[Array, "*N"]:
    """g(x) of Feng et al. 2024 (https://arxiv.org/abs/2410.01201).

    g(x) = x + 1/2 where x >= 0, and sigmoid(x) elsewhere      "positive" (appendix B)
    g(x) = x                                                   "linear" (section 3)
    """
    if candidate == "linear":
        return x
    return jnp.where(x >= 0, x + 0.5, jax.nn.sigmoid(x))


def candidate_kind(candidate: Candidate) -> Activation:
    """The bounds of g."""
    return Activation(-math.inf if candidate == "linear" else 0.0, math.inf)
