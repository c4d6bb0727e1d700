"""Where the menu of configs is: inside an installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def config_folder() -> Path:
    """The `conf` folder."""
    return next(p for p in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if p.is_dir())
