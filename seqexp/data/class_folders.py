"""Examples of text in a folder that has a subfolder for each class."""

from __future__ import annotations

from pathlib import Path

from seqexp.data.text_examples import TextExample, some, text_example
from seqexp.data.text_files import read_text, unreadable
from seqexp.types import SeqexpError


def read_class_folder(path: str | Path) -> tuple[TextExample, ...]:
    """A text a file, whose label is the name of the folder that it lies in, in order of names.

        reviews/good/1.txt   reviews/good/2.txt   reviews/bad/1.txt

    Line breaks at the end of a file are dropped. What is no folder beside the classes is left out,
    as is what begins with a dot.

    Raises:
        SeqexpError: there is no such folder, fewer than 2 classes, a class without a `.txt` file or
            with a folder in it, an empty text, or a file that is no UTF-8 text; names it.
    """
    return some(
        path,
        [
            text_example(read_text(file).rstrip("\n"), file.parent.name, str(file))
            for file in class_files(path)
        ],
    )


def class_files(path: str | Path) -> tuple[Path, ...]:
    """The files that `read_class_folder` reads. Raises SeqexpError for folders that don't fit."""
    classes = [entry for entry in _entries(Path(path)) if entry.is_dir()]
    if len(classes) < 2:
        raise SeqexpError(
            f"{path} needs a folder for each class, at least 2, but has {len(classes)}; put the "
            "texts there as CLASS/NAME.txt"
        )
    files: list[Path] = []
    for folder in classes:
        entries = _entries(folder)
        texts = [entry for entry in entries if entry.suffix.lower() == ".txt"]
        inner = [entry for entry in entries if entry.is_dir()]
        if inner:
            raise SeqexpError(f"{inner[0]} is a folder inside of a class; move its texts up")
        if not texts:
            raise SeqexpError(f"{folder} is a class without a .txt file; add one or remove it")
        files += texts
    return tuple(files)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise unreadable(folder, error) from error
