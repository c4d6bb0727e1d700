"""Parameters that are told from others by what they are."""

from __future__ import annotations

from flax import nnx


class Undecayed(nnx.Param):
    """A parameter of two or more axes that weight decay leaves alone, as it leaves every vector:
    decays of each unit, scales of a norm of each head, vectors of several gates, or a matrix that
    its authors exempt."""
