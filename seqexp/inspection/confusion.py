"""Which class is taken for which."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.types import Array, SeqexpError


def confusion_matrix(
    outputs: Float[Array, "*N C"], labels: Int[Array, "*N"], mask: Bool[Array, "*N"]
) -> Int[Array, "C C"]:
    """`[C, C]` counts: how often class i, a row, has its largest output at class j, a column.

    Args:
        outputs: `[..., C]`.
        labels: `[...]`, from 0 to C - 1 where they count.
        mask: `[...]`, True where an answer counts, such as `TaskSpec.answer_mask`.

    Raises:
        SeqexpError: for shapes that don't fit.

    >>> outputs = jnp.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    >>> confusion_matrix(outputs, jnp.array([0, 0, 1]), jnp.array([True, True, False])).tolist()
    [[1, 1], [0, 0]]
    """
    if not outputs.shape[:-1] == labels.shape == mask.shape:
        raise SeqexpError(
            f"outputs {list(outputs.shape)}, labels {list(labels.shape)} and mask "
            f"{list(mask.shape)} don't fit: outputs have the classes behind the shape of the others"
        )
    classes = outputs.shape[-1]
    # What doesn't count goes to a row that is cut off.
    rows = jnp.where(mask, labels, classes).reshape(-1)
    columns = jnp.argmax(outputs, -1).reshape(-1)
    counts = jnp.zeros((classes + 1, classes), jnp.int32)
    return counts.at[rows, columns].add(1, mode="drop")[:classes]
