"""A user's own text: which reader a path asks for, and hashes of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

from seqexp.data.class_folders import class_files, read_class_folder
from seqexp.data.json_lines import read_json_lines
from seqexp.data.tables import read_csv, read_tsv
from seqexp.data.text_examples import Columns, TextExample
from seqexp.data.text_files import hash_file
from seqexp.types import SeqexpError

TextFormat = Literal["folder", "tsv", "csv", "jsonl"]
FORMATS: Mapping[str, TextFormat] = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""By the end of a file's name, less `.gz`."""


def read_examples(
    path: str | Path, columns: Columns | None = None, *, format: TextFormat | None = None
) -> tuple[TextExample, ...]:
    """The examples of a folder of classes, a table, or JSON lines.

    Args:
        path: a folder, or a file whose name may end in `.gz`.
        columns: where text and label stand; None for a folder alone.
        format: None to go by the path: a folder, or the end of the file's name.

    Raises:
        SeqexpError: the format can't be told or is unknown, columns are missing or of no use, and
            what its reader raises.
    """
    format = format or _format(Path(path))
    if format == "folder":
        if columns is not None:
            raise SeqexpError(
                f"{path} is a folder of classes, which has no columns: leave them out"
            )
        return read_class_folder(path)
    readers = {"tsv": read_tsv, "csv": read_csv, "jsonl": read_json_lines}
    if format not in readers:
        raise SeqexpError(f"no format {format!r} of text: choose folder, {', '.join(readers)}")
    if columns is None:
        raise SeqexpError(f"{path} needs columns: say where the text and the label stand")
    return readers[format](path, columns)


def text_hashes(paths: Mapping[str, str | Path | None]) -> dict[str, str]:
    """sha256 of the file or folder of each split, by the split's name; those of None are left out.

    That of a folder of classes is of the names and hashes of the files that are read of it, so
    neither where it lies nor what else lies there matters. Raises SeqexpError where a file can't be
    read.
    """
    return {name: _hash(Path(path)) for name, path in paths.items() if path is not None}


def _format(path: Path) -> TextFormat:
    if path.is_dir():
        return "folder"
    end = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    if end.lower() not in FORMATS:
        raise SeqexpError(
            f"{path} is neither a folder nor ends in {', '.join(FORMATS)}: check the path, or give "
            "its format"
        )
    return FORMATS[end.lower()]


def _hash(path: Path) -> str:
    if not path.is_dir():
        return hash_file(path)
    lines = (f"{hash_file(file)} {file.relative_to(path).as_posix()}" for file in class_files(path))
    return sha256("\n".join(lines).encode()).hexdigest()
