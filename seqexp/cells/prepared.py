"""Cells whose recurrent kernel is a function of their parameters, which no step need repeat."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax


@runtime_checkable
class Derives(Protocol):
    """What such a cell offers beside its protocol."""

    def prepared(self) -> Any:
        """The same cell with its kernel computed, for many steps with these parameters."""
        ...


def prepared(cell: Any) -> Any:
    """A cell, wrapped or bare, whose steps compute no kernel again; others as they are."""
    return jax.tree.map(
        lambda node: node.prepared() if isinstance(node, Derives) else node,
        cell,
        is_leaf=lambda node: isinstance(node, Derives),
    )
