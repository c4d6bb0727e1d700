"""Sweeps: from composed configs to finished runs."""

from seqexp.sweeps.execute import execute, recorded
from seqexp.sweeps.outcome import Outcome
from seqexp.sweeps.point import Point

__all__ = ["Outcome", "Point", "execute", "recorded"]
