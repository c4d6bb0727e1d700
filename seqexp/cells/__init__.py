"""Recurrent cells, one family a file."""

from seqexp.cells.elman import Elman
from seqexp.cells.gru import GRU
from seqexp.cells.lmu import LMU
from seqexp.cells.lstm import LSTM

__all__ = ["GRU", "LMU", "LSTM", "Elman"]
