"""Random batches of any spec, for costs, checks and tests that need no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from seqexp.types import Batch, Features, Sequences, TaskSpec, Tokens


def random_batch(
    spec: TaskSpec,
    batch_size: int,
    length: int | None = None,
    *,
    lengths: Sequence[int] | None = None,
    answer_lengths: Sequence[int] | None = None,
    dtype: Any = np.float32,
    seed: int = 0,
) -> Batch:
    """Tokens and labels uniform, features and values normal, in numpy arrays.

    Args:
        spec: of the task; targets of its "own" are `()`.
        batch_size: B.
        length: T; None for the spec's `usual_length`.
        lengths: `[B]` true lengths; None for T.
        answer_lengths: `[B]` of a free answer; None for `max_answer_length`.
        dtype: of floats.
        seed: draws.
    """
    rng = np.random.default_rng(seed)
    example = spec.example(batch_size, length)

    def drawn(shape: tuple[int, ...], kind: Tokens | Features) -> np.ndarray:
        if isinstance(kind, Tokens):
            return rng.integers(0, kind.size, shape, np.int32)
        return rng.standard_normal(shape).astype(dtype)

    def sequences(
        like: Sequences, kind: Tokens | Features, lengths: Sequence[int] | None
    ) -> Sequences:
        values = drawn(like.values.shape, kind)
        full = np.full(batch_size, values.shape[1]) if lengths is None else np.asarray(lengths)
        return Sequences(values, full.astype(np.int32))  # type: ignore[arg-type]

    inputs, prefix = sequences(example.inputs, spec.inputs, lengths), None
    if example.prefix is not None:
        prefix = sequences(example.prefix, Tokens(spec.output_size), answer_lengths)
        np.asarray(prefix.values)[:, 0] = spec.start
    kind = Features if spec.targets == "values" else Tokens
    targets = jax.tree.map(lambda leaf: drawn(leaf.shape, kind(spec.output_size)), example.targets)
    return Batch(inputs, targets, prefix)
