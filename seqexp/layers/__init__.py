"""Layers: what a stack is made of. Cells run over time, convolutions, attention, and what stands
around them: dropout, both directions, blocks, the stack itself."""

from seqexp.layers.attention import Attention
from seqexp.layers.bidirectional import Bidirectional
from seqexp.layers.block import Block
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.delta_net import DeltaNet
from seqexp.layers.drop_connect import DropConnect
from seqexp.layers.dropout import dropout
from seqexp.layers.gated_delta_net import GatedDeltaNet
from seqexp.layers.gated_linear_attention import GatedLinearAttention
from seqexp.layers.kimi_delta_attention import KimiDeltaAttention
from seqexp.layers.linear import Linear
from seqexp.layers.linear_attention import LinearAttention
from seqexp.layers.lru import LRU
from seqexp.layers.mamba import Mamba
from seqexp.layers.mamba2 import Mamba2
from seqexp.layers.min_gru import MinGRU
from seqexp.layers.min_lstm import MinLSTM
from seqexp.layers.mlp import MLP
from seqexp.layers.mlstm import MLSTM
from seqexp.layers.recurrent import Recurrent
from seqexp.layers.recurrent_dropout import RecurrentDropout
from seqexp.layers.recurrent_layer import recurrent_layer
from seqexp.layers.retention import Retention
from seqexp.layers.rg_lru import RGLRU
from seqexp.layers.rwkv7 import RWKV7
from seqexp.layers.rwkv7_channel_mixing import RWKV7ChannelMixing
from seqexp.layers.s4d import S4D
from seqexp.layers.s5 import S5
from seqexp.layers.stack import Stack
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.layers.tcn import TCN
from seqexp.layers.variational import Variational
from seqexp.layers.zoneout import Zoneout

__all__ = [
    "Attention",
    "Bidirectional",
    "Block",
    "CausalConvolution",
    "DeltaNet",
    "DropConnect",
    "GatedDeltaNet",
    "GatedLinearAttention",
    "KimiDeltaAttention",
    "LRU",
    "Linear",
    "LinearAttention",
    "MLP",
    "MLSTM",
    "Mamba",
    "Mamba2",
    "MinGRU",
    "MinLSTM",
    "RGLRU",
    "RWKV7",
    "RWKV7ChannelMixing",
    "Recurrent",
    "RecurrentDropout",
    "Retention",
    "S4D",
    "S5",
    "Stack",
    "StepwiseLayer",
    "TCN",
    "Variational",
    "Zoneout",
    "dropout",
    "recurrent_layer",
]
