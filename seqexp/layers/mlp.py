"""A small network for each step by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_number, require_whole
from seqexp.layers.linear import Linear
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray, SeqexpError

MLPKind = Literal["gelu", "relu", "geglu", "swiglu"]
_GATED: dict[str, Callable[[Array], Array]] = {"geglu": jax.nn.gelu, "swiglu": jax.nn.silu}
_PLAIN: dict[str, Callable[[Array], Array]] = {"gelu": jax.nn.gelu, "relu": jax.nn.relu}


class MLP(nnx.Module):
    """Two or three matrices for each step by itself; as a layer it remembers nothing.

        y = W_2 f(W_1 x + b_1) + b_2                  "gelu", "relu" (Vaswani et al. 2017)
        y = W_2 (f(W_1 x) * W_3 x)                    "geglu", "swiglu" (Shazeer 2020)

    https://arxiv.org/abs/1706.03762, https://arxiv.org/abs/2002.05202; GELU in the tanh form.

    Args:
        in_features: D.
        features: P.
        kind: which f, and whether it is gated.
        expansion: the inner width is so many times P, rounded up.
        rngs: draws the matrices (LeCun normal).

    Raises:
        SeqexpError: for an unknown kind or an expansion that is not above 0.
    """

    causal = True

    def __init__(
        self, in_features: int, features: int, *, kind: MLPKind, expansion: float, rngs: nnx.Rngs
    ):
        if kind not in get_args(MLPKind):
            raise SeqexpError(f"unknown mlp {kind!r}: use one of {', '.join(get_args(MLPKind))}")
        require_number("expansion", expansion, above=0)
        require_whole(in_features=in_features, features=features)
        self.in_features = in_features
        self.out_features = features
        self.kind: MLPKind = kind
        inner = ceil(expansion * features)
        linear = partial(Linear, use_bias=kind in _PLAIN, rngs=rngs)
        self.enter = linear(in_features, inner)
        self.gate = linear(in_features, inner) if kind in _GATED else None
        self.leave = linear(inner, features)

    def __call__(self, x: Float[Array, "*N D"]) -> Float[Array, "*N P"]:
        """`[..., D]` to `[..., P]`."""
        inner = (_PLAIN | _GATED)[self.kind](self.enter(x))
        return self.leave(inner if self.gate is None else inner * self.gate(x))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> tuple[()]:
        """Nothing."""
        return ()

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: tuple[()] | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], tuple[()]]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding."""
        ys = self(xs)
        return where_mask(mask, ys, jnp.zeros_like(ys)), ()

    def step(
        self, carry: tuple[()], x: Float[Array, "B D"]
    ) -> tuple[tuple[()], Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        return (), self(x)

    def stepwise(self) -> MLP:
        """Itself: it asks for the same operations at each step."""
        return self
