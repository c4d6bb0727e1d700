"""`seqexp data`: fetch the data sets, or say what is wrong with them."""

from __future__ import annotations

import sys

from seqexp.data.download import fetch
from seqexp.data.sources import SOURCES
from seqexp.types import SeqexpError


def main(arguments: list[str]) -> int:
    """Fetch and verify the named data sets, or all."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"usage: seqexp data [{' | '.join(SOURCES)}] ...")
        return 0
    unknown = [name for name in arguments if name not in SOURCES]
    if unknown:
        raise SeqexpError(f"no data set {unknown[0]!r}; there are {', '.join(SOURCES)}")
    failed = 0
    for name in arguments or SOURCES:
        try:
            paths = fetch(SOURCES[name])
        except SeqexpError as error:
            print(f"seqexp: error: {error}", file=sys.stderr)
            failed = 1
        else:
            for path in paths.values():
                print(f"{name}: {path} (sha256 verified)")
    return failed
