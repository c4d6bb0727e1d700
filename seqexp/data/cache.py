"""Where files are kept that are downloaded or computed once."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's cache folder of seqexp, which may not exist yet."""
    return Path(platformdirs.user_cache_dir("seqexp"))
