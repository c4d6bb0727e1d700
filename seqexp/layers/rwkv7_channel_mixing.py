"""The MLP of RWKV-7, which sees the step before, too."""

from __future__ import annotations

from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_number, require_sizes
from seqexp.layers.linear import Linear
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import project
from seqexp.recurrences.token_shift import lerp, shifted
from seqexp.types import Array, KeyArray


class RWKV7ChannelMixing(nnx.Module):
    """Channel mixing of RWKV-7 (Peng et al. 2025, https://arxiv.org/abs/2503.14456).

        y_t = W_v relu(W_k (x_t + mu (x_{t-1} - x_t)))^2

    Its carry is the last input, `[B, D]`. mu and the orthogonal W_k start as in the first layer of
    the authors' code, which `RWKV7` names; W_v, which is 0 there, LeCun normal.

    Args:
        in_features: D.
        features: P.
        expansion: the inner width is so many times P, rounded up; 4 in the paper.
        rngs: draws the matrices, which have no biases.

    Raises:
        SeqexpError: for sizes below 1 or an expansion that is not above 0.
    """

    causal = True

    def __init__(self, in_features: int, features: int, *, expansion: float = 4.0, rngs: nnx.Rngs):
        require_sizes(in_features, features)
        require_number("expansion", expansion, above=0)
        self.in_features = in_features
        self.out_features = features
        self.share = nnx.Param(1 - jnp.arange(in_features) / in_features)
        shape = (in_features, ceil(expansion * features))
        self.key = nnx.Param(jax.nn.initializers.orthogonal()(rngs.params(), shape))
        self.leave = Linear(shape[1], features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: it reads inputs only."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> Float[Array, "B D"]:
        """Zeros, whatever the length."""
        return jnp.zeros((batch_size, self.in_features), self.leave.kernel.dtype)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Float[Array, "B D"] | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Float[Array, "B D"]]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the last true input."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        before, last = shifted(xs, carry, mask)
        ys = self._mixed(xs, before)
        return where_mask(mask, ys, jnp.zeros_like(ys)), last

    def step(
        self, carry: Float[Array, "B D"], x: Float[Array, "B D"]
    ) -> tuple[Float[Array, "B D"], Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        return x, self._mixed(x, carry)

    def stepwise(self) -> RWKV7ChannelMixing:
        """Itself: it asks for the same operations at each step."""
        return self

    def _mixed(self, xs: Array, before: Array) -> Array:
        inner = jax.nn.relu(project(lerp(xs, before, self.share[...]), self.key[...]))
        return self.leave(inner * inner)
