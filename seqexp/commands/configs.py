"""Where the menu of configs is: inside an installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def config_folder() -> Path:
    """The `conf` folder."""
    places = (_PACKAGE / "conf", _PACKAGE.parent / "conf")
    return next(place for place in places if place.is_dir()).resolve()
