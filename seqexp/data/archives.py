"""Take single files out of a downloaded archive, each verified."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from seqexp.data.placing import placed
from seqexp.data.source import File
from seqexp.data.transfer import Unavailable


class Wanted(NamedTuple):
    """A member of an archive: the file that it must be, and where to put it."""

    file: File
    place: Path


def unpack(archive: BinaryIO, wanted: Mapping[str, Wanted]) -> None:
    """Put members of a gzipped tar file in their places, each verified, whole or not at all.

    Nothing else of the archive is written, and no name in it decides where: whoever packed it can
    reach no other folder.

    Args:
        archive: to read, from its beginning.
        wanted: by name below the one top folder of the archive.

    Raises:
        Unavailable: it is no such archive, it breaks off, lacks a member, holds another one by its
            name, or one outside of its folder. What was found until then is in its place.
        OSError: a file cannot be written.
    """
    left = dict(wanted)
    for name, content in _members(archive, wanted):
        file, place = wanted[name]
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise Unavailable(
                f"its {name} has another sha256 than {file.sha256[:12]}", passing=False
            )
        with placed(place) as opened:
            opened.write(content)
        left.pop(name, None)
    if left:
        raise Unavailable(
            f"it lacks {len(left):,} of {len(wanted):,} files, {min(left)} for one", passing=False
        )


def _members(archive: BinaryIO, wanted: Mapping[str, Wanted]) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each that is wanted."""
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as opened:
            for member in opened:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise Unavailable(
                        f"it has a member outside of its folder, {member.name!r}", passing=False
                    )
                name = "/".join(path.parts[1:])
                if name not in wanted or not member.isreg():
                    continue
                size = wanted[name].file.size
                if member.size != size:
                    raise Unavailable(
                        f"its {name} has {member.size:,} bytes, not {size:,}", passing=False
                    )
                content = opened.extractfile(member)
                assert content is not None
                yield name, content.read()
    # Those of reading alone: what is written is written outside of here.
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise Unavailable(f"it is damaged, or no gzipped tar file ({error})") from error
