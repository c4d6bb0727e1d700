"""A chain as a dynamical system: its state a vector, driven by what the layer reads."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.inspection.chains import chain_named, parts_of
from seqexp.inspection.layer_calls import every_call
from seqexp.recurrences.masking import backward
from seqexp.types import Array, Carry, Model, SeqexpError, Sequences


class Driven(NamedTuple):
    """The system h_t = F(h_{t-1}, x_t), of one sequence.

    Attributes:
        xs: `[B, T, D]`, what the layer reads, each sequence in the order in which the chain reads
            it, and 0 behind its end.
        lengths: `[B]`, how much of it is true.
        start: the carry of an empty past, of one sequence.
        size: n, how many numbers of a carry have a gradient: H for an Elman network or a GRU, 2 H
            for an LSTM, and two for each complex number.
        step: F, `(carry, x [D])` to the next carry.
        to_vector: a carry to `[n]`.
        to_carry: `[n]`, and the carry whose other parts (counters) it takes, to a carry.
    """

    xs: Float[Array, "B T D"]
    lengths: Int[Array, " B"]
    start: Carry
    size: int
    step: Callable[[Carry, Float[Array, " D"]], Carry]
    to_vector: Callable[[Carry], Float[Array, " n"]]
    to_carry: Callable[[Float[Array, " n"], Carry], Carry]

    def linearized(
        self, carry: Carry, x: Float[Array, " D"]
    ) -> tuple[Carry, Callable[[Float[Array, "k n"]], Float[Array, "k n"]]]:
        """The next carry, and what the Jacobian dh_t / dh_{t-1} makes of k vectors."""

        def flat(vector: Array) -> tuple[Array, Carry]:
            after = self.step(self.to_carry(vector, carry), x)
            return self.to_vector(after), after

        _, push, after = jax.linearize(flat, self.to_vector(carry), has_aux=True)
        return after, jax.vmap(push)


def driven(model: Model, inputs: Sequences, prefix: Sequences | None, name: str) -> Driven:
    """A chain of a model, and what drives it on these inputs, at evaluation.

    Args:
        model: any whose layers run over time.
        inputs: right-padded, `[B, T]` or `[B, T, D]`.
        prefix: what an encoder-decoder reads beside them; None elsewhere.
        name: of the chain, see `Chain`.

    Raises:
        SeqexpError: for a name that is none of its chains', a state that grows with the sequence,
            and a model that runs the layer more than once.
    """
    chain = chain_named(model, name)
    _require_fixed(chain.initial_carry, name)
    inputs, prefix = jax.tree.map(jnp.asarray, (inputs, prefix))
    layer = name.split("/")[0]
    found = every_call(model, lambda watched: watched(inputs, prefix))
    calls = [call for called, call in found if called == layer]
    if len(calls) != 1:
        raise SeqexpError(
            f"{name} runs {len(calls)} times in this model, where one run is watched: leave out "
            "the prefix to inspect what reads the inputs"
        )
    _, xs, mask, _, _ = calls[0]
    if chain.reverse:
        xs = backward(xs, mask)
    start = jax.tree.map(jnp.asarray, chain.initial_carry(1, 1))
    to_vector, to_carry = _flattening(start)

    def step(carry: Carry, x: Array) -> Carry:
        return chain.step(carry, x[None])[0]

    lengths = jnp.sum(mask, axis=0)
    size = jax.eval_shape(to_vector, start).size
    return Driven(jnp.swapaxes(xs, 0, 1), lengths, start, size, step, to_vector, to_carry)


def _require_fixed(initial_carry: Callable[[int, int], Carry], name: str) -> None:
    def shapes(length: int) -> list[tuple[int, ...]]:
        return [a.shape for a in jax.tree.leaves(jax.eval_shape(lambda: initial_carry(1, length)))]

    if shapes(1) != shapes(2):
        raise SeqexpError(
            f"what {name} carries grows with the sequence (a cache), so it has no Jacobian from "
            "one state to the next: see its gradient by lag"
        )


def _flattening(
    carry: Carry,
) -> tuple[Callable[[Carry], Array], Callable[[Array, Carry], Carry]]:
    """To a real vector of all parts with a gradient, and back; complex numbers are pairs."""
    dtype = jnp.finfo(jnp.result_type(*parts_of(carry))).dtype

    def to_vector(carry: Carry) -> Array:
        flat = []
        for part in parts_of(carry):
            both = [part.real, part.imag] if jnp.iscomplexobj(part) else [part]
            flat += [each.reshape(-1).astype(dtype) for each in both]
        return jnp.concatenate(flat)

    def to_carry(vector: Array, like: Carry) -> Carry:
        taken = 0

        def take(shape: tuple[int, ...]) -> Array:
            nonlocal taken
            taken += prod(shape)
            return vector[taken - prod(shape) : taken].reshape(shape)

        def restored(leaf: Array) -> Array:
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                return leaf
            if jnp.iscomplexobj(leaf):
                return jax.lax.complex(take(leaf.shape), take(leaf.shape)).astype(leaf.dtype)
            return take(leaf.shape).astype(leaf.dtype)

        return jax.tree.map(restored, like)

    return to_vector, to_carry
