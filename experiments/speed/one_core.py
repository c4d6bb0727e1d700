"""A training loop in a process of its own on one core, which runs when it is told to.

Usage: one_core.py WHO CELL STEPS MEMBERS CORE
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from shapes import Cell


class OneCore:
    """Loops of one kind in processes of their own, each on one core.

    Args:
        who: "seqexp", "torch" or "flax".
        cell: what is trained.
        steps: of each member in a run.
        members: of each process.
        cores: one process on each.
    """

    def __init__(self, who: str, cell: Cell, steps: int, members: int, cores: list[int]):
        self._children = [
            subprocess.Popen(
                [sys.executable, __file__, who, cell, str(steps), str(members), str(core)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for core in cores
        ]

    def run(self) -> float:
        """All of them at once, each so many steps; their mean loss."""
        for child in self._children:
            assert child.stdin is not None
            child.stdin.write("run\n")
            child.stdin.flush()
        return sum(_answer(child) for child in self._children) / len(self._children)

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            assert child.stdin is not None
            child.stdin.close()
            child.wait()


def _answer(child: Any) -> float:
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"the process on one core ended with code {child.wait()}")
    return float(line)


def _serve(who: str, cell: Any, steps: int, members: int) -> None:
    from loops import FlaxLoop, Loop, OursLoop, TorchLoop

    loop: Loop
    if who == "seqexp":
        loop = OursLoop(cell, steps, members)
    elif who == "torch":
        loop = TorchLoop(cell, steps, threads=1)
    else:
        loop = FlaxLoop(cell, steps)
    loop.run()
    for _ in sys.stdin:
        print(loop.run(), flush=True)


if __name__ == "__main__":
    WHO, CELL, STEPS, MEMBERS, CORE = sys.argv[1:]
    # Before jax and torch start: both count the cores they may use.
    os.sched_setaffinity(0, {int(CORE)})
    _serve(WHO, CELL, int(STEPS), int(MEMBERS))
