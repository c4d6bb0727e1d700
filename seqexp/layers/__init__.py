"""Layers: cells run over time, wrapped in dropout, in both directions, on top of each other."""

from seqexp.layers.bidirectional import Bidirectional
from seqexp.layers.drop_connect import DropConnect
from seqexp.layers.dropout import dropout
from seqexp.layers.recurrent import Recurrent
from seqexp.layers.recurrent_dropout import RecurrentDropout
from seqexp.layers.recurrent_layer import recurrent_layer
from seqexp.layers.stack import Stack
from seqexp.layers.variational import Variational
from seqexp.layers.zoneout import Zoneout

__all__ = [
    "Bidirectional",
    "DropConnect",
    "Recurrent",
    "RecurrentDropout",
    "Stack",
    "Variational",
    "Zoneout",
    "dropout",
    "recurrent_layer",
]
