"""Where files are kept that are downloaded or computed once."""

from __future__ import annotations

from pathlib import Path

import pooch


def cache_folder() -> Path:
    """The user's cache folder of seqexp, which may not exist yet."""
    return Path(pooch.os_cache("seqexp"))
