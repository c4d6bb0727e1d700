"""The linear recurrent unit."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.sizes import require_number, require_sizes
from seqexp.layers.diagonal_state_space import DiagonalStateSpace
from seqexp.layers.entrance import Entrance
from seqexp.layers.glu import GLU, Glu
from seqexp.parameters import Undecayed
from seqexp.recurrences.state_space import StateSpace
from seqexp.types import Array, KeyArray, SeqexpError


class LRU(DiagonalStateSpace):
    """Linear recurrent unit (Orvieto et al. 2023, https://arxiv.org/abs/2303.06349).

        lambda = exp(-exp(nu) + i exp(theta))
        x_t = lambda * x_{t-1} + exp(gamma) * (u_t B)
        y_t = Re(x_t C) + d * u_t

    and a gated linear unit of y_t, as in the paper's experiments. The eigenvalues start on a ring,
    |lambda| between `r_min` and `r_max`, uniform by area, with phases from 0 to `max_phase`; gamma
    at log sqrt(1 - |lambda|^2), which keeps the variance of white noise. u_t is the input, or its
    image under a matrix where D and H differ.

    Args:
        in_features: D.
        features: H.
        state: N, how many complex numbers remember; None for H.
        r_min: the inner radius, from 0 up.
        r_max: the outer radius, at most 1.
        max_phase: the largest phase, in radians.
        glu: behind it: "none", "half" or "full".
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, impossible radii or phases, and an unknown glu.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        state: int | None = None,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
        glu: Glu = "full",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        size = features if state is None else state
        require_ring(size, r_min, r_max, max_phase)
        self.in_features = in_features
        self.out_features = features
        self.how = None
        self.enter = Entrance(in_features, features, rngs=rngs)
        normal = jax.random.normal
        self.states = size
        nu, theta = ring(rngs.params(), size, r_min, r_max, max_phase)
        self.recurrent_nu = nnx.Param(nu)
        self.recurrent_theta = nnx.Param(theta)
        # 1 - |lambda|^2 by expm1, which is exact where |lambda| is close to 1.
        self.gamma = nnx.Param(0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(nu))))
        self.input_kernel = Undecayed(
            normal(rngs.params(), (features, 2 * size)) / math.sqrt(2 * features)
        )
        self.output_kernel = nnx.Param(
            normal(rngs.params(), (2 * size, features)) / math.sqrt(size)
        )
        self.skip = nnx.Param(normal(rngs.params(), (features,)))
        self.glu = GLU(features, kind=glu, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """nu and theta, which make the eigenvalues."""
        return self.recurrent_nu, self.recurrent_theta

    def system(self) -> StateSpace:
        """lambda, B and C, as the parameters make them."""
        size, phase = jnp.exp(-jnp.exp(self.recurrent_nu[...])), jnp.exp(self.recurrent_theta[...])
        scale = jnp.exp(self.gamma[...])
        return StateSpace(
            eigenvalues=(size * jnp.cos(phase), size * jnp.sin(phase)),
            enter=self.input_kernel[...] * jnp.concatenate([scale, scale]),
            leave=self.output_kernel[...],
        )


def ring(
    key: KeyArray, size: int, r_min: float, r_max: float, max_phase: float
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """nu and theta of eigenvalues that are uniform on a ring (lemma 3.2).

        nu = log(-log(r_max^2 - v (r_max^2 - r_min^2)) / 2), theta = log(max_phase w)

    with v and w uniform between 0 and 1.
    """
    tiny = 2.0**-24
    v, w = jnp.clip(jax.random.uniform(key, (2, size)), tiny, 1 - tiny)
    # By the distance to the unit circle, which rounding near 1 would lose.
    gap = jnp.minimum(1 - r_max**2 + v * (r_max**2 - r_min**2), 1 - tiny)
    return jnp.log(-0.5 * jnp.log1p(-gap)), jnp.log(max_phase * w)


def require_ring(size: int, r_min: float, r_max: float, max_phase: float) -> None:
    """Raise SeqexpError unless eigenvalues can be drawn so."""
    if type(size) is not int or size < 1:
        raise SeqexpError(f"state must be a whole number of at least 1 or null, not {size!r}")
    for name, value in (("r_min", r_min), ("r_max", r_max), ("max_phase", max_phase)):
        require_number(name, value)
    if not 0 <= r_min < r_max <= 1:
        raise SeqexpError(
            f"the ring needs 0 <= r_min < r_max <= 1, not r_min={r_min!r} and r_max={r_max!r}"
        )
    if max_phase <= 0:
        raise SeqexpError(f"max_phase must be above 0, not {max_phase!r}")
