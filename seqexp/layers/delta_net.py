"""DeltaNet: linear attention whose keys overwrite what they held before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from jaxtyping import Float

from seqexp.cells.protocol import Activation
from seqexp.cells.sizes import require_sizes
from seqexp.layers.delta_rule import DeltaCarry, DeltaGates, DeltaRule, largest_beta
from seqexp.layers.heads import ConvolvedHeads, head_width, join_heads
from seqexp.layers.linear import Linear
from seqexp.recurrences import chunked
from seqexp.types import Array


class DeltaNet(DeltaRule):
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
        self.key_width = self.value_width = width = head_width(features, heads)
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
        self.beta = Linear(in_features, heads, use_bias=False, rngs=rngs)
        self.norm = nnx.RMSNorm(width, epsilon=1e-5, rngs=rngs)
        self.leave = Linear(heads * width, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by what the inputs say."""
        return ()

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """beta as "update"."""
        return {"update": Activation(0.0, self.largest_beta)}

    def activations(self, carry: DeltaCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """beta, `[B, N]`, as "update"."""
        return {"update": join_heads(self.gates_of(x).beta)}

    def gates_of(self, xs: Float[Array, "*S D"]) -> DeltaGates:
        """beta alone."""
        return DeltaGates(self.largest_beta * jax.nn.sigmoid(self.beta(xs))[..., None], None, None)

    def leaving(self, ys: Float[Array, "*S N V"], gate: None) -> Float[Array, "*S P"]:
        """W_o of the norm."""
        return self.leave(join_heads(self.norm(ys)))
