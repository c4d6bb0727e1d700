"""`seqexp data`: fetch the data sets, or say what is wrong with them."""

from __future__ import annotations

import sys

from seqexp.data.download import fetch
from seqexp.data.sources import SOURCES
from seqexp.types import SeqexpError

BY_NAME = {source.name: source for source in SOURCES}


def main(arguments: list[str]) -> int:
    """Fetch and verify the named data sets, or all."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"usage: seqexp data [{' | '.join(BY_NAME)}] ...")
        return 0
    unknown = [name for name in arguments if name not in BY_NAME]
    if unknown:
        raise SeqexpError(f"no data set {unknown[0]!r}; there are {', '.join(BY_NAME)}")
    failed = 0
    for name in arguments or BY_NAME:
        try:
            paths = fetch(BY_NAME[name])
        except SeqexpError as error:
            print(f"seqexp: error: {error}", file=sys.stderr)
            failed = 1
        else:
            for path in paths.values():
                print(f"{name}: {path} (sha256 verified)")
    return failed
