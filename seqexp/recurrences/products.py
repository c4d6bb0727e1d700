"""Matrix products that are taken out of the loop over time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.types import Array


def project(xs: Float[Array, "*N D"], kernel: Float[Array, "D K"]) -> Float[Array, "*N K"]:
    """`xs` `[T, B, D]` or `[B, D]` times `kernel` `[D, K]`."""
    # As one product of two matrices: XLA's CPU code for three-dimensional ones is slower.
    return (xs.reshape(-1, xs.shape[-1]) @ kernel).reshape(*xs.shape[:-1], -1)


def affine(
    xs: Float[Array, "T B D"], kernel: Float[Array, "D K"], bias: Float[Array, " K"]
) -> Float[Array, "T B K"]:
    """`xs` `[T, B, D]` times `kernel` `[D, K]`, plus `bias` `[K]`."""
    # The bias as one more row of the kernel: added apart, it costs a pass over the whole result.
    return project(with_ones(xs), jnp.concatenate([kernel, bias[None]]))


def affine_gradients(
    h: Float[Array, "T B H"], xs: Float[Array, "T B D"], dpre: Float[Array, "T B K"]
) -> tuple[Float[Array, "D K"], Float[Array, "H K"], Float[Array, " K"]]:
    """The gradients of W, U and b in `pre = x W + h U + b`, summed over T and B.

    One product for all three: apart, they would read `dpre` three times.

    Args:
        h: `[T, B, H]`, the state before each step.
        xs: `[T, B, D]`.
        dpre: `[T, B, K]`.

    Returns:
        `[D, K]`, `[H, K]` and `[K]`.
    """
    joint = summed_product(with_ones(jnp.concatenate([h, xs], axis=-1)), dpre)
    width = h.shape[-1]
    return joint[width:-1], joint[:width], joint[-1]


def with_ones(xs: Float[Array, "*N D"]) -> Float[Array, "*N D+1"]:
    """`xs` `[..., D]` with a column of ones behind: `[..., D + 1]`."""
    return jnp.concatenate([xs, jnp.ones_like(xs[..., :1])], axis=-1)


def summed_product(
    left: Float[Array, "T B I"], right: Float[Array, "T B J"]
) -> Float[Array, "I J"]:
    """The sum over T and B of outer products: `[T, B, I]` and `[T, B, J]` to `[I, J]`."""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


def previous(
    hs: Float[Array, "T B H"],
    first: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> Float[Array, "T B H"]:
    """The state before each real step: outputs `hs` `[T, B, H]` shifted, with `first` put in."""
    if not reverse:
        return jnp.concatenate([first[None], hs[:-1]])
    shifted = jnp.concatenate([hs[1:], first[None]])
    if mask is None:
        return shifted
    # Reading backward, a sequence starts at its own last step, behind which padding stands.
    inside = jnp.concatenate([mask[1:], jnp.zeros_like(mask[:1])])
    return where_mask(inside, shifted, jnp.broadcast_to(first, shifted.shape))


def exact_product(left: Float[Array, "*M I K"], right: Float[Array, "*N K J"]) -> Array:
    """`[..., I, K]` times `[..., K, J]` in full float32 wherever it runs: for a product that is a
    layer's mathematics rather than its reading, and whose rounding would be raised to powers."""
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def block_product(xs: Float[Array, "B S"], kernel: Float[Array, ...]) -> Float[Array, "B J"]:
    """`xs` `[B, S]` times `kernel` `[S, J]`, or times the blocks `[N, S / N, J / N]` that stand on
    the diagonal of one."""
    if kernel.ndim == 2:
        return xs @ kernel
    blocks = xs.reshape(xs.shape[0], kernel.shape[0], -1)
    return jnp.einsum("bns,nsj->bnj", blocks, kernel).reshape(xs.shape[0], -1)


def summed_block_product(
    left: Float[Array, "T B S"], right: Float[Array, "T B J"], blocks: int | None
) -> Float[Array, ...]:
    """The sum over T and B of outer products: `[S, J]`, or `[N, S / N, J / N]`, the blocks on its
    diagonal alone."""
    if blocks is None:
        return summed_product(left, right)
    left, right = (side.reshape(-1, blocks, side.shape[-1] // blocks) for side in (left, right))
    return jnp.einsum("mns,mnj->nsj", left, right)
