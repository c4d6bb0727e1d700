"""Right padding: from sequences of different lengths to one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, SeqexpError, Sequences


def pad(sequences: Sequence[np.ndarray], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Stack sequences `[t, ...]` into `[N, length, ...]`, zero-padded right; also `[N]` lengths.

    The sequences agree in dtype and in all but their first dimension. Raises SeqexpError where one
    is longer than `length`.

    >>> padded, lengths = pad([np.array([1, 2, 3]), np.array([4])], length=4)
    >>> padded.tolist(), lengths.tolist()
    ([[1, 2, 3, 0], [4, 0, 0, 0]], [3, 1])
    """
    first = sequences[0]
    padded = np.zeros((len(sequences), length, *first.shape[1:]), first.dtype)
    for number, (row, sequence) in enumerate(zip(padded, sequences, strict=True)):
        if len(sequence) > length:
            raise SeqexpError(
                f"sequence {number} has {len(sequence)} steps, and {length} is the most: cut it or "
                "give the task a greater length"
            )
        row[: len(sequence)] = sequence
    return padded, np.array([len(sequence) for sequence in sequences], np.int32)


def padded(sequences: Sequence[np.ndarray], length: int) -> Sequences:
    """`Sequences` of numpy arrays, padded by `pad`."""
    return sequences_of(*pad(sequences, length))


def sequences_of(values: np.ndarray, lengths: np.ndarray) -> Sequences:
    """`Sequences` of numpy arrays, which what is typed as arrays of JAX may be on the host."""
    return Sequences(cast(Array, values), cast(Array, lengths))


def consecutive_windows(tokens: np.ndarray, length: int) -> Batch:
    """`[n]` tokens cut into windows that predict each but the first exactly once, the last padded.

    >>> (inputs, lengths), targets, _ = consecutive_windows(np.array([5, 6, 7, 8]), length=2)
    >>> inputs.tolist(), targets.tolist(), lengths.tolist()
    ([[5, 6], [7, 0]], [[6, 7], [8, 0]], [2, 1])
    """
    starts = range(0, len(tokens) - 1, length)
    inputs, lengths = pad([tokens[:-1][start : start + length] for start in starts], length)
    targets, _ = pad([tokens[1:][start : start + length] for start in starts], length)
    return Batch(Sequences(jnp.asarray(inputs), jnp.asarray(lengths)), jnp.asarray(targets))
