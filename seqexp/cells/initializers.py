"""How the kernels of the cells start."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.types import Array, KeyArray, SeqexpError

Initializer = Callable[..., Array]


def initializer(init: str | Initializer) -> Initializer:
    """An initialiser by its name, or the callable `(key, shape) -> array` itself.

    - "glorot": uniform in +-sqrt(6 / (rows + columns)); Glorot and Bengio 2010,
      https://proceedings.mlr.press/v9/glorot10a.html
    - "orthogonal": Saxe et al. 2014, https://arxiv.org/abs/1312.6120
    - "identity": Le et al. 2015, https://arxiv.org/abs/1504.00941

    Raises:
        SeqexpError: for another name.
    """
    if callable(init):
        return init
    if init == "glorot":
        return jax.nn.initializers.glorot_uniform()
    if init == "orthogonal":
        return jax.nn.initializers.orthogonal()
    if init == "identity":
        return lambda key, shape: jnp.eye(*shape)
    raise SeqexpError(
        f"unknown initialiser {init!r}: use glorot, orthogonal, identity or a callable"
    )


def gate_kernel(
    init: str | Initializer, key: KeyArray, rows: int, columns: int, gates: int
) -> Float[Array, "{rows} {gates}*{columns}"]:
    """A kernel `[rows, gates * columns]`, each gate's block drawn by itself."""
    draw = initializer(init)
    # One program for all blocks compiles in a fraction of the time of one a block. Not vmap: two
    # batched QR decompositions at once wait for each other for ever on jaxlib's pool of threads.
    blocks = jax.lax.map(
        lambda block_key: draw(block_key, (rows, columns)), jax.random.split(key, gates)
    )
    return jnp.moveaxis(blocks, 0, 1).reshape(rows, gates * columns)
