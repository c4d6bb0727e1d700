"""The passes of a case in JAX, the same for every library that is built on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def passes(backward: bool, outputs: Callable[[Any, Any], Any], leaves, xs, cotangent) -> Any:
    """`outputs(leaves, xs)`; with the backward pass also the gradients of both, for a cotangent."""
    if not backward:
        return outputs(leaves, xs)
    ys, pull = jax.vjp(outputs, leaves, xs)
    return ys, *pull(cotangent)
