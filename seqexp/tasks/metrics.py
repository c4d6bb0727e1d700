"""Metrics over the true part of a batch, in numerically stable forms.

Each takes a `mask` that is True where an answer counts: `[B]` for one answer a sequence, `[B, T]`
for one a step, written `[...]` below. What stands elsewhere, in outputs and targets, has no effect
on the value nor on the gradient, even where it is NaN or infinite.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from seqexp.types import Array, Mean


def cross_entropy(logits: Array, targets: Array, mask: Array) -> Mean:
    """-log softmax(logits)[target] in nats: `[..., C]` logits, `[...]` integer targets."""
    log_probabilities = jax.nn.log_softmax(_true(logits, mask))
    picked = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)
    return _mean(-picked[..., 0], mask)


def accuracy(logits: Array, targets: Array, mask: Array) -> Mean:
    """How often the largest of `[..., C]` logits is the one of the `[...]` integer target."""
    correct = jnp.argmax(_true(logits, mask), axis=-1) == targets
    return _mean(correct.astype(jnp.float32), mask)


def squared_error(outputs: Array, targets: Array, mask: Array) -> Mean:
    """(output - target)^2, a mean over the C values too: both `[..., C]`."""
    errors = _true(outputs, mask) - _true(targets, mask)
    return _mean(jnp.mean(jnp.square(errors), axis=-1), mask)


def bernoulli_nll(logits: Array, targets: Array, mask: Array) -> Mean:
    """-sum_c log p(target_c) in nats, with p(1) = sigmoid(logit_c) and 0/1 targets: `[..., C]`.

    softplus(x) - x y is -y log sigmoid(x) - (1 - y) log sigmoid(-x), without their overflow.
    """
    logits, targets = _true(logits, mask), _true(targets, mask)
    return _mean(jnp.sum(jax.nn.softplus(logits) - logits * targets, axis=-1), mask)


def _true(values: Array, mask: Array) -> Array:
    # Padding is replaced before the mathematics, not after: the gradient of a NaN that `where`
    # discards is NaN all the same. Sums need float32 at least, whatever the model computes in.
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    return jnp.where(mask[..., None], values, 0)


def _mean(values: Array, mask: Array) -> Mean:
    return Mean(jnp.sum(jnp.where(mask, values, 0)), jnp.sum(mask, dtype=jnp.float32))
