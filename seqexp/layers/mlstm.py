"""mLSTM: exponential gates over a matrix memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes
from seqexp.layers.heads import head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.exponential_gates import stabilized, stabilized_step
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.normalize import normalize
from seqexp.recurrences.products import project
from seqexp.types import Array, KeyArray, SeqexpError

Forget = Literal["sigmoid", "exponential"]


class MLSTMCarry(NamedTuple):
    """Memory C exp(-m) `[B, N, K, V]`, keys by values, normalizer n exp(-m) `[B, N, K]`, and the
    stabilizer m `[B, N]`."""

    memory: Float[Array, "B N K V"]
    normalizer: Float[Array, "B N K"]
    stabilizer: Float[Array, "B N"]


class MLSTM(nnx.Module):
    """The mLSTM of xLSTM (Beck et al. 2024, https://arxiv.org/abs/2405.04517), equations 19 to 27.

        q_t, k_t, v_t = W_q x_t + b_q, (W_k x_t + b_k) / sqrt(K), W_v x_t + b_v
        i_t = exp(w_i x_t + b_i)                                     a number of each head
        f_t = sigmoid(w_f x_t + b_f)                                 or exp of it
        C_t = f_t C_{t-1} + i_t k_t v_t^T
        n_t = f_t n_{t-1} + i_t k_t
        h_t = C_t^T q_t / max(|n_t . q_t|, 1)
        y_t = W (sigmoid(W_o x_t + b_o) * LayerNorm_heads(h_t))

    C and n are kept times exp(-m), the 1 being exp(-m) then, so that nothing overflows. LayerNorm
    has no bias and a scale for each value of each head, as in the authors' code; there, too, w_i
    and w_f start at 0, b_i near 0 (deviation 0.1) and b_f from 3 to 6, head by head.

    Args:
        in_features: D.
        features: P; the values of each of the N heads are V = ceil(P / N) wide.
        heads: N.
        key_expansion: the keys of a head are K = ceil(key_expansion P / N) wide; 1 in the paper,
            0.5 in xLSTM 7B.
        forget: the forget gate, "sigmoid" or "exponential".
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal) and b_i.

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
        key_expansion: float = 1.0,
        forget: Forget = "sigmoid",
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        if forget not in get_args(Forget):
            raise SeqexpError(f"unknown forget gate {forget!r}: use sigmoid or exponential")
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.key_width = head_width(features, heads, key_expansion=key_expansion)
        self.value_width = head_width(features, heads)
        self.forget: Forget = forget
        self.chunk = chunk
        keys, values = heads * self.key_width, heads * self.value_width
        self.enter = Linear(in_features, 2 * keys + 2 * values, rngs=rngs)
        self.gate_kernel = nnx.Param(jnp.zeros((in_features, 2 * heads)))
        input_bias = 0.1 * jax.random.normal(rngs.params(), (heads,))
        self.gate_bias = nnx.Param(jnp.concatenate([input_bias, jnp.linspace(3.0, 6.0, heads)]))
        self.norm_scale = Undecayed(jnp.ones((heads, self.value_width)))
        self.leave = Linear(values, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the decays are of the inputs."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> MLSTMCarry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.key_width, self.value_width + 1)
        dtype = self.leave.kernel.dtype
        return _apart(jnp.zeros(shape, dtype), jnp.zeros(shape[:2], dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: MLSTMCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], MLSTMCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        q, k, v, out = self._heads(xs)
        log_decay, scale, ms, final = stabilized(*self._gates(xs), carry.stabilizer, mask)
        k = k * scale[..., None]
        ys, state = chunked.outer(q, k, v, log_decay[..., None], _joined(carry), mask, self.chunk)
        ys = self._leaving(ys, ms, out)
        return where_mask(mask, ys, jnp.zeros_like(ys)), _apart(state, final)

    def step(
        self, carry: MLSTMCarry, x: Float[Array, "B D"]
    ) -> tuple[MLSTMCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        q, k, v, out = self._heads(x)
        log_decay, scale, m = stabilized_step(*self._gates(x), carry.stabilizer)
        k = k * scale[..., None]
        state, y = matrix_state.outer(_joined(carry), q, k, v, log_decay[..., None])
        return _apart(state, m), self._leaving(y, m, out)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """f, which keeps the memory, as "forget", the logarithm of i as "input", o as "output"."""
        infinity = float("inf")
        forget = SIGMOID if self.forget == "sigmoid" else Activation(0.0, infinity)
        return {
            "forget": forget._replace(keeps=True),
            "input": Activation(-infinity, infinity),
            "output": SIGMOID,
        }

    def activations(self, carry: MLSTMCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """f and log i `[B, N]`, and o `[B, N V]`, as "forget", "input" and "output"."""
        log_forget, log_input = self._gates(x)
        *_, out = self._heads(x)
        return {"forget": jnp.exp(log_forget), "input": log_input, "output": out}

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _heads(self, xs: Array) -> tuple[Array, Array, Array, Array]:
        """q, k, v with a 1 behind, whose sums are the normalizer, and the output gate."""
        keys, values = self.heads * self.key_width, self.heads * self.value_width
        parts = jnp.split(self.enter(xs), [keys, 2 * keys, 2 * keys + values], axis=-1)
        q, k, v = (split_heads(part, self.heads) for part in parts[:3])
        v = jnp.concatenate([v, jnp.ones_like(v[..., :1])], -1)
        return q, k * self.key_width**-0.5, v, jax.nn.sigmoid(parts[3])

    def _gates(self, xs: Array) -> tuple[Array, Array]:
        """log f and log i, `[..., N]`."""
        gates = project(xs, self.gate_kernel[...]) + self.gate_bias[...]
        log_input, forget = jnp.split(gates, 2, axis=-1)
        return forget if self.forget == "exponential" else jax.nn.log_sigmoid(forget), log_input

    def _leaving(self, ys: Array, m: Array, out: Array) -> Array:
        # The last bound matters only where both others are 0 in floating point.
        smallest = float(jnp.finfo(ys.dtype).tiny) ** 0.5
        least = jnp.maximum(jnp.exp(-m), smallest)[..., None]
        hs = ys[..., :-1] / jnp.maximum(jnp.abs(ys[..., -1:]), least)
        return self.leave(out * join_heads(normalize(hs) * self.norm_scale[...]))


def _joined(carry: MLSTMCarry) -> Float[Array, "B N K _"]:
    return jnp.concatenate([carry.memory, carry.normalizer[..., None]], -1)


def _apart(state: Float[Array, "B N K W"], m: Float[Array, "B N"]) -> MLSTMCarry:
    return MLSTMCarry(state[..., :-1], state[..., -1], m)
