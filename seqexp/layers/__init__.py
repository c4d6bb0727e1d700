"""Layers: what a stack is made of. Cells run over time, convolutions, attention, and what stands
around them: dropout, both directions, blocks, the stack itself."""

from seqexp.layers.attention import Attention
from seqexp.layers.bidirectional import Bidirectional
from seqexp.layers.block import Block
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.drop_connect import DropConnect
from seqexp.layers.dropout import dropout
from seqexp.layers.mlp import MLP
from seqexp.layers.recurrent import Recurrent
from seqexp.layers.recurrent_dropout import RecurrentDropout
from seqexp.layers.recurrent_layer import recurrent_layer
from seqexp.layers.stack import Stack
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.layers.tcn import TCN
from seqexp.layers.variational import Variational
from seqexp.layers.zoneout import Zoneout

__all__ = [
    "MLP",
    "TCN",
    "Attention",
    "Bidirectional",
    "Block",
    "CausalConvolution",
    "DropConnect",
    "Recurrent",
    "RecurrentDropout",
    "Stack",
    "StepwiseLayer",
    "Variational",
    "Zoneout",
    "dropout",
    "recurrent_layer",
]
