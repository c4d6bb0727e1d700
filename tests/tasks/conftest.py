import os
from pathlib import Path

import pytest

from seqexp.data.sources import SOURCES


@pytest.fixture(scope="session")
def require_files():
    """A function that skips the test where a task's files are not at hand without a download."""
    folder = Path(os.environ.get("SEQEXP_DATA_DIR", "unset"))
    known = {file.path for source in SOURCES for file in source.files}

    def require(task) -> None:
        for path in known.intersection(task.data_hashes()):
            if not (folder / path).is_file():
                pytest.skip(f"SEQEXP_DATA_DIR names no folder with {path}")

    return require
