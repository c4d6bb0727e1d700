"""What the parts of a model are called, for people: the same names in all records and figures."""

from __future__ import annotations

from typing import Any

import jax

WORDS = {
    "layers": "layer",
    "norms": "norm",
    "embed": "embedding",
    "embed_prefix": "answer_embedding",
    "attend": "attention",
}
"""Attributes of models that people call otherwise; all others keep their names."""


def part_name(path: tuple[Any, ...]) -> str:
    """The name of the part that a parameter belongs to: up to its layer, or of the model's
    attribute.

    Numbers count from 1. A single stack is not named, for it is all that a model has.

    >>> tree = {"encoder": {"layers": [{"cell": 0}]}, "readout": {"kernel": 0}}
    >>> [part_name(path) for path, _ in jax.tree.leaves_with_path(tree)]
    ['encoder/layer_1', 'readout']
    """
    words = _words(path)
    numbered = [place for place, word in enumerate(words) if word[-1].isdigit()]
    return "/".join(words[: numbered[0] + 1 if numbered else 1])


def _words(path: tuple[Any, ...]) -> list[str]:
    keys = jax.tree_util.keystr(path, simple=True, separator="\n").split("\n")
    if len(keys) > 1 and keys[-1] == "value":  # Of the parameter itself.
        keys = keys[:-1]
    if len(keys) > 1 and keys[0] == "stack":
        keys = keys[1:]
    words: list[str] = []
    for key in keys:
        if key.isdigit() and words:
            words[-1] += f"_{int(key) + 1}"
        else:
            words.append(WORDS.get(key, key))
    return words
