"""Linear layers whose memory is known, by the protocol of a layer alone."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.recurrences.scan import scan


class Linear(nnx.Module):
    """h_t = h_{t-1} A + x_t W."""

    causal = True
    recurrent_parameters = ()

    def __init__(self, A: np.ndarray, W: np.ndarray):
        self.A, self.W = nnx.Param(jnp.asarray(A)), nnx.Param(jnp.asarray(W))
        self.in_features, self.out_features = W.shape

    def initial_carry(self, batch_size: int, max_length: int) -> Any:
        return jnp.zeros((batch_size, self.out_features), self.A.dtype)

    def step(self, carry: Any, x: Any) -> Any:
        h = carry @ self.A[...] + x @ self.W[...]
        return h, h

    def unroll(self, xs: Any, mask: Any = None, carry: Any = None, *, key: Any = None) -> Any:
        carry = self.initial_carry(xs.shape[1], len(xs)) if carry is None else carry
        return scan(lambda h, x, _: self.step(h, x), carry, xs, mask, {}, False)

    def stepwise(self) -> Linear:
        return self


def delay_line(steps: int) -> Linear:
    """Holds the last `steps` inputs, the present one first."""
    return Linear(np.eye(steps, k=1), np.eye(1, steps))
