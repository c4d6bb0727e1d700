"""How far a `rerun=always` has come, on disk: started again after a kill, it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from seqexp.runs import store
from seqexp.runs.identity import canonical
from seqexp.runs.manifest import PACKAGES, source_hash, versions
from seqexp.sweeps.groups import Group
from seqexp.types import SeqexpError


class Rerun:
    """The runs that the same rerun has trained already.

    The same is one of the same runs by the same code and packages, until it reached its end: then
    the next one begins anew.

    Args:
        study: the folder.
        groups: all that is trained again.
    """

    def __init__(self, study: Path, groups: Sequence[Group]) -> None:
        members = [member for group in groups for member in group.members]
        own = {name: version for m in members for name, version in m.packages.items()}
        asked = [
            sorted(member.info.id for member in members),
            source_hash(),
            versions(PACKAGES),
            own,
        ]
        name = hashlib.sha256(canonical(asked).encode("utf-8")).hexdigest()[:16]
        self.path = study / f".rerun-{name}.jsonl"
        self.done: frozenset[str] = frozenset()
        with suppress(SeqexpError):  # Damaged: all are trained again.
            self.done = frozenset(str(line.get("run")) for line in store.read(self.path))

    def trained(self, ids: Iterable[str]) -> None:
        """Write down that these runs are done."""
        with suppress(OSError):  # They would be trained once more, no worse.
            for id in ids:
                store.append(self.path, {"run": id})

    def ended(self) -> None:
        """Delete the list: this rerun is complete."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
