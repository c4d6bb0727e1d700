"""Layers: what a stack is made of. Cells run over time, convolutions, attention, and what stands
around them: dropout, both directions, blocks, the stack itself."""

from seqexp.layers.attention import Attention
from seqexp.layers.bidirectional import Bidirectional
from seqexp.layers.block import Block
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.drop_connect import DropConnect
from seqexp.layers.dropout import dropout
from seqexp.layers.lru import LRU
from seqexp.layers.mamba import Mamba
from seqexp.layers.min_gru import MinGRU
from seqexp.layers.min_lstm import MinLSTM
from seqexp.layers.mlp import MLP
from seqexp.layers.recurrent import Recurrent
from seqexp.layers.recurrent_dropout import RecurrentDropout
from seqexp.layers.recurrent_layer import recurrent_layer
from seqexp.layers.rg_lru import RGLRU
from seqexp.layers.s4d import S4D
from seqexp.layers.s5 import S5
from seqexp.layers.stack import Stack
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.layers.tcn import TCN
from seqexp.layers.variational import Variational
from seqexp.layers.zoneout import Zoneout

__all__ = [
    "LRU",
    "MLP",
    "RGLRU",
    "S4D",
    "S5",
    "TCN",
    "Attention",
    "Bidirectional",
    "Block",
    "CausalConvolution",
    "DropConnect",
    "Mamba",
    "MinGRU",
    "MinLSTM",
    "Recurrent",
    "RecurrentDropout",
    "Stack",
    "StepwiseLayer",
    "Variational",
    "Zoneout",
    "dropout",
    "recurrent_layer",
]
