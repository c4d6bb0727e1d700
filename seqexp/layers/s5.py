"""S5, the simplified state space."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.layers.diagonal_state_space import DiagonalStateSpace
from seqexp.layers.entrance import Entrance
from seqexp.layers.glu import GLU, Glu
from seqexp.parameters import Undecayed
from seqexp.recurrences.complex_pairs import times
from seqexp.recurrences.discretize import (
    Discretization,
    discretize,
    log_steps,
    require_discretization,
)
from seqexp.recurrences.hippo import legs_normal
from seqexp.recurrences.state_space import StateSpace
from seqexp.types import Array, SeqexpError

SLOWEST = -1e-4
"""The largest real part of an eigenvalue, as `clip_eigs` of https://github.com/lindermanlab/S5."""


class S5(DiagonalStateSpace):
    """S5 (Smith et al. 2023, https://arxiv.org/abs/2208.04933).

        d/dt x = lambda * x + u B         discretised with a step dt of each state's own
        y_t = 2 Re(x_t C) + d * u_t

    and a gated linear unit of y_t. The states are the halves of N / 2 conjugate pairs. lambda
    starts at the eigenvalues of HiPPO-N, and B and C in the basis of its eigenvectors, with
    variances 1 / H and 1 / N (the authors' code has 1 / N for both); with `blocks`, of so many
    smaller HiPPO-N along a diagonal. Its real part is held at most -1e-4.
    u_t is the input, or its image under a matrix where D and H differ.

    Args:
        in_features: D.
        features: H.
        state: N, an even number for each block; the carry holds N / 2, half of each pair.
        blocks: HiPPO-N matrices at the start.
        discretization: "zoh" or "bilinear".
        dt_min: the smallest step at the start.
        dt_max: the largest.
        glu: behind it: "none", "half" or "full".
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, a state that can't be split so, impossible steps, and an
            unknown discretization or glu.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        state: int = 64,
        blocks: int = 1,
        discretization: Discretization = "zoh",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        glu: Glu = "half",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_discretization(discretization, dt_min, dt_max)
        _require_blocks(state, blocks)
        self.in_features = in_features
        self.out_features = features
        self.how = None
        self.discretization: Discretization = discretization
        self.enter = Entrance(in_features, features, rngs=rngs)
        self.states = half = state // 2
        eigenvalues, vectors = _blocks_of_normal(state // blocks, blocks)
        self.recurrent_real = nnx.Param(jnp.array(np.real(eigenvalues), jnp.float32))
        self.recurrent_imaginary = nnx.Param(jnp.array(np.imag(eigenvalues), jnp.float32))
        self.log_step = nnx.Param(log_steps(rngs.params(), (half,), dt_min, dt_max))
        # B = V^* B_0 and C = C_0 V of real B_0 and complex C_0.
        entering = _turned(vectors.conj(), jax.random.normal(rngs.params(), (state, features)))
        self.input_kernel = Undecayed(jnp.concatenate(entering).T / features**0.5)
        real, imaginary = jax.random.normal(rngs.params(), (2, state, features)) / state**0.5
        leaving = _turned(vectors, real), _turned(vectors, imaginary)
        leaving = leaving[0][0] - leaving[1][1], leaving[0][1] + leaving[1][0]
        self.output_kernel = nnx.Param(jnp.concatenate([leaving[0], -leaving[1]]))
        self.skip = nnx.Param(jax.random.normal(rngs.params(), (features,)))
        self.glu = GLU(features, kind=glu, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The real and imaginary parts of lambda."""
        return self.recurrent_real, self.recurrent_imaginary

    def system(self) -> StateSpace:
        """lambda, B and C, as the parameters make them."""
        real = jnp.minimum(self.recurrent_real[...], SLOWEST)
        a, b = discretize(
            self.discretization,
            (real, self.recurrent_imaginary[...]),
            jnp.exp(self.log_step[...]),
        )
        re, im = jnp.split(self.input_kernel[...], 2, axis=-1)
        return StateSpace(
            eigenvalues=a,
            enter=jnp.concatenate(times((re, im), b), axis=-1),
            leave=2 * self.output_kernel[...],
        )


def _blocks_of_normal(order: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of the eigenvalues of HiPPO-N, `[order / 2]`, of each block, and its eigenvectors."""
    eigenvalues, vectors = legs_normal(order)
    half = order // 2
    return np.tile(eigenvalues[:half], blocks), np.stack([vectors[:, :half]] * blocks)


def _turned(vectors: np.ndarray, rows: Float[Array, "N H"]) -> tuple[Array, Array]:
    """V^T of each block times its rows: `[N, H]` to a pair of `[N / 2, H]`."""
    parts = rows.reshape(*vectors.shape[:2], -1)

    def product(matrix: np.ndarray) -> Array:
        turned = jnp.einsum("bnk,bnh->bkh", jnp.array(matrix, rows.dtype), parts)
        return turned.reshape(-1, rows.shape[-1])

    return product(np.real(vectors)), product(np.imag(vectors))


def _require_blocks(state: int, blocks: int) -> None:
    require_whole(state=state, blocks=blocks)
    if state % (2 * blocks):
        raise SeqexpError(
            f"{blocks} blocks of conjugate pairs need a state that is a multiple of {2 * blocks}, "
            f"not {state}"
        )
