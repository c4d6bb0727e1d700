"""Find, verify and download the files of a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.filesize import decimal

from seqexp.data import archives
from seqexp.data.places import DATA_DIR, found, problem, target
from seqexp.data.placing import forget, placed, temporary
from seqexp.data.progress import downloading
from seqexp.data.source import Archive, File, Source
from seqexp.data.transfer import Unavailable, patiently, receive
from seqexp.types import SeqexpError

ONE_BY_ONE = 20
"""The most files that are downloaded each by itself where an archive has all of them."""


def fetch(source: Source) -> dict[str, Path]:
    """The verified files of a source, by the path they have there; downloads what is missing.

    A file is looked for in the folder that the environment variable SEQEXP_DATA_DIR names, then in
    the user's cache. A missing one is downloaded into the first of the two that can be written to,
    whole or not at all. A file that is there is never written to.

    Raises:
        SeqexpError: a file is corrupt, or missing and not to be had; says how to supply it.
    """
    places: dict[File, Path] = {}
    missing: dict[File, Path] = {}
    for file in source.files:
        if (place := found(file)) is None:
            missing[file] = target(file)
        elif wrong := problem(place, file):
            raise SeqexpError(
                f"{place} {wrong}; delete it to have it downloaded again, or put the right file "
                f"there (from {file.url})"
            )
        else:
            places[file] = place
    if missing:
        _download(source, missing)
    places |= missing
    return {file.path: places[file] for file in source.files}


def summary(files: Sequence[File]) -> str:
    """How many files, and of what size.

    >>> summary([File("a/b", "", "", 1_500), File("a/c", "", "", 500)])
    '2 files, 2.0 kB'
    """
    counted = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return f"{counted}, {decimal(sum(file.size for file in files))}"


def _download(source: Source, missing: Mapping[File, Path]) -> None:
    archive = source.archive if len(missing) > ONE_BY_ONE else None
    address = archive.url if archive else next(iter(missing)).url
    for folder in {place.parent for place in missing.values()}:
        forget(folder)
    size = None if archive else sum(file.size for file in missing)
    what = f"{source.name} ({summary(list(missing))}) from {urlsplit(address).hostname}"
    with downloading(what, size) as advance:
        if archive:
            _all_of(archive, missing, advance)
            return
        for file, place in missing.items():
            _one(file, place, advance)


def _one(file: File, place: Path, advance: Callable[[int], None]) -> None:
    def attempt() -> None:
        with placed(place) as opened:
            receive(file.url, opened, advance, file.size)
            opened.flush()
            if problem(Path(opened.name), file):
                wrong = f"what the server sent has another sha256 than {file.sha256[:12]}"
                raise Unavailable(wrong, passing=False)

    try:
        patiently(attempt)
    except (Unavailable, OSError) as error:
        raise SeqexpError(
            f"{file.path} is missing and could not be downloaded from {file.url}: "
            f"{_reason(error)}; put the file at {place}, or set {DATA_DIR} to a folder that holds "
            f"{file.path}"
        ) from error


def _all_of(archive: Archive, missing: Mapping[File, Path], advance: Callable[[int], None]) -> None:
    wanted = {
        file.path.removeprefix(f"{archive.folder}/"): archives.Wanted(file, place)
        for file, place in missing.items()
    }
    first, place = next(iter(missing.items()))

    def attempt() -> None:
        with temporary(place.with_name("archive")) as opened:
            receive(archive.url, opened, advance)
            opened.seek(0)
            archives.unpack(opened, wanted)

    try:
        patiently(attempt)
    except (Unavailable, OSError) as error:
        raise SeqexpError(
            f"{len(missing):,} files of {archive.folder} are missing and could not be had from "
            f"{archive.url}: {_reason(error)}; unpack it by hand so that {first.path} lies at "
            f"{place}, or set {DATA_DIR} to a folder that holds {archive.folder}"
        ) from error


def _reason(error: Unavailable | OSError) -> str:
    return " ".join(str(error).split())
