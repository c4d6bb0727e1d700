"""`seqexp watch`: a page that follows a sweep while it trains."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seqexp.commands.options import parse
from seqexp.commands.study_folder import study_folder
from seqexp.watch import open_server
from seqexp.watch.server import PORT

USAGE = f"""\
usage: seqexp watch STUDY [--port PORT]

  seqexp watch runs/frontier
  seqexp watch runs/frontier --port 9000

Serves a page on this machine, 127.0.0.1, that follows the study while it trains: how far it is, the
curves of its runs, and what a run last showed. It reads the records alone, so it can be started and
stopped at any time, before the sweep as well, beside it and after it. Control-C ends it.

--port is {PORT} unless that is taken. To see a study of another machine, run this there, and here
ssh -L {PORT}:127.0.0.1:{PORT} MACHINE.
"""


def main(arguments: list[str]) -> int:
    """Serve until interrupted."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    folder, port = _parse(arguments)
    with open_server(folder, port) as server:
        if not folder.exists():
            print(f"{folder} is not there yet: the page waits for it", flush=True)
        print(f"watching {folder} at {server.address} (Control-C ends it)", flush=True)
        server.serve_forever()
    return 0


def _parse(arguments: Sequence[str]) -> tuple[Path, int | None]:
    """The study's folder, and the port that was asked for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--port", type=int)
    found, names = parse(parser, arguments, "watch")
    return study_folder(names, "watch"), found.port
