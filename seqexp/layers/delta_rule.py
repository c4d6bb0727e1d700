"""What the layers share whose keys overwrite what they held before."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_flag
from seqexp.layers.heads import ConvolvedHeads
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray


class DeltaCarry(NamedTuple):
    """`state` `[B, N, K, V]`, keys by values, and `convolution` `[B, S, N (2 K + V)]`, the last S
    inputs of the convolutions; () without them."""

    state: Float[Array, "B N K V"]
    convolution: Any


class DeltaGates(NamedTuple):
    """beta `[..., N, 1]`; the logarithm of alpha, of each head `[..., N, 1]` or key `[..., N, K]`,
    None where nothing decays; and what gates the output, `[..., N V]`, None where nothing does."""

    beta: Array
    log_decay: Array | None
    output: Array | None


class DeltaRule(nnx.Module):
    """A layer with the delta rule.

        S_t = (I - beta_t k_t k_t^T) alpha_t S_{t-1} + beta_t k_t v_t^T

    q, k and v as `ConvolvedHeads` says. A subclass implements `gates_of`, which makes beta, alpha
    and the output gate of the inputs, and `leaving`, which makes the output of S_t^T q_t.

    Attributes:
        heads: N.
        key_width: K.
        value_width: V.
        chunk: steps that are computed at once; None for what is fast.
        enter: makes q, k and v.
        leave: W_o.
    """

    causal = True

    in_features: int
    out_features: int
    heads: int
    key_width: int
    value_width: int
    chunk: int | None
    enter: ConvolvedHeads
    leave: Linear

    @property
    @abstractmethod
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The parameters that make what the state is multiplied by."""

    @abstractmethod
    def gates_of(self, xs: Float[Array, "*S D"]) -> DeltaGates:
        """What the inputs say."""

    @abstractmethod
    def leaving(self, ys: Float[Array, "*S N V"], gate: Any) -> Float[Array, "*S P"]:
        """The output of what was read from the state; `gate` as `gates_of` gives it."""

    def initial_carry(self, batch_size: int, max_length: int) -> DeltaCarry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.key_width, self.value_width)
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
        beta, log_decay, gate = self.gates_of(xs)
        ys, state = chunked.delta(*qkv, beta, log_decay, carry.state, mask, self.chunk)
        ys = self.leaving(ys, gate)
        return where_mask(mask, ys, jnp.zeros_like(ys)), DeltaCarry(state, past)

    def step(
        self, carry: DeltaCarry, x: Float[Array, "B D"]
    ) -> tuple[DeltaCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        qkv, past = self.enter.step(x, carry.convolution)
        beta, log_decay, gate = self.gates_of(x)
        state, y = matrix_state.delta(carry.state, *qkv, beta, log_decay)
        return DeltaCarry(state, past), self.leaving(y, gate)

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)


def largest_beta(negative_eigenvalues: bool) -> float:
    """2 where a step may have negative eigenvalues, 1 where not.

    Raises:
        SeqexpError: if it is neither true nor false.
    """
    require_flag(negative_eigenvalues=negative_eigenvalues)
    return 2.0 if negative_eigenvalues else 1.0
