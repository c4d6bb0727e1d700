"""Parameters that are told from others by what they are."""

from __future__ import annotations

from flax import nnx


class Undecayed(nnx.Param):
    """A parameter of two or more axes that is no matrix of weights, such as a decay of each unit or
    the scale of a norm of each head: weight decay leaves it alone, as it leaves every vector."""
