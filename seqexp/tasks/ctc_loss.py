"""The loss of connectionist temporal classification, over the true part of a batch."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from seqexp.types import Array, Mean, Sequences


def ctc_loss(logits: Array, labels: Sequences, mask: Array, blank: int) -> Mean:
    """-log p(labels) of each example in nats, p the sum over the paths that leave these labels.

    A path names an output at each true step; repetitions and then blanks are taken out of it
    (Graves et al. 2006, https://doi.org/10.1145/1143844.1143891). What stands at padding, in logits
    and labels, has no effect.

    Args:
        logits: `[B, T, C]`.
        labels: `[B, U]` integers other than `blank`, with their lengths. What has no path (fewer
            steps than labels, and one more for each that repeats the one before) has a large loss
            without a meaning.
        mask: `[B, T]`, True where a step is real; an example without one weighs nothing.
        blank: the output that is no label.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    logits = jnp.where(mask[..., None], logits, 0)
    own = labels.mask
    values = jnp.where(own, labels.values, 0)
    steps, places = 1 - mask.astype(logits.dtype), 1 - own.astype(logits.dtype)
    losses = optax.ctc_loss(logits, steps, values, places, blank_id=blank)
    counts = mask.any(axis=1)
    return Mean(jnp.sum(jnp.where(counts, losses, 0)), jnp.sum(counts, dtype=jnp.float32))
