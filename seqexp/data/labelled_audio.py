"""A user's own recordings with their labels, as examples that can be divided into splits."""

from __future__ import annotations

from pathlib import Path

from seqexp.data.audio_folder import (
    LabelledFile,
    labelled_by_folder,
    labelled_by_name,
    labelled_by_table,
)
from seqexp.data.text_examples import TextExample
from seqexp.data.text_files import hash_file
from seqexp.types import SeqexpError


def labelled_audio(
    path: str | Path,
    pattern: str | None = None,
    path_column: str = "path",
    label_column: str = "label",
) -> tuple[TextExample, ...]:
    """The recordings of a folder or a table.

    A recording stands for itself by the sha256 of its bytes, its `text` here, so that `load_splits`
    divides recordings as it does texts: whatever their names are, and copies stay together.

    Args:
        path: a folder whose folders are named by the labels; any folder where there is a pattern;
            or a CSV file that lists paths and labels.
        pattern: a regular expression with one group, the label, for a file's name less its suffix;
            None where folders or a table tell the labels.
        path_column: of a table.
        label_column: of a table.

    Returns:
        Examples whose `place` is the path of the recording.

    Raises:
        SeqexpError: there is no such path, a table has a pattern, and what
            `seqexp.data.audio_folder` raises.
    """
    return tuple(
        TextExample(hash_file(file.path), file.label, str(file.path))
        for file in _files(Path(path), pattern, path_column, label_column)
    )


def _files(
    path: Path, pattern: str | None, path_column: str, label_column: str
) -> tuple[LabelledFile, ...]:
    if path.is_file():
        if path.suffix.lower() != ".csv":
            raise SeqexpError(f"{path} is neither a folder nor a .csv table: correct the path")
        if pattern is not None:
            raise SeqexpError(
                f"{path} is a table, which tells the labels itself: leave the pattern out"
            )
        return labelled_by_table(path, path_column, label_column)
    return labelled_by_folder(path) if pattern is None else labelled_by_name(path, pattern)
