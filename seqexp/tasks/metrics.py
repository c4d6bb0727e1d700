"""Metrics over the true part of a batch, in numerically stable forms.

Each takes a `mask` that is True where an answer counts: `[B]` for one answer a sequence, `[B, T]`
for one a step, written `[...]` below. What stands elsewhere, in outputs and targets, has no effect
on the value nor on the gradient, even where it is NaN or infinite. Shapes that don't fit raise
SeqexpError: NumPy would broadcast them, to a wrong number.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from seqexp.types import Array, Mean, SeqexpError


def cross_entropy(logits: Array, targets: Array, mask: Array) -> Mean:
    """-log softmax(logits)[target] in nats: `[..., C]` logits, `[...]` integer targets."""
    _require_labels("cross_entropy", logits, targets, mask)
    log_probabilities = jax.nn.log_softmax(_true(logits, mask))
    picked = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)
    return _mean(-picked[..., 0], mask)


def accuracy(logits: Array, targets: Array, mask: Array) -> Mean:
    """The share of `[..., C]` logits whose largest is at the `[...]` integer target."""
    _require_labels("accuracy", logits, targets, mask)
    correct = jnp.argmax(_true(logits, mask), axis=-1) == targets
    return _mean(correct.astype(jnp.float32), mask)


def squared_error(outputs: Array, targets: Array, mask: Array) -> Mean:
    """(output - target)^2, a mean over the C values too: both `[..., C]`."""
    _require_values("squared_error", outputs, targets, mask)
    errors = _true(outputs, mask) - _true(targets, mask)
    return _mean(jnp.mean(jnp.square(errors), axis=-1), mask)


def absolute_error(outputs: Array, targets: Array, mask: Array) -> Mean:
    """|output - target|, a mean over the C values too: both `[..., C]`."""
    _require_values("absolute_error", outputs, targets, mask)
    errors = _true(outputs, mask) - _true(targets, mask)
    return _mean(jnp.mean(jnp.abs(errors), axis=-1), mask)


def quantile_loss(outputs: Array, targets: Array, mask: Array, quantiles: Sequence[float]) -> Mean:
    """max(q e, (q - 1) e) with e = target - output_q, a mean over the Q quantiles (pinball loss).

    Koenker & Bassett 1978, "Regression quantiles", https://doi.org/10.2307/1913643.

    Args:
        outputs: `[..., Q]`.
        targets: `[...]`.
        mask: `[...]`.
        quantiles: Q of them, between 0 and 1.
    """
    _require_mask("quantile_loss", outputs, mask)
    if targets.shape != mask.shape or outputs.shape[-1] != len(quantiles):
        raise SeqexpError(
            f"quantile_loss: outputs {list(outputs.shape)} and targets {list(targets.shape)} don't "
            f"fit {len(quantiles)} quantiles of values {list(mask.shape)}"
        )
    q = jnp.asarray(quantiles, jnp.float32)
    errors = _true(targets[..., None], mask) - _true(outputs, mask)
    return _mean(jnp.mean(jnp.maximum(q * errors, (q - 1) * errors), axis=-1), mask)


def bernoulli_nll(logits: Array, targets: Array, mask: Array) -> Mean:
    """-sum_c log p(target_c) in nats, with p(1) = sigmoid(logit_c) and 0/1 targets: `[..., C]`.

    softplus(x) - x y is -y log sigmoid(x) - (1 - y) log sigmoid(-x), without their overflow.
    """
    _require_values("bernoulli_nll", logits, targets, mask)
    logits, targets = _true(logits, mask), _true(targets, mask)
    return _mean(jnp.sum(jax.nn.softplus(logits) - logits * targets, axis=-1), mask)


def _require_labels(metric: str, logits: Array, targets: Array, mask: Array) -> None:
    _require_mask(metric, logits, mask)
    if targets.shape != mask.shape or not jnp.issubdtype(targets.dtype, jnp.integer):
        raise SeqexpError(
            f"{metric}: targets are {_form(targets)}, but logits {list(logits.shape)} need "
            f"integers {list(mask.shape)}"
        )


def _require_values(metric: str, outputs: Array, targets: Array, mask: Array) -> None:
    _require_mask(metric, outputs, mask)
    if targets.shape != outputs.shape:
        raise SeqexpError(
            f"{metric}: targets are {_form(targets)}, but must have the shape of the outputs, "
            f"{list(outputs.shape)}"
        )


def _require_mask(metric: str, outputs: Array, mask: Array) -> None:
    if mask.shape != outputs.shape[:-1] or mask.dtype != bool:
        raise SeqexpError(
            f"{metric}: the mask is {_form(mask)}, but outputs {list(outputs.shape)} need booleans "
            f"{list(outputs.shape[:-1])}"
        )


def _form(array: Array) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _true(values: Array, mask: Array) -> Array:
    # Padding is replaced before the mathematics, not after: the gradient of a NaN that `where`
    # discards is NaN all the same. Sums need float32 at least, whatever the model computes in.
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    return jnp.where(mask[..., None], values, 0)


def _mean(values: Array, mask: Array) -> Mean:
    return Mean(jnp.sum(jnp.where(mask, values, 0)), jnp.sum(mask, dtype=jnp.float32))
