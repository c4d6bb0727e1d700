"""What is known of a public data set: its files, where they come from, and on what terms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes:
        path: where it lies under the data folder, with forward slashes.
        url: where it comes from.
        sha256: hash of its bytes, 64 hexadecimal digits.
        size: bytes.
    """

    path: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Archive:
    """A gzipped tar file with all files of a data set, for those of many small ones.

    Its own bytes are not pinned, for servers pack it anew now and then: each member is verified.

    Attributes:
        url: where it comes from.
        folder: under the data folder, in the place of the one top folder of the archive: with
            "fsdd", the member `TOP/recordings/0_theo_1.wav` is `fsdd/recordings/0_theo_1.wav`.
    """

    url: str
    folder: str


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        name: also that of the folder that its files lie in.
        title: what it is, in a line.
        files: all of them.
        licence: on what terms they may be used.
        citation: whom to cite, in a line with a link.
        archive: has all its files, too, and is downloaded in their place where many are missing.
    """

    name: str
    title: str
    files: tuple[File, ...]
    licence: str
    citation: str
    archive: Archive | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def hashes(self) -> Mapping[str, str]:
        """What a task that reads all of it gives as its `data_hashes`: sha256 by path.

        The files of an archive are too many to list in each record. They have one hash together,
        that of the text that `sha256sum` writes of them, sorted by path from the archive's folder.
        """
        if self.archive is None:
            return {file.path: file.sha256 for file in self.files}
        folder = f"{self.archive.folder}/"
        listed = sorted((file.path.removeprefix(folder), file.sha256) for file in self.files)
        text = "".join(f"{sha256}  {path}\n" for path, sha256 in listed)
        return {f"{folder}SHA256SUMS": hashlib.sha256(text.encode()).hexdigest()}

    def only(self, *starts: str) -> Source:
        """The same with fewer files: those whose path begins so, of one data set of several.

        >>> from seqexp.data.sources import TSC
        >>> [file.path for file in TSC.only("tsc/JapaneseVowels").files]
        ['tsc/JapaneseVowels_TRAIN.ts', 'tsc/JapaneseVowels_TEST.ts']
        """
        return replace(self, files=tuple(f for f in self.files if f.path.startswith(starts)))
