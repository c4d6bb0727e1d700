"""Any recurrence with matrix products in its step, and one fast backward pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import block_product, summed_block_product
from seqexp.types import Array

C = TypeVar("C")
Products = Sequence[Callable[[Array], Array]]
"""For each recurrent kernel the function that multiplies `[B, S]` by it."""
Step = Callable[[Any, Array, Any, Products], Any]
"""`(carry, projected [B, K], small, products)` to the new carry; it calls each product once."""


def unroll(
    step: Step,
    output: Callable[[Any], Array],
    kernels: tuple[Float[Array, ...], ...],
    projected: Float[Array, "T B K"],
    small: Any,
    carry: C,
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> tuple[Float[Array, "T B P"], C]:
    """All steps of a recurrence, time first.

        carry_t = step(carry_{t-1}, x_t W + b, small, s -> s U for each U)
        y_t = output(carry_t)

    The forward pass keeps the carries and the products s U. The backward scan computes the rest of
    a step again and differentiates it by `jax.vjp`, with the products given; it gathers the
    gradients of the products, and the gradient of each U is one product after the loop. Automatic
    differentiation of the scan would leave that product inside.

    Args:
        step: the equations; it holds no arrays of its own but constants.
        output: the part of a carry that is given out.
        kernels: each U, `[S, J]`, or `[N, S, J]` for N blocks on a diagonal.
        projected: x W + b, `[T, B, K]`, finite at padding.
        small: a pytree of other arrays that the step reads, none of them large: their gradients
            are summed inside the loop.
        carry: the carry before the first step.
        mask: `[T, B]`, False where the carry is held and the output 0; None if nowhere.
        reverse: from the last step to the first.

    Returns:
        `ys` `[T, B, P]` and the final carry.
    """
    return _unroll(step, output, reverse, kernels, projected, small, carry, mask)


def products_of(kernels: Sequence[Float[Array, ...]]) -> Products:
    """The functions that multiply by `kernels`, each by its own."""
    return [partial(block_product, kernel=kernel) for kernel in kernels]


def _primal(step, output, reverse, kernels, projected, small, carry, mask):
    def body(carry, inputs):
        blocks, keep = inputs
        new = step(carry, _joined(blocks), small, products_of(kernels))
        y = output(new)
        return where_mask(keep, new, carry), where_mask(keep, y, jnp.zeros_like(y))

    final, ys = jax.lax.scan(body, carry, (_blocks(projected, carry), mask), reverse=reverse)
    return ys, final


def _forward(step, output, reverse, kernels, projected, small, carry, mask):
    def body(carry, inputs):
        blocks, keep = inputs
        kept: list[Any] = [None] * len(kernels)

        def product(index, s):
            kept[index] = block_product(s, kernels[index])
            return kept[index]

        products = [partial(product, index) for index in range(len(kernels))]
        held = where_mask(keep, step(carry, _joined(blocks), small, products), carry)
        return held, (held, tuple(kept))

    blocks = _blocks(projected, carry)
    final, (carries, kept) = jax.lax.scan(body, carry, (blocks, mask), reverse=reverse)
    ys = output(carries)
    ys = where_mask(mask, ys, jnp.zeros_like(ys))
    return (ys, final), (kernels, projected, small, carry, mask, carries, kept)


def _backward(step, output, reverse, residuals, cotangents):
    kernels, projected, small, first, mask, carries, kept = residuals
    dys, dfinal = cotangents
    transposed = [jnp.swapaxes(kernel, -1, -2) for kernel in kernels]
    before = jax.tree.map(partial(_shifted, reverse=reverse), carries, first)

    def body(state, inputs):
        dcarry, dsmall = state
        carry, p_blocks, u_blocks, dy, keep = inputs
        p, us = _joined(p_blocks), tuple(map(_joined, u_blocks))

        def again(carry, p, small, us):
            factors: list[Any] = [None] * len(us)

            def product(index, s):
                factors[index] = s
                return _known(s, transposed[index], us[index])

            products = [partial(product, index) for index in range(len(us))]
            new = step(carry, p, small, products)
            return (new, output(new)), tuple(factors)

        _, pull_back, factors = jax.vjp(again, carry, p, small, us, has_aux=True)
        dnew = where_mask(keep, (dcarry, dy), jax.tree.map(jnp.zeros_like, (dcarry, dy)))
        back, dp, now, dus = pull_back(dnew)
        if keep is not None:
            # A held step passes its gradient on as it is, and there `back` is 0.
            through = where_mask(keep, jax.tree.map(jnp.zeros_like, dcarry), dcarry)
            back = jax.tree.map(jnp.add, back, through)
        return (back, jax.tree.map(jnp.add, dsmall, now)), (dp, factors, dus)

    zeros = jax.tree.map(jnp.zeros_like, small)
    (dfirst, dsmall), (dprojected, factors, dus) = jax.lax.scan(
        body,
        (dfinal, zeros),
        (before, _blocks(projected, first), tuple(_blocks(u, first) for u in kept), dys, mask),
        reverse=not reverse,
    )
    dkernels = tuple(
        summed_block_product(s, du, kernel.shape[0] if kernel.ndim == 3 else None)
        for s, du, kernel in zip(factors, dus, kernels, strict=True)
    )
    return dkernels, dprojected, dsmall, dfirst, None


_unroll = jax.custom_vjp(_primal, nondiff_argnums=(0, 1, 2))
_unroll.defvjp(_forward, _backward)


def _blocks(array: Array, carry: Any) -> tuple[Array, ...]:
    """`[..., m H]` in m parts.

    Where a step takes parts of what the loop hands it, XLA's CPU code reads them number by number,
    which made a step of two gates take 1.6 times as long.
    """
    width = jax.tree.leaves(carry)[0].shape[-1]
    parts, rest = divmod(array.shape[-1], width)
    return (array,) if rest else tuple(jnp.split(array, parts, axis=-1))


def _joined(blocks: tuple[Array, ...]) -> Array:
    return jnp.concatenate(blocks, axis=-1)


def _shifted(carries: Array, first: Array, reverse: bool) -> Array:
    """What stood before each step, `[T, B, ...]`, of what stood after it."""
    parts = [carries[1:], first[None]] if reverse else [first[None], carries[:-1]]
    return jnp.concatenate(parts)


@jax.custom_vjp
def _known(s: Array, transposed: Array, u: Array) -> Array:
    """s U where it is known to be u, with the gradients of s and, in u's name, of the product."""
    return u


_known.defvjp(
    lambda s, transposed, u: (u, transposed),
    lambda transposed, du: (block_product(du, transposed), None, du),
)
