"""What the speed study beside this one lends: contestants in turns, and the processor's name."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "speed"))
rows, timing = import_module("rows"), import_module("timing")

cpu = rows.cpu
Budget, Contestant, interleaved = timing.Budget, timing.Contestant, timing.interleaved
