"""RWKV-7: a generalised delta rule, between mixtures of each step with the one before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.layers.heads import head_width, join_heads, split_heads, unit
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.normalize import normalize
from seqexp.recurrences.products import project
from seqexp.recurrences.token_shift import lerp, shifted
from seqexp.types import Array, KeyArray

SHARES = {"r": 0.2, "d": 0.9, "k": 0.7, "v": 0.7, "a": 0.9, "g": 0.2}
"""What is mixed with the step before, and by which power its shares start."""


class RWKV7Carry(NamedTuple):
    """`state` `[B, N, K, K]`, keys by values, and `previous` `[B, D]`, the last input."""

    state: Float[Array, "B N K V"]
    previous: Float[Array, "B D"]


Parts = tuple[Array, Array, Array, Array, Array, Array]
"""q, k, v, a, b and the log-decay of `matrix_state.low_rank`, `[..., N, K]`."""


class LowRank(nnx.Module):
    """f(x W_1) W_2 + b, W_1 of zeros at the start.

    Args:
        in_features: D.
        rank: the inner width.
        bias: b `[H]` at the start; None for none.
        features: H.
        rngs: draws W_2, a tenth of an orthogonal matrix, times sqrt(rank / H) where it is taller.
    """

    def __init__(
        self,
        in_features: int,
        rank: int,
        features: int,
        *,
        bias: Float[Array, " H"] | None,
        rngs: nnx.Rngs,
    ):
        draw = jax.nn.initializers.orthogonal(0.1 * max(1.0, math.sqrt(rank / features)))
        self.down = Undecayed(jnp.zeros((in_features, rank)))
        self.up = Undecayed(draw(rngs.params(), (rank, features)))
        self.bias = None if bias is None else nnx.Param(bias)

    def __call__(self, xs: Array, f: Any) -> Array:
        """`[..., D]` to `[..., H]`."""
        ys = project(f(project(xs, self.down[...])), self.up[...])
        return ys if self.bias is None else ys + self.bias[...]


class RWKV7(nnx.Module):
    """Time mixing of RWKV-7 (Peng et al. 2025, https://arxiv.org/abs/2503.14456).

        x^c_t = x_t + mu^c (x_{t-1} - x_t)                  c among r, d, k, v, a, g
        r_t, k_t, v_t = W_r x^r_t, W_k x^k_t, W_v x^v_t
        w_t = exp(-e^(-1/2) sigmoid(tanh(x^d_t D_1) D_2 + b_d))
        a_t = sigmoid(x^a_t A_1 A_2 + b_a)
        g_t = sigmoid(x^g_t G_1) G_2
        kappa_t = L2norm_heads(k_t * xi)
        p_t = k_t * (1 + alpha (a_t - 1))
        S_t = diag(w_t) S_{t-1} - (a_t kappa_t) (S_{t-1}^T kappa_t)^T + p_t v_t^T
        y_t = W_o (g_t * (GroupNorm_heads(S_t^T r_t) + (r_t . (rho * p_t)) v_t))

    S is the transpose of the paper's. The values of the first layer, which the paper's later
    layers mix into their own, are left out: a layer reads the one below alone. Parameters start as
    in the first layer of the authors' code (RWKV-v7/train_temp at commit 118e451 of
    https://github.com/BlinkDL/RWKV-LM), but for W_o, which is 0 there and here LeCun normal, and
    the scale of the norm, less than 1 there in a model of several layers. Its layer norm of the
    embedding is left out, too.

    Args:
        in_features: D.
        features: P; each of the N heads is K = ceil(P / N) wide.
        heads: N.
        rank: of the low-rank matrices D and A; None for that of the paper, 1.8 sqrt(P) to a
            multiple of 32, at least 32.
        gate_rank: of G; None for that of the paper, 0.6 P^0.8 likewise.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices.

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
        rank: int | None = None,
        gate_rank: int | None = None,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.head_features = width = head_width(features, heads)
        self.chunk = chunk
        rank = _rank(1.8 * features**0.5) if rank is None else rank
        gate_rank = _rank(0.6 * features**0.8) if gate_rank is None else gate_rank
        require_whole(rank=rank, gate_rank=gate_rank)
        inner = heads * width
        places = jnp.arange(in_features) / in_features
        self.shares = Undecayed(jnp.stack([1 - places**power for power in SHARES.values()]))
        self.receptance, self.key, self.value = (
            nnx.Param(jax.nn.initializers.orthogonal(size)(rngs.params(), (in_features, inner)))
            for size in (1.0, 0.1, 1.0)
        )
        # From 0 to 1 over all units, and from -1 to 1 within each head.
        line = jnp.arange(inner) / max(inner - 1, 1)
        within = jnp.tile(jnp.linspace(-1.0, 1.0, width) if width > 1 else jnp.zeros(1), heads)
        zigzag = within * jnp.abs(within)
        slow_to_fast = 6 * line - 5.5 + 2.5 * zigzag
        self.decay = LowRank(in_features, rank, inner, bias=slow_to_fast, rngs=rngs)
        rate = 0.3 * zigzag + 0.4 * (line - 0.5) - 0.19
        self.rate = LowRank(in_features, rank, inner, bias=rate, rngs=rngs)
        self.gate = LowRank(in_features, gate_rank, inner, bias=None, rngs=rngs)
        self.removed_scale = Undecayed((0.71 - 0.1 * (line - 0.5)).reshape(heads, width))
        self.replaced_share = Undecayed(jnp.full((heads, width), 1.02, jnp.float32))
        self.bonus = Undecayed(jnp.full((heads, width), -0.04, jnp.float32))
        self.norm_scale = Undecayed(jnp.ones((heads, width)))
        self.norm_shift = Undecayed(jnp.zeros((heads, width)))
        self.leave = Linear(inner, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by what the inputs say."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> RWKV7Carry:
        """Zeros, whatever the length."""
        dtype = self.leave.kernel.dtype
        shape = (batch_size, self.heads, self.head_features, self.head_features)
        return RWKV7Carry(jnp.zeros(shape, dtype), jnp.zeros((batch_size, self.in_features), dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: RWKV7Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], RWKV7Carry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        before, last = shifted(xs, carry.previous, mask)
        parts, gate = self._parts(xs, before)
        ys, state = chunked.low_rank(*parts, carry.state, mask, self.chunk)
        ys = self._leaving(ys, parts, gate)
        return where_mask(mask, ys, jnp.zeros_like(ys)), RWKV7Carry(state, last)

    def step(
        self, carry: RWKV7Carry, x: Float[Array, "B D"]
    ) -> tuple[RWKV7Carry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        parts, gate = self._parts(x, carry.previous)
        state, y = matrix_state.low_rank(carry.state, *parts)
        return RWKV7Carry(state, x), self._leaving(y, parts, gate)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """w, which keeps the state, as "forget", and a as "update"."""
        return {"forget": SIGMOID._replace(keeps=True), "update": SIGMOID}

    def activations(self, carry: RWKV7Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """w and a, `[B, N K]`, as "forget" and "update"."""
        mixed = self._mixed(x, carry.previous)
        return {"forget": jnp.exp(self._log_decay(mixed["d"])), "update": self._rate(mixed["a"])}

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _mixed(self, xs: Array, before: Array) -> dict[str, Array]:
        shares = self.shares[...]
        return {name: lerp(xs, before, shares[i]) for i, name in enumerate(SHARES)}

    def _log_decay(self, xs: Array) -> Array:
        return -math.exp(-0.5) * jax.nn.sigmoid(self.decay(xs, jnp.tanh))

    def _rate(self, xs: Array) -> Array:
        return jax.nn.sigmoid(self.rate(xs, lambda ys: ys))

    def _parts(self, xs: Array, before: Array) -> tuple[Parts, Array]:
        """What `low_rank` takes, and the gate `[..., N K]`."""
        mixed = self._mixed(xs, before)
        flat = (
            project(mixed["r"], self.receptance[...]),
            project(mixed["k"], self.key[...]),
            project(mixed["v"], self.value[...]),
            self._rate(mixed["a"]),
            self._log_decay(mixed["d"]),
        )
        r, k, v, rate, log_decay = (split_heads(part, self.heads) for part in flat)
        removed = unit(k * self.removed_scale[...])
        replaced = k * (1 + self.replaced_share[...] * (rate - 1))
        gate = self.gate(mixed["g"], jax.nn.sigmoid)
        return (r, replaced, v, removed, -rate * removed, log_decay), gate

    def _leaving(self, ys: Array, parts: Parts, gate: Array) -> Array:
        r, k, v, *_ = parts
        ys = normalize(ys, 64e-5) * self.norm_scale[...] + self.norm_shift[...]
        ys = ys + jnp.sum(r * self.bonus[...] * k, -1, keepdims=True) * v
        return self.leave(gate * join_heads(ys))


def _rank(size: float) -> int:
    return max(32, round(size / 32) * 32)
