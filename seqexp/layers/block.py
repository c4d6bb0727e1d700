"""What stands around a layer: a norm, a residual, a short convolution, an MLP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation, activation_kinds, activations
from seqexp.cells.sizes import require_flag, require_sizes, require_whole
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.linear import Linear
from seqexp.layers.mlp import MLP
from seqexp.layers.norms import Norm, make_norm
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, Carry, KeyArray, Layer, SeqexpError


class BlockCarry(NamedTuple):
    """The carries of its parts: `convolution` `[B, K - 1, D]`, or () without one, and `mixer`."""

    convolution: Any
    mixer: Any


class Block(nnx.Module):
    """A layer that mixes steps, the mixer, with what published blocks have around it.

        u = P x                                       where the widths differ; else u = x
        v = u + mixer(convolution(norm(u)))
        y = v + MLP(norm(v))

    Without residual nothing is added and the mixer itself changes the width; without `convolution`
    or `mlp` that part is left out. The norm comes before the mixer and the MLP, as in Xiong et al.
    2020 (https://arxiv.org/abs/2002.04745); what reads the last block wants a norm of its own.

    Args:
        in_features: D.
        features: P, the width of the mixer and of what it gives out.
        mixer: makes a layer from `(in_features, features, rngs=...)`.
        norm: "none", "layer" or "rms".
        residual: add what enters to what the mixer and the MLP give.
        convolution: how many steps a causal depthwise convolution, followed by SiLU, reads before
            the mixer; None for none.
        mlp: makes an `MLP` from `(in_features, features, rngs=...)`; None for none.
        dropout: rate of what the mixer and the MLP give, before it is added.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for what the parts refuse, or a mixer that changes the width of a residual.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        mixer: Callable[..., Layer],
        norm: Norm,
        residual: bool,
        convolution: int | None,
        mlp: Callable[..., MLP] | None,
        dropout: float,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_rate("dropout", dropout)
        require_flag(residual=residual)
        if convolution is not None:
            require_whole(convolution=convolution)
        self.in_features = in_features
        self.residual = residual
        self.dropout = dropout
        projected = residual and in_features != features
        self.project = Linear(in_features, features, rngs=rngs) if projected else None
        width = features if residual else in_features
        self.norm = make_norm(norm, width, rngs)
        short = partial(CausalConvolution, depthwise=True, rngs=rngs)
        self.convolution = None if convolution is None else short(width, width, width=convolution)
        self.mixer = mixer(width, features, rngs=rngs)
        self.out_features = width = self.mixer.out_features
        if residual and width != features:
            raise SeqexpError(
                f"a {type(self.mixer).__name__} layer of {features} units gives out {width} "
                "features, so a block of it can have no residual: set residual=false"
            )
        self.mlp = None if mlp is None else mlp(width, width, rngs=rngs)
        self.mlp_norm = None if mlp is None else make_norm(norm, width, rngs)

    @property
    def causal(self) -> bool:
        """The mixer's."""
        return self.mixer.causal

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The mixer's."""
        return self.mixer.recurrent_parameters

    def initial_carry(self, batch_size: int, max_length: int) -> BlockCarry:
        """Those of its parts."""
        before = ()
        if self.convolution is not None:
            before = self.convolution.initial_carry(batch_size, max_length)
        return BlockCarry(before, self.mixer.initial_carry(batch_size, max_length))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: BlockCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], BlockCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the carries of the parts."""
        before, inside = (None, None) if carry is None else carry
        mixer_key, key, mlp_key = (None,) * 3 if key is None else jax.random.split(key, 3)
        xs = self._projected(xs)
        ys = self._normed(xs)
        after: Any = ()
        if self.convolution is not None:
            ys, after = self.convolution.unroll(ys, mask, before)
            ys = jax.nn.silu(ys)
        ys, inside = self.mixer.unroll(ys, mask, inside, key=mixer_key)
        ys = self._finished(xs, ys, key, mlp_key)
        return where_mask(mask, ys, jnp.zeros_like(ys)), BlockCarry(after, inside)

    def step(self, carry: BlockCarry, x: Float[Array, "B D"]) -> tuple[BlockCarry, Array]:
        """One step at evaluation: `[B, D]` to `[B, P]`."""
        x = self._projected(x)
        before, inner = self._entering(carry, x)
        inside, y = self.mixer.step(carry.mixer, inner)
        return BlockCarry(before, inside), self._finished(x, y, None, None)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The mixer's."""
        return activation_kinds(self.mixer)

    def activations(self, carry: BlockCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The mixer's."""
        _, inner = self._entering(carry, self._projected(x))
        return activations(self.mixer, carry.mixer, inner)

    def stepwise(self) -> Block:
        """The same block around the mixer, `stepwise`."""
        copy = jax.tree.map(lambda leaf: leaf, self)
        copy.mixer = self.mixer.stepwise()
        return copy

    def _projected(self, x: Array) -> Array:
        return x if self.project is None else self.project(x)

    def _normed(self, x: Array) -> Array:
        return x if self.norm is None else self.norm(x)

    def _entering(self, carry: BlockCarry, x: Array) -> tuple[Carry, Array]:
        """The convolution's carry behind a step, and what the mixer reads."""
        y = self._normed(x)
        if self.convolution is None:
            return (), y
        before, y = self.convolution.step(carry.convolution, y)
        return before, jax.nn.silu(y)

    def _finished(
        self, x: Array, y: Array, key: KeyArray | None, mlp_key: KeyArray | None
    ) -> Array:
        x = self._added(x, y, key)
        if self.mlp is None:
            return x
        return self._added(x, self.mlp(x if self.mlp_norm is None else self.mlp_norm(x)), mlp_key)

    def _added(self, x: Array, y: Array, key: KeyArray | None) -> Array:
        if key is not None and self.dropout > 0:
            y = y * keep_mask(key, self.dropout, y.shape)
        return x + y if self.residual else y
