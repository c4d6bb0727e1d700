"""What language models share, whatever their tokens: windows of texts, or lanes of them."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from seqexp.data.lanes import Lanes
from seqexp.data.padding import consecutive_windows
from seqexp.data.streams import Windows
from seqexp.types import Splits, TaskSpec, Tokens

CONTEXT = 2000
"""How many steps the held-out sequences of a stateful task have, where its window is shorter."""


def next_token_spec(tokens: Tokens, window: int, stateful: bool | None) -> TaskSpec:
    """The spec of a language model.

    Args:
        tokens: read, and predicted.
        window: T, the tokens that a training window predicts.
        stateful: whether windows continue each other; None for no.
    """
    size = tokens.size
    if not stateful:
        return TaskSpec(tokens, "step", size, window, causal=True, targets="labels")
    return TaskSpec(
        tokens,
        "step",
        size,
        max(window, CONTEXT),
        causal=True,
        targets="labels",
        trained_length=window,
        stateful=True,
    )


def next_token_splits(
    train: np.ndarray, held_out: Mapping[str, np.ndarray], window: int, stateful: bool | None
) -> Splits:
    """The data of a language model; each held-out token but a split's first is predicted once.

    A stateful one trains on `Lanes`, any other on `Windows`, and is evaluated in one pass over
    sequences of up to `CONTEXT` steps, any other over windows.

    Args:
        train: `[N]` tokens.
        held_out: `[n]` tokens of each split.
        window: T, the tokens that a training window predicts.
        stateful: whether windows continue each other; None for no.
    """
    most = max(window, CONTEXT) if stateful else window

    def cut(tokens: np.ndarray) -> int:
        return min(most, len(tokens) - 1) if stateful else window

    stream = Lanes if stateful else Windows
    return Splits(
        stream(jnp.asarray(train), window),
        {name: (consecutive_windows(each, cut(each)),) for name, each in held_out.items()},
    )
