"""The study that a command is given, with mistakes in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqexp.errors import SeqexpError
from seqexp.runs.schema import RUN


def study_folder(names: Sequence[str], command: str) -> Path:
    """The folder of the one study that is named; it may be missing, and come later.

    Args:
        names: the words of the call that are no options.
        command: its name, for messages.

    Raises:
        SeqexpError: what is named is no study, with a hint what may be meant.
    """
    if len(names) != 1:
        raise SeqexpError(f"name one study: seqexp {command} --help shows how to call it")
    folder = Path(names[0])
    if (folder / RUN).exists():
        raise SeqexpError(f"{folder} is a run: name its study, {folder.parent}")
    if folder.exists() and not folder.is_dir():
        raise SeqexpError(f"{folder} is a file: name the folder of a study")
    if not folder.exists() and ":" in names[0]:
        raise SeqexpError(f"no study in {folder}: name a folder of this machine")
    if not folder.exists() and (Path("runs") / folder).is_dir():
        raise SeqexpError(f"no study in {folder}: did you mean {Path('runs') / folder}?")
    return folder
