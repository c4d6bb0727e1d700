"""Recurrent cells, one family a file."""

from seqexp.cells.antisymmetric import AntisymmetricRNN
from seqexp.cells.cornn import CoRNN
from seqexp.cells.elman import Elman
from seqexp.cells.exprnn import ExpRNN
from seqexp.cells.gru import GRU
from seqexp.cells.indrnn import IndRNN
from seqexp.cells.lem import LEM
from seqexp.cells.lmu import LMU
from seqexp.cells.lstm import LSTM
from seqexp.cells.mgu import MGU
from seqexp.cells.qrnn import QRNN
from seqexp.cells.slstm import SLSTM
from seqexp.cells.sru import SRU
from seqexp.cells.ugrnn import UGRNN

__all__ = [
    "GRU",
    "LEM",
    "LMU",
    "LSTM",
    "MGU",
    "QRNN",
    "SLSTM",
    "SRU",
    "UGRNN",
    "AntisymmetricRNN",
    "CoRNN",
    "Elman",
    "ExpRNN",
    "IndRNN",
]
