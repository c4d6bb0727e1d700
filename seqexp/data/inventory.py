"""What of a data set is here, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from seqexp.data.places import found, problem, target
from seqexp.data.source import File, Source


class Inventory(NamedTuple):
    """The files of a data set: those that are here, unread, and those that are not.

    Attributes:
        here: where each lies.
        missing: where each would be put.
    """

    here: Mapping[File, Path]
    missing: Mapping[File, Path]

    def folders(self, source: Source) -> list[Path]:
        """The folders of the data set that its files lie in: one, unless they are in two places.

        Args:
            source: whose inventory it is.
        """
        return list(dict.fromkeys(_folder(source, file, at) for file, at in self.here.items()))

    def folder_to_fill(self, source: Source) -> Path:
        """The folder of the data set that a missing file would be put in."""
        return _folder(source, *next(iter(self.missing.items())))


def inventory(source: Source) -> Inventory:
    """Look for the files of a data set, without reading them."""
    places = {file: found(file) for file in source.files}
    here = {file: place for file, place in places.items() if place}
    return Inventory(here, {file: target(file) for file, place in places.items() if not place})


def damaged(here: Mapping[File, Path]) -> dict[Path, str]:
    """What is wrong with files, by where they lie: reads all of them. Empty where nothing is."""
    wrong = {place: problem(place, file) for file, place in here.items()}
    return {place: why for place, why in wrong.items() if why}


def _folder(source: Source, file: File, place: Path) -> Path:
    """The folder of a data set above one of its files."""
    depth = len(Path(file.path).relative_to(source.name).parts)
    return place.parents[depth - 1]
