"""The record of a run as one archive, which travels with its mirror and comes back whole or not."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from seqexp.runs import store
from seqexp.runs.redaction import redact, redact_paths
from seqexp.types import SeqexpError

ARCHIVE = "record.zip"
"""One file a run, so that it takes one request to send or to fetch it."""

RUN = "run.json"
MANIFEST = "manifest.json"
CARRIED = (RUN, MANIFEST, "cost.json", "metrics.jsonl", "timing.jsonl", "samples.jsonl")
"""All that a report is made of; no weights."""


def carried(directory: Path) -> dict[str, bytes]:
    """The files of a run's record as they leave this machine, by name.

    They are as they are, but for secrets and absolute paths in the manifest.
    """
    files = {name: directory / name for name in CARRIED}
    found = {name: path.read_bytes() for name, path in files.items() if path.exists()}
    if (manifest := store.read_json(files[MANIFEST])) is not None:
        clean = redact_paths(redact(manifest))
        if clean != manifest:
            found[MANIFEST] = (store.dumps(clean, indent=2) + "\n").encode("utf-8")
    return found


def pack(directory: Path) -> bytes:
    """The archive of a run's record; the same bytes for the same record."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        for name, content in carried(directory).items():
            writing.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """The files in an archive, by name.

    Raises:
        SeqexpError: it is damaged, or it is no record.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as reading:
            names = reading.namelist()
            files = {name: reading.read(name) for name in CARRIED if name in names}
    # What zipfile raises depends on the byte that is wrong.
    except (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise SeqexpError(f"its {ARCHIVE} is damaged ({error})") from error
    if RUN not in files or set(names) - set(files):
        raise SeqexpError(f"its {ARCHIVE} is not the record of a run")
    return files
