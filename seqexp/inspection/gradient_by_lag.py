"""How much of the loss's gradient reaches k steps back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.inspection.chains import Chain, StandIn, chains, chains_of, parts_of, with_layers
from seqexp.layers import Bidirectional
from seqexp.recurrences.remat import checkpointed
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Batch, Carry, KeyArray, Layer, Model, SeqexpError, Task

CHECKPOINTED = 128
"""Steps from which gradient checkpoints save more memory than their longer compilation is worth."""


class LagNorms(NamedTuple):
    """The norms of dL_t / dh_{t-k} at the lags k = 1 .. T of a batch.

    Attributes:
        norms: `[A, B, T]`, of A answers a sequence; 0 where not valid.
        valid: `[A, B, T]`, True where there is such an answer and the sequence reaches that far
            back.
    """

    norms: Float[Array, "A B T"]
    valid: Bool[Array, "A B T"]


def gradient_by_lag(
    model: Model, task: Task, batch: Batch, *, answers: int = 1
) -> dict[str, LagNorms]:
    """The norm of the gradient of a loss by the carry k steps before, for each chain of a model.

        g(k) = ||dL_t / dh_{t-k}||_2,    k = 1 .. t + 1

    h_{t-k} is all that the chain hands on from step t-k to step t-k+1, flattened: the gradient by
    it is the one by the carry between two halves of a sequence that is split there, with the other
    layers' carries held fixed. h_{-1}, at the largest lag, is the initial carry. What step t-k
    gives to the layers above at its own time is not part of it.

    L_t is the share of an answer in the total of the task's loss. With one answer a sequence, t is
    the last true step, whatever the pooling. With one a step, L_t is what reaches the loss through
    the output of step t, which is the loss of step t wherever losses of steps add up. A direction
    that reads in reverse has its past in the future: there the lag counts to h_{t+k}, and one
    answer a sequence stands at t = 0.

    It runs the `step` of each layer at evaluation, with gradient checkpoints, so that memory grows
    with the carries of about 2 sqrt(T) steps beside the `[T, B, P]` inputs and outputs of the
    layers: 0.3 GiB for 32 sequences of 2,000 steps and an LSTM of 512 units (20 s of one CPU core).
    Jittable, with `task` and `answers` static.

    Args:
        model: built for the task.
        task: one answer a sequence or one a step.
        batch: right-padded; example arrays of numpy or JAX.
        answers: A, how many answers of each sequence, where there is one a step: the last A whose
            loss has a gradient by the output.

    Returns:
        By the names of the chains, see `Chain`.

    Raises:
        SeqexpError: for free answers, a model without a chain, or fewer than one answer.

    Source: Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, section 2.
    """
    if task.spec.answer == "free":
        raise SeqexpError(
            "the gradient by lag is not defined for free answers, because inputs and answer have "
            "a time of their own each: inspect a task with one answer a sequence or a step"
        )
    if answers < 1:
        raise SeqexpError(f"answers must be at least 1, not {answers}")
    batch = jax.tree.map(jnp.asarray, batch)
    batch_size, steps = batch.inputs.values.shape[:2]
    along = chains(model)
    slots = {
        chain.name: jnp.zeros((steps, batch_size), _dtype(chain, batch_size, steps))
        for chain in along
    }

    def run(slots: dict[str, Array]) -> tuple[Array, Any]:
        prediction = with_layers(model, partial(_tapped, slots))(batch.inputs)
        return prediction.outputs, prediction

    outputs, pull, prediction = jax.vjp(run, slots, has_aux=True)

    def loss(outputs: Array) -> Array:
        return task.measure(prediction._replace(outputs=outputs), batch)["loss"].total

    slope = jax.grad(loss)(outputs)
    lengths = batch.inputs.lengths
    if task.spec.answer == "sequence":
        exists = jnp.any(slope != 0, axis=-1)[None] & (lengths > 0)
        norms = jax.tree.map(lambda by_time: by_time[None], pull(slope)[0])
        first, last = jnp.zeros_like(lengths), lengths - 1
        places = {chain.name: first if chain.reverse else last for chain in along}
    else:
        at, exists = _last_answers(slope, batch.inputs.mask, answers)

        def of_answer(t: Int[Array, " B"]) -> dict[str, Array]:
            chosen = jnp.arange(steps) == t[:, None]
            return pull(jnp.where(chosen[..., None], slope, 0))[0]

        norms = jax.lax.map(of_answer, at)
        places = {chain.name: at for chain in along}
    return {
        chain.name: _by_lag(norms[chain.name], places[chain.name], exists, lengths, chain.reverse)
        for chain in along
    }


def _dtype(chain: Chain, batch_size: int, steps: int) -> Any:
    carry = jax.eval_shape(lambda: chain.initial_carry(batch_size, steps))
    return jnp.finfo(jnp.result_type(*parts_of(carry))).dtype


def _last_answers(
    slope: Float[Array, "B T C"], mask: Bool[Array, "B T"], answers: int
) -> tuple[Int[Array, "A B"], Bool[Array, "A B"]]:
    """The steps of the last answers that count, and whether there are so many."""
    counts = jnp.any(slope != 0, axis=-1) & mask
    from_end = jnp.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    chosen = counts & (from_end == 1 + jnp.arange(answers)[:, None, None])
    return jnp.argmax(chosen, axis=-1), jnp.any(chosen, axis=-1)


def _by_lag(
    by_time: Float[Array, "A T B"],
    at: Int[Array, "*A B"],
    exists: Bool[Array, "A B"],
    lengths: Int[Array, " B"],
    reverse: bool,
) -> LagNorms:
    """Norms by the carry that enters a step, from the step of the answer backward."""
    norms = jnp.swapaxes(by_time, 1, 2)
    steps = norms.shape[-1]
    lags = 1 + jnp.arange(steps)
    at = jnp.broadcast_to(at, exists.shape)[..., None]
    entered = at - 1 + lags if reverse else at + 1 - lags
    valid = exists[..., None] & (entered >= 0) & (entered < lengths[:, None])
    picked = jnp.take_along_axis(norms, jnp.clip(entered, 0, steps - 1), axis=-1)
    return LagNorms(jnp.where(valid, picked, 0), valid)


@jax.custom_vjp
def _tap(carry: Carry, slot: Float[Array, " B"]) -> Carry:
    """The carry itself. The gradient of `slot` is the norm of that of the carry, so that all norms
    come out of one backward pass and no gradient of a carry has to be kept."""
    return carry


def _tap_forward(carry: Carry, slot: Array) -> tuple[Carry, Array]:
    return carry, slot


def _tap_backward(slot: Array, slope: Carry) -> tuple[Carry, Array]:
    parts = [jnp.abs(part).reshape(len(slot), -1) for part in parts_of(slope)]
    sizes = jnp.concatenate(parts, axis=-1).astype(slot.dtype)
    # Squares of what is near the smallest number are 0: scale first.
    largest = jnp.max(sizes, axis=-1)
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    norm = scale * jnp.sqrt(jnp.sum(jnp.square(sizes / scale[:, None]), axis=-1))
    return slope, norm


_tap.defvjp(_tap_forward, _tap_backward)


@dataclass(frozen=True)
class _Tapped(StandIn):
    """A layer that goes step by step, and whose carry is tapped before each step."""

    chains: tuple[Chain, ...]
    slots: dict[str, Array]

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """As the layer's at evaluation, from an empty past."""
        ways = [_unroll(chain, self.slots[chain.name], xs, mask) for chain in self.chains]
        ys, carries = zip(*ways, strict=True)
        if not isinstance(self.layer, Bidirectional):
            return ys[0], carries[0]
        forward, backward = ys
        summed = self.layer.merge == "sum"
        return forward + backward if summed else jnp.concatenate(ys, axis=-1), carries


def _tapped(slots: dict[str, Array], name: str, layer: Layer) -> Any:
    if not any(slot.split("/")[0] == name for slot in slots):
        return layer
    return _Tapped(layer, chains_of(layer, name), slots)


def _unroll(chain: Chain, slots: Array, xs: Array, mask: Array | None) -> tuple[Array, Carry]:
    def step(carry: Carry, x: Array, now: Any) -> tuple[Carry, Array]:
        return chain.step(_tap(carry, now["slot"]), x)

    def unroll(xs: Array, carry: Carry, mask: Array | None, slots: Any) -> tuple[Array, Carry]:
        return scan(step, carry, xs, mask, slots, chain.reverse)

    carry = chain.initial_carry(xs.shape[1], xs.shape[0])
    if len(xs) < CHECKPOINTED:
        return unroll(xs, carry, mask, {"slot": slots})
    return checkpointed(unroll, carry, xs, mask, {"slot": slots}, chain.reverse, "auto")
