"""A process that does jobs, one after another.

    python -m seqexp.sweeps.executors.serve CPUS ASKS ANSWERS

From the file descriptor ASKS it reads lines, each the folder of a job as a JSON string, and writes
an empty line to ANSWERS when the job is done. It ends when the lines do, in the middle of a job
too.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

from seqexp.runs import endings
from seqexp.sweeps.executors.cores import own_cores
from seqexp.sweeps.executors.worker import print_to_folder, work


def main() -> None:
    """Serve until the lines end."""
    cpus, asks, answers = map(int, sys.argv[1:])
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(asks, waiting), daemon=True).start()
    # JAX starts its threads once, so all jobs have the same cores.
    with own_cores(cpus):
        while True:
            job = waiting.get()
            print_to_folder(job)
            work(job, pinned=True)
            os.write(answers, b"\n")


def _read(asks: int, waiting: queue.SimpleQueue[str]) -> None:
    with open(asks, encoding="utf-8") as lines:
        for line in lines:
            waiting.put(json.loads(line))
    # The sweep has ended, or was killed: what runs here is to be gone on with by another.
    endings.end()
    os._exit(0)


if __name__ == "__main__":
    main()
