"""What a model costs: FLOPs, parameters, memory, time, depth, energy, gathered in one ledger."""

from seqexp.costs.decoding import decode_rounds, prefill_rounds
from seqexp.costs.depth import jaxpr_depth, sequential_depth
from seqexp.costs.energy import joules_since, read_counters
from seqexp.costs.flops import Flops, count, count_jaxpr
from seqexp.costs.ledger import METHODS, CostLedger
from seqexp.costs.memory import (
    carry_bytes,
    carry_bytes_by_layer,
    peak_device_bytes,
    program_bytes,
)
from seqexp.costs.model_flops import model_flops
from seqexp.costs.parameters import Parameters, count_parameters
from seqexp.costs.random_task import RandomTask
from seqexp.costs.resident import peak_resident_bytes
from seqexp.costs.timing import Timing, compile_seconds, one_run, quietest, seconds

__all__ = [
    "METHODS",
    "CostLedger",
    "Flops",
    "Parameters",
    "RandomTask",
    "Timing",
    "carry_bytes",
    "carry_bytes_by_layer",
    "compile_seconds",
    "count",
    "count_jaxpr",
    "count_parameters",
    "decode_rounds",
    "joules_since",
    "jaxpr_depth",
    "model_flops",
    "one_run",
    "peak_device_bytes",
    "peak_resident_bytes",
    "prefill_rounds",
    "program_bytes",
    "quietest",
    "read_counters",
    "seconds",
    "sequential_depth",
]
