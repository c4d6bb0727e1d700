"""What travels with a mirrored run in one archive, from which a report can be made elsewhere."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from seqexp.runs import store
from seqexp.runs.inspections import INSPECTIONS
from seqexp.runs.redaction import redact, redact_paths
from seqexp.runs.schema import COST, MANIFEST, METRICS, RUN, SAMPLES, TIMING
from seqexp.types import SeqexpError

ARCHIVE = "record.zip"
"""One file a run: it takes one request to send or to fetch it, and it is there as a whole or not
at all."""

CARRIED = (RUN, MANIFEST, COST, METRICS, TIMING, SAMPLES, INSPECTIONS)
"""The record of a run, but for its weights and the arrays of inspections."""

_MEASURED = re.compile(r"cost/[^./\\][^/\\]*/cost\.json")
"""What `seqexp cost` measured for a study, in the study's folder."""


def carried(directory: Path) -> dict[str, bytes]:
    """The files of a run's record as they leave this machine, by name.

    They are as they are, but for secrets and absolute paths in the manifest.
    """
    files = {name: directory / name for name in CARRIED}
    found = {name: path.read_bytes() for name, path in files.items() if path.exists()}
    if MANIFEST in found:
        found[MANIFEST] = _clean(files[MANIFEST])
    return found


def measured(study: Path) -> dict[str, bytes]:
    """What `seqexp cost` measured for a study, by the path within its folder; without secrets and
    absolute paths."""
    paths = {path.relative_to(study).as_posix(): path for path in study.glob("cost/*/cost.json")}
    return {name: _clean(paths[name]) for name in sorted(paths) if _MEASURED.fullmatch(name)}


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of some files; the same bytes for the same files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        for name, content in files.items():
            writing.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """The files in an archive, by name.

    Raises:
        SeqexpError: it is damaged, or holds what no archive of ours does.
    """
    # What zipfile raises depends on the byte that is wrong.
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as reading:
            files = {name: reading.read(name) for name in reading.namelist()}
    except (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise SeqexpError(f"its {ARCHIVE} is damaged ({error})") from error
    if not all(name in CARRIED or _MEASURED.fullmatch(name) for name in files):
        raise SeqexpError(f"its {ARCHIVE} is none that seqexp packs")
    return files


def _clean(path: Path) -> bytes:
    """A JSON file without secrets and absolute paths; as it is where it has none."""
    value = store.read_json(path) or {}
    clean = redact_paths(redact(value))
    if clean == value:
        return path.read_bytes()
    return (store.dumps(clean, indent=2) + "\n").encode("utf-8")
