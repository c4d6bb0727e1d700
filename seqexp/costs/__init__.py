"""What a model costs: FLOPs, parameters, memory, time and latency, gathered in one ledger."""

from seqexp.costs.decoding import decode_seconds
from seqexp.costs.flops import Flops, count, count_jaxpr
from seqexp.costs.ledger import METHODS, CostLedger
from seqexp.costs.matching import Match, match_width
from seqexp.costs.memory import carry_bytes, program_bytes
from seqexp.costs.parameters import Parameters, count_parameters
from seqexp.costs.timing import Timing, compile_seconds, seconds

__all__ = [
    "METHODS",
    "CostLedger",
    "Flops",
    "Match",
    "Parameters",
    "Timing",
    "carry_bytes",
    "compile_seconds",
    "count",
    "count_jaxpr",
    "count_parameters",
    "decode_seconds",
    "match_width",
    "program_bytes",
    "seconds",
]
