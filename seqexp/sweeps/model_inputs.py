"""Checks of what a trained model is given: inputs, prompts and sampling options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqexp.inspection.shown import Text
from seqexp.types import SeqexpError, Sequences, TaskSpec, Tokens


def checked_inputs(spec: TaskSpec, inputs: Any, lengths: Any) -> tuple[Sequences, bool]:
    """Inputs with B in front, and whether there was one sequence without B.

    Args:
        spec: of the model's task.
        inputs: `[B, T]` tokens or `[B, T, D]` features, or without B.
        lengths: `[B]`, or a number; None where nothing is padded.

    Raises:
        SeqexpError: they are not what the model was built for.
    """
    size, tokens = spec.inputs.size, isinstance(spec.inputs, Tokens)
    values = np.asarray(inputs)
    shape = "[B, T] tokens" if tokens else f"[B, T, {size}] features"
    wanted = np.integer if tokens else np.number
    dimensions = values.ndim + tokens
    if (
        dimensions not in (2, 3)
        or not np.issubdtype(values.dtype, wanted)
        or not (tokens or values.shape[-1] == size)
        or 0 in values.shape
    ):
        raise SeqexpError(
            f"inputs must be {shape}, or one sequence without B, not {values.dtype} "
            f"{list(values.shape)}"
        )
    if tokens and not (0 <= values.min() and values.max() < size):
        raise SeqexpError(
            f"tokens must be from 0 to {size - 1}, not {values.min()} to {values.max()}"
        )
    alone = dimensions == 2
    values = values[None] if alone else values
    count, steps = values.shape[:2]
    ends = np.full(count, steps) if lengths is None else np.asarray(lengths).reshape(-1)
    if (
        ends.shape != (count,)
        or not np.issubdtype(ends.dtype, np.integer)
        or not (1 <= ends.min() and ends.max() <= steps)
    ):
        raise SeqexpError(
            f"lengths must be {count} whole numbers from 1 to {steps}, not {lengths!r}"
        )
    values = values.astype(np.int32 if tokens else np.float32)
    return Sequences(values, ends.astype(np.int32)), alone  # type: ignore[arg-type]


def prompt_tokens(text: Text, prompt: str | Sequence[int]) -> np.ndarray:
    """`[T]` tokens of a prompt. Raises SeqexpError for an invalid prompt."""
    if isinstance(prompt, str):
        if unknown := [symbol for symbol in text.split(prompt) if symbol not in text.symbols]:
            known = f"symbols {text.symbols!r}"
            if len(text.symbols) > 100:
                known = f"{len(text.symbols):,} symbols"
            raise SeqexpError(f"the prompt has {unknown[0]!r}, which is none of the {known}")
        tokens = text.encode(prompt)
    else:
        tokens = np.asarray(prompt)
    most = len(text.symbols) - 1
    if tokens.ndim != 1 or not len(tokens):
        raise SeqexpError("the prompt must be one sequence of at least one symbol")
    if not np.issubdtype(tokens.dtype, np.integer) or tokens.min() < 0 or tokens.max() > most:
        raise SeqexpError(f"the prompt's tokens must be whole numbers from 0 to {most}")
    return tokens.astype(np.int32)


def require_drawing(
    length: int | None, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    """Raise SeqexpError unless so many steps can be drawn so."""
    if type(length) is not int or length < 1:
        raise SeqexpError(f"length must be a whole number of at least 1, not {length!r}")
    if not 0 <= temperature < float("inf"):
        raise SeqexpError(f"temperature must be a number of at least 0, not {temperature!r}")
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise SeqexpError(f"top_k must be a whole number of at least 1, or None, not {top_k!r}")
    if top_p is not None and not 0 < top_p <= 1:
        raise SeqexpError(f"top_p must be above 0 and at most 1, or None, not {top_p!r}")
