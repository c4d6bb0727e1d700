"""The temporal convolutional network: dilated causal convolutions in residual blocks."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import Initializer
from seqexp.cells.sizes import require_whole
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import convolution
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray, SeqexpError

Buffers = tuple[Float[Array, "B _ _"], ...]
"""The past inputs of each convolution, bottom first: `[B, (K - 1) dilation, width]`."""


class TCN(nnx.Module):
    """Levels of two causal convolutions each, the dilation doubling from level to level.

        u = relu(conv_{2l}(relu(conv_{2l-1}(x^l))))          both of width K and dilation 2^(l-1)
        x^{l+1} = relu(x^l + u), of P x^l + u where the widths differ

    It sees 1 + 2 (K - 1) (2^levels - 1) steps. Weights are normalised, w = g v / ||v|| for each
    output (Bai et al. 2018, https://arxiv.org/abs/1803.01271). v and the biases start uniform in
    +-1 / sqrt(K D) and g at ||v||, as the authors' networks did: the normal distribution of their
    code is overwritten by the normalisation (https://github.com/locuslab/TCN, issue 1). P starts
    normal with deviation 0.01, its bias uniform in +-1 / sqrt(D). Dropout falls on single numbers,
    not on whole channels.

    Args:
        in_features: D.
        features: P, the width of every level.
        levels: how many.
        width: K.
        dropout: rate after each convolution.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 or a rate outside [0, 1).
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        levels: int,
        width: int,
        dropout: float,
        rngs: nnx.Rngs,
    ):
        require_whole(in_features=in_features, features=features, levels=levels, width=width)
        require_rate("dropout", dropout)
        if levels > 20:
            raise SeqexpError(f"levels must be at most 20 (1,048,576 steps apart), not {levels}")
        self.in_features = in_features
        self.out_features = features
        self.levels = levels
        self.width = width
        self.dropout = dropout
        inputs = [in_features] + [features] * (2 * levels - 1)

        self.directions = nnx.List(
            [
                nnx.Param(_uniform(width * size)(rngs.params(), (width, size, features)))
                for size in inputs
            ]
        )
        self.scales = nnx.List([nnx.Param(_norms(v[...])) for v in self.directions])
        self.biases = nnx.List(
            [nnx.Param(_uniform(width * size)(rngs.params(), (features,))) for size in inputs]
        )
        self.project = (
            None
            if in_features == features
            else Linear(
                in_features,
                features,
                kernel_init=jax.nn.initializers.normal(0.01),
                bias_init=_uniform(in_features),
                rngs=rngs,
            )
        )

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: it reads inputs only."""
        return ()

    @property
    def receptive_field(self) -> int:
        """How many steps an output depends on."""
        return 1 + 2 * (self.width - 1) * (2**self.levels - 1)

    def initial_carry(self, batch_size: int, max_length: int) -> Buffers:
        """Zeros."""
        return tuple(
            jnp.zeros((batch_size, (self.width - 1) * self._dilation(i), v.shape[1]), v.dtype)
            for i, v in enumerate(self.directions)
        )

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Buffers | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Buffers]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the past inputs."""
        carry = self.initial_carry(xs.shape[1], xs.shape[0]) if carry is None else carry
        keys: list[Any] = [None] * len(carry)
        if key is not None and self.dropout > 0:
            keys = list(jax.random.split(key, len(carry)))
        after = []

        def convolve(index: int, ys: Array) -> Array:
            ys, past = convolution.unroll(
                ys, self._kernel(index), carry[index], mask, self._dilation(index)
            )
            after.append(past)
            ys = jax.nn.relu(ys + self.biases[index][...])
            drop = keys[index]
            return ys if drop is None else ys * keep_mask(drop, self.dropout, ys.shape)

        ys = self._levels(xs, convolve)
        return where_mask(mask, ys, jnp.zeros_like(ys)), tuple(after)

    def step(self, carry: Buffers, x: Float[Array, "B D"]) -> tuple[Buffers, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        after = []

        def convolve(index: int, y: Array) -> Array:
            y, past = convolution.step(y, self._kernel(index), carry[index], self._dilation(index))
            after.append(past)
            return jax.nn.relu(y + self.biases[index][...])

        y = self._levels(x, convolve)
        return tuple(after), y

    def stepwise(self) -> StepwiseLayer:
        """The same kernels, step after step."""
        return StepwiseLayer(self)

    def _levels(self, x: Array, convolve: Any) -> Array:
        for level in range(self.levels):
            ys = convolve(2 * level + 1, convolve(2 * level, x))
            if level == 0 and self.project is not None:
                x = self.project(x)
            x = jax.nn.relu(x + ys)
        return x

    def _dilation(self, index: int) -> int:
        return 2 ** (index // 2)

    def _kernel(self, index: int) -> Float[Array, "K D P"]:
        v = self.directions[index][...]
        return v * (self.scales[index][...] / _norms(v))


def _uniform(inputs: int) -> Initializer:
    """Uniform in +-1 / sqrt(inputs)."""
    bound = 1 / math.sqrt(inputs)

    def draw(key: KeyArray, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def _norms(v: Float[Array, "K D P"]) -> Float[Array, " P"]:
    return jnp.sqrt(jnp.sum(v * v, axis=(0, 1)))
