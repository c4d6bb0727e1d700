"""Labelled recordings: which files there are, and what each is labelled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from seqexp.data.csv_rows import read_table, require_columns
from seqexp.types import SeqexpError

SUFFIXES = {".wav", ".flac"}


class LabelledFile(NamedTuple):
    """A recording's path and label."""

    path: Path
    label: str


def labelled_by_folder(folder: Path | str) -> tuple[LabelledFile, ...]:
    """WAV and FLAC files in folders that are named by their label, sorted by path.

    For example `digits/three/theo/7.wav` of the folder `digits` has the label "three". Files and
    folders whose names begin with a dot are left out.

    Raises:
        SeqexpError: there are no recordings, or one lies in no folder of a label.
    """
    folder = Path(folder)
    found = []
    for path in _recordings(folder):
        parts = path.relative_to(folder).parts
        if len(parts) == 1:
            raise SeqexpError(
                f"{path} is in no folder that says its label: move it into {folder / 'LABEL'}"
            )
        found.append(LabelledFile(path, parts[0]))
    return tuple(found)


def labelled_by_name(folder: Path | str, pattern: str) -> tuple[LabelledFile, ...]:
    r"""WAV and FLAC files anywhere in a folder, labelled by a part of their names; sorted by path.

    Args:
        folder: of the recordings. Names that begin with a dot are left out.
        pattern: a regular expression with one group, the label, for the whole name less its
            suffix: `(\d)_.*` finds "3" in `3_theo_7.wav`.

    Raises:
        SeqexpError: the pattern is wrong, there are no recordings, or one doesn't match.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SeqexpError(f"{pattern!r} is no regular expression: {error}") from error
    if compiled.groups != 1:
        raise SeqexpError(
            f"the pattern {pattern!r} needs one group, the label, and has {compiled.groups}: "
            r"write it like (\d)_.*"
        )
    found = []
    for path in _recordings(Path(folder)):
        match = compiled.fullmatch(path.stem)
        if not match or not match[1]:
            raise SeqexpError(f"the name of {path} has no label by the pattern {pattern!r}")
        found.append(LabelledFile(path, match[1]))
    return tuple(found)


def labelled_by_table(
    table: Path | str, path_column: str = "path", label_column: str = "label"
) -> tuple[LabelledFile, ...]:
    """Files and labels that a CSV file lists, in its order.

    Args:
        table: of the file; its first line names the columns. Others than the two don't matter.
        path_column: paths, from the folder of the table or absolute.
        label_column: labels.

    Raises:
        SeqexpError: the table is malformed or empty, lacks a column, or lists a file that is
            missing or listed before, or no label: with the line number.
    """
    table = Path(table)
    content = read_table(table)
    require_columns(table, content, (path_column, label_column))
    found: dict[Path, str] = {}
    for line, cells in content.rows:
        path, label = table.parent / cells[path_column], cells[label_column].strip()
        if not label:
            raise SeqexpError(f"{table}, line {line}: no label for {cells[path_column]!r}")
        if not path.is_file():
            raise SeqexpError(f"{table}, line {line}: there is no file {path}")
        if path in found:
            raise SeqexpError(f"{table}, line {line}: {path} was listed before")
        found[path] = label
    if not found:
        raise SeqexpError(f"{table} lists no files: write a path and a label a line")
    return tuple(LabelledFile(path, label) for path, label in found.items())


def _recordings(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SeqexpError(f"{folder} is not there, or is no folder: correct the path")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise SeqexpError(f"{folder} holds no .wav or .flac files: correct the path")
    return found
