"""DeltaNet: linear attention whose keys overwrite what they held before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation
from seqexp.cells.sizes import require_flag, require_sizes
from seqexp.layers.heads import ConvolvedHeads, head_width, join_heads
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray


class DeltaCarry(NamedTuple):
    """`state` `[B, N, K, V]`, keys by values, and `convolution` `[B, S, N (2 K + V)]`, the last S
    inputs of the convolutions; () without them."""

    state: Float[Array, "B N K V"]
    convolution: Any


class DeltaNet(nnx.Module):
    """DeltaNet (Schlag et al. 2021, https://arxiv.org/abs/2102.11174; in the form of Yang et al.
    2024, https://arxiv.org/abs/2406.06484).

        beta_t = sigmoid(W_beta x_t)                                a number of each head
        S_t = (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T
        y_t = W_o RMSNorm_heads(S_t^T q_t)

    q, k and v as `ConvolvedHeads` says. With negative eigenvalues beta_t = 2 sigmoid(W_beta x_t),
    so that a step may reflect the state and the layer count modulo 2 (Grazzi et al. 2025,
    https://arxiv.org/abs/2411.12537).

    Args:
        in_features: D.
        features: P; each of the N heads is K = V = ceil(P / N) wide.
        heads: N.
        negative_eigenvalues: beta between 0 and 2 in the place of 0 and 1.
        convolution: how many steps the convolutions read, 4 as published; None for none.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal), which have no biases, and the convolutions.

    Raises:
        SeqexpError: for impossible options.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        heads: int,
        negative_eigenvalues: bool = False,
        convolution: int | None = 4,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.head_features = width = head_width(features, heads)
        self.largest_beta = largest_beta(negative_eigenvalues)
        self.chunk = chunk
        self.enter = ConvolvedHeads(
            in_features,
            heads=heads,
            key_width=width,
            value_width=width,
            convolution=convolution,
            rngs=rngs,
        )
        self.beta = nnx.Linear(in_features, heads, use_bias=False, rngs=rngs)
        self.norm = nnx.RMSNorm(width, epsilon=1e-5, rngs=rngs)
        self.leave = nnx.Linear(heads * width, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by what the inputs say."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> DeltaCarry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.head_features, self.head_features)
        past = self.enter.initial_carry(batch_size, max_length)
        return DeltaCarry(jnp.zeros(shape, self.leave.kernel.dtype), past)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: DeltaCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], DeltaCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        qkv, past = self.enter.unroll(xs, mask, carry.convolution)
        ys, state = chunked.delta(*qkv, self._beta(xs), None, carry.state, mask, self.chunk)
        ys = self._leaving(ys)
        return where_mask(mask, ys, jnp.zeros_like(ys)), DeltaCarry(state, past)

    def step(
        self, carry: DeltaCarry, x: Float[Array, "B D"]
    ) -> tuple[DeltaCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        qkv, past = self.enter.step(x, carry.convolution)
        state, y = matrix_state.delta(carry.state, *qkv, self._beta(x), None)
        return DeltaCarry(state, past), self._leaving(y)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """beta as "update"."""
        return {"update": Activation(0.0, self.largest_beta)}

    def activations(self, carry: DeltaCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """beta, `[B, N]`, as "update"."""
        return {"update": join_heads(self._beta(x))}

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _beta(self, xs: Array) -> Float[Array, "*S N 1"]:
        return self.largest_beta * jax.nn.sigmoid(self.beta(xs))[..., None]

    def _leaving(self, ys: Array) -> Array:
        return self.leave(join_heads(self.norm(ys)))


def largest_beta(negative_eigenvalues: bool) -> float:
    """2 where a step may have negative eigenvalues, 1 where not.

    Raises:
        SeqexpError: if it is neither true nor false.
    """
    require_flag(negative_eigenvalues=negative_eigenvalues)
    return 2.0 if negative_eigenvalues else 1.0
