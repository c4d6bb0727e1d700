"""Packs the records of a study that its report is made of: python pack.py runs/budgets

The archive is the same, byte for byte, for the same records. Unpacked, it is the study's folder for
`seqexp report` and `seqexp.load`.
"""

from __future__ import annotations

import io
import platform
import re
import sys
import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).parent / "results" / "records.tar.xz"
KEPT = ("run.json", "metrics.jsonl", "timing.jsonl", "cost.json", "manifest.json")
"""Of each run: neither weights nor checkpoints nor wandb's files."""

PATH = re.compile(r"(?<![\w./:])(?:/[\w.+-]+){2,}")
"""A path from the root, which tells of the machine and means nothing elsewhere."""


def pack(study: Path, archive: Path) -> int:
    """Write the archive of a study's folder, and return how many files are in it.

    Raises:
        SystemExit: a record tells where it was made: a path from the root, or the host's name.
    """
    files = sorted(path for name in KEPT for path in study.glob(f"**/{name}"))
    with tarfile.open(archive, "w:xz", format=tarfile.USTAR_FORMAT, preset=9) as tar:
        for path in files:
            content = path.read_bytes()
            found = _private(content.decode())
            if found:
                raise SystemExit(f"{path} holds {found!r}; run the study again from its folder")
            # A name and a size, no owner and no time.
            entry = tarfile.TarInfo(f"{study.name}/{path.relative_to(study).as_posix()}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return len(files)


def _private(text: str) -> str | None:
    path = PATH.search(text)
    host = platform.node()
    return path.group() if path else host if host and re.search(rf"\b{host}\b", text) else None


if __name__ == "__main__":
    study = Path(sys.argv[1]).resolve()
    ARCHIVE.parent.mkdir(exist_ok=True)
    number = pack(study, ARCHIVE)
    print(f"{number} files in {ARCHIVE.stat().st_size:,} bytes: {ARCHIVE}")
