"""Find, verify and download the files of a data set."""

from __future__ import annotations

import os
from pathlib import Path

import pooch
from requests.exceptions import HTTPError, RequestException

from seqexp.data.cache import cache_folder
from seqexp.data.sources import File, Source
from seqexp.types import SeqexpError

DATA_DIR = "SEQEXP_DATA_DIR"
RETRIES = 2


def fetch(source: Source) -> dict[str, Path]:
    """The verified files of a source, by the path they have there; downloads what is missing.

    A file is looked for in the folder that the environment variable SEQEXP_DATA_DIR names, then in
    the user's cache. A missing one is downloaded into the first of the two that can be written to,
    whole or not at all. A file that is there is never written to.

    Raises:
        SeqexpError: a file is corrupt, or missing and not to be had; says how to supply it.
    """
    return {file.path: _find(file) for file in source.files}


def _find(file: File) -> Path:
    places = [folder / file.path for folder in _folders()]
    for place in places:
        if place.is_file():
            _verify(place, file)
            return place
    target = next((place for place in places if _can_write(place)), places[-1])
    _download(file, target)
    return target


def _folders() -> list[Path]:
    cache = cache_folder()
    named = os.environ.get(DATA_DIR)
    return [Path(named).expanduser(), cache] if named else [cache]


def _can_write(place: Path) -> bool:
    nearest = next(folder for folder in place.absolute().parents if folder.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def _verify(place: Path, file: File) -> None:
    found = pooch.file_hash(str(place), alg="sha256")
    if found != file.sha256:
        raise SeqexpError(
            f"{place} is corrupt: its sha256 begins {found[:12]}, expected {file.sha256[:12]}; "
            f"delete it to have it downloaded again, or put the right file there (from {file.url})"
        )


def _download(file: File, target: Path) -> None:
    pooch.get_logger().setLevel("ERROR")
    # Not streamed, since an answer that is only partly read leaves its connection open.
    downloader = pooch.HTTPDownloader(stream=False)
    try:
        pooch.create(
            path=target.parent,
            base_url="",
            registry={target.name: f"sha256:{file.sha256}"},
            urls={target.name: file.url},
            retry_if_failed=RETRIES,
        ).fetch(target.name, downloader=downloader)  # pyright: ignore[reportArgumentType]
        # Pooch leaves the mode of a temporary file, which only its owner can read.
        target.chmod(0o644)
    # Requests' errors are OSErrors, as are a full disk's; pooch's ValueError is a wrong hash.
    except (OSError, ValueError) as error:
        raise SeqexpError(
            f"{file.path} is missing and could not be downloaded from {file.url}: "
            f"{_reason(error, file)}; put the file at {target}, or set {DATA_DIR} to a folder "
            f"that holds {file.path}"
        ) from error


def _reason(error: OSError | ValueError, file: File) -> str:
    if isinstance(error, HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, RequestException):
        return f"the connection failed ({type(error).__name__})"
    if isinstance(error, OSError):
        return " ".join(str(error).split())
    return f"what the server sent has another sha256 than {file.sha256[:12]}..."
