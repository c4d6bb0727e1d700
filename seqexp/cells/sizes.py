"""What every cell demands of its sizes."""

from __future__ import annotations

from seqexp.types import SeqexpError


def require_sizes(in_features: int, features: int) -> None:
    """Raise SeqexpError unless both are whole numbers of at least 1."""
    for name, size in (("in_features", in_features), ("features", features)):
        if not isinstance(size, int) or size < 1:
            raise SeqexpError(f"{name} must be a whole number of at least 1, not {size!r}")
