"""A causal convolution over time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_flag, require_whole
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import convolution
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray, SeqexpError


class CausalConvolution(nnx.Module):
    """A convolution of each step with the steps before it.

        y_t = b + sum_{k=0}^{K-1} W_k x_{t - (K - 1 - k) dilation}

    The kernel is drawn uniformly from +-1/sqrt(K D), or +-1/sqrt(K) of a depthwise one.

    Args:
        in_features: D.
        features: P; of a depthwise convolution the same.
        width: K, how many steps it reads.
        dilation: steps between them.
        depthwise: each feature has its own filter of K numbers, and none sees another.
        rngs: draws the kernel.

    Raises:
        SeqexpError: for sizes below 1, or a depthwise convolution that changes the width.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        width: int,
        dilation: int = 1,
        depthwise: bool = False,
        rngs: nnx.Rngs,
    ):
        require_whole(in_features=in_features, features=features, width=width, dilation=dilation)
        require_flag(depthwise=depthwise)
        if depthwise and in_features != features:
            raise SeqexpError(
                f"a depthwise convolution keeps the width, {in_features}: it cannot give {features}"
            )
        self.in_features = in_features
        self.out_features = features
        self.dilation = dilation
        self.span = (width - 1) * dilation
        shape = (width, in_features) if depthwise else (width, in_features, features)
        bound = (width if depthwise else width * in_features) ** -0.5
        self.kernel = nnx.Param(
            jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound)
        )
        self.bias = nnx.Param(jnp.zeros(features))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: it reads inputs only."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> Float[Array, "B S D"]:
        """Zeros in the place of the S = (K - 1) dilation inputs before the first."""
        return jnp.zeros((batch_size, self.span, self.in_features), self.bias.dtype)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Float[Array, "B S D"] | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Float[Array, "B S D"]]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the last true inputs."""
        carry = self.initial_carry(xs.shape[1], xs.shape[0]) if carry is None else carry
        ys, carry = convolution.unroll(xs, self.kernel[...], carry, mask, self.dilation)
        return where_mask(mask, ys + self.bias[...], jnp.zeros_like(ys)), carry

    def step(
        self, carry: Float[Array, "B S D"], x: Float[Array, "B D"]
    ) -> tuple[Float[Array, "B S D"], Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        y, carry = convolution.step(x, self.kernel[...], carry, self.dilation)
        return carry, y + self.bias[...]

    def stepwise(self) -> StepwiseLayer:
        """The same kernel, step after step."""
        return StepwiseLayer(self)
