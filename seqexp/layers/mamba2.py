"""Mamba-2: a selective state space with one decay a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.heads import head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.selective_decay import SelectiveDecay
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray


class Mamba2Carry(NamedTuple):
    """`state` `[B, N, K, V]`, and `convolution` `[B, S, N V + 2 K]`, the last S inputs of the
    convolution."""

    state: Float[Array, "B N K V"]
    convolution: Float[Array, "B S C"]


class Mamba2(nnx.Module):
    """Mamba-2, structured state space duality (Dao and Gu 2024, https://arxiv.org/abs/2405.21060).

        z_t, u_t, r_t = W x_t                                       r of each head a number
        v_t, k_t, q_t = SiLU(conv(u)_t)                             X, B, C of the paper
        delta_t = softplus(r_t + b), alpha_t = exp(-delta_t exp(a))
        S_t = alpha_t S_{t-1} + k_t (delta_t v_t)^T
        y_t = W_o RMSNorm((S_t^T q_t + d v_t) * SiLU(z_t))

    All heads share k and q. The convolution is causal and depthwise; d starts at 1; a and b as
    `SelectiveDecay` says.

    Args:
        in_features: D.
        features: P.
        heads: N, each V = ceil(expansion P / N) wide.
        state: K, the rows of a head's state; 64 to 128 in the paper.
        expansion: 2 in the paper.
        convolution: how many steps the convolution reads; 4 in the paper.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal), which have no biases, and the rest.

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
        state: int,
        expansion: float = 2.0,
        convolution: int = 4,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_whole(state=state, convolution=convolution)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.state = state
        self.value_width = head_width(features, heads, expansion=expansion)
        self.chunk = chunk
        inner = heads * self.value_width
        mixed = inner + 2 * state
        self.enter = Linear(in_features, inner + mixed + heads, use_bias=False, rngs=rngs)
        self.convolution = CausalConvolution(
            mixed, mixed, width=convolution, depthwise=True, rngs=rngs
        )
        self.decay = SelectiveDecay(heads, rngs=rngs)
        self.skip = Undecayed(jnp.ones((heads, 1)))
        self.norm = nnx.RMSNorm(inner, epsilon=1e-5, rngs=rngs)
        self.leave = Linear(inner, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """a, which makes the decays."""
        return self.decay.recurrent_parameters

    def initial_carry(self, batch_size: int, max_length: int) -> Mamba2Carry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.state, self.value_width)
        past = self.convolution.initial_carry(batch_size, max_length)
        return Mamba2Carry(jnp.zeros(shape, self.leave.kernel.dtype), past)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Mamba2Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Mamba2Carry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        gate, us, sizes = self._entering(xs)
        us, past = self.convolution.unroll(us, mask, carry.convolution)
        q, k, v = self._heads(us)
        log_decay = self.decay.log_decay(sizes)
        ys, state = chunked.outer(q, k, sizes * v, log_decay, carry.state, mask, self.chunk)
        ys = self._leaving(ys, v, gate)
        return where_mask(mask, ys, jnp.zeros_like(ys)), Mamba2Carry(state, past)

    def step(
        self, carry: Mamba2Carry, x: Float[Array, "B D"]
    ) -> tuple[Mamba2Carry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        gate, u, sizes = self._entering(x)
        past, u = self.convolution.step(carry.convolution, u)
        q, k, v = self._heads(u)
        log_decay = self.decay.log_decay(sizes)
        state, y = matrix_state.outer(carry.state, q, k, sizes * v, log_decay)
        return Mamba2Carry(state, past), self._leaving(y, v, gate)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """alpha, which keeps the state, as "forget"."""
        return {"forget": SIGMOID._replace(keeps=True)}

    def activations(self, carry: Mamba2Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """alpha, `[B, N]`, as "forget"."""
        _, _, sizes = self._entering(x)
        return {"forget": join_heads(jnp.exp(self.decay.log_decay(sizes)))}

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _entering(self, xs: Array) -> tuple[Array, Array, Array]:
        """The gate z, what the convolution reads, and delta `[..., N, 1]`."""
        inner = self.heads * self.value_width
        parts = jnp.split(self.enter(xs), [inner, 2 * inner + 2 * self.state], axis=-1)
        return parts[0], parts[1], self.decay.step_sizes(parts[2][..., None])

    def _heads(self, us: Array) -> tuple[Array, Array, Array]:
        """Queries and keys `[..., 1, K]`, and values `[..., N, V]`."""
        inner = self.heads * self.value_width
        v, k, q = jnp.split(jax.nn.silu(us), [inner, inner + self.state], axis=-1)
        return q[..., None, :], k[..., None, :], split_heads(v, self.heads)

    def _leaving(self, ys: Array, v: Array, gate: Array) -> Array:
        ys = join_heads(ys + self.skip[...] * v)
        return self.leave(self.norm(ys * jax.nn.silu(gate)))
