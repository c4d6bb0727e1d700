"""The cost ledger: every cost of a model, each with how it was obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seqexp.types import SeqexpError

METHODS: Mapping[str, str] = {
    "parameters": "Sizes of all trained arrays, shared ones once.",
    "recurrent_parameters": "Sizes of the trained arrays that multiply the previous output or "
    "state.",
    "embedding_parameters": "Sizes of the token tables.",
    "readout_parameters": "Sizes of the last layer's arrays.",
    "context_length": "Steps of a sequence as the task pads its validation split: the length at "
    "which the carry and what inference costs are told.",
    "carry_bytes": "Bytes of one sequence's carry behind context_length steps, from its shapes.",
    "carry_bytes_by_layer": "The same by place in the carry: 0.l is layer l, 1 the pooling.",
    "model_inference_flops_per_token": "Of the equations: a forward pass in which each layer steps "
    "over one sequence of the validation split's mean length, unpadded, counted on its jaxpr; over "
    "its steps.",
    "model_training_flops_per_token": "3 times such a forward pass at training's mean length, the "
    "convention of Kaplan et al. 2020; loss and optimizer left out.",
    "decode_flops_per_token": "Counted on the jaxpr of one step at batch size 1.",
    "inference_flops_per_token": "Those of a batch over its true steps in the mean.",
    "training_flops_per_token": "Those of a step over the true steps of a training batch in the "
    "mean: of all examples where they are finite, of 16 batches otherwise.",
    "model_inference_flops_per_step": "Those of a token times the true steps in such a batch.",
    "model_training_flops_per_step": "Those of a token times the true steps in a training batch.",
    "inference_flops_per_step": "Counted on the jaxpr of a forward pass of a batch as large as in "
    "training, at the validation split's padded length: padding and what is computed again are in "
    "it.",
    "training_flops_per_step": "Counted on the jaxpr of a training step on a training batch, from "
    "its loss to the update: padding and what is computed again are in it.",
    "training_flops_by_kind": "The same: matrix products, convolutions, other arithmetic, and "
    "functions such as exp and tanh.",
    "inference_sequential_depth": "Operations on arrays in the longest chain, each waiting for the "
    "one before, of a forward pass; on its jaxpr.",
    "training_sequential_depth": "Operations on arrays in the longest chain, each waiting for the "
    "one before, of a training step; on its jaxpr.",
    "padding_share": "Steps of training batches that are padding, over all; filled-up batches too.",
    "slice_width": "Members that a device trains side by side, the fastest of those tried.",
    "compile_seconds": "Wall clock of compiling the training step, no compilation cache.",
    "first_step_seconds": "Wall clock of the first training step after compilation; of a slice of "
    "members side by side.",
    "step_seconds": "Median wall clock of a compiled training step, waited for; of a slice of "
    "members side by side, over their number.",
    "step_seconds_q25": "Lower quartile of the same runs.",
    "step_seconds_q75": "Upper quartile of the same runs.",
    "step_seconds_at_width": "The step_seconds of each slice width that was tried.",
    "tokens_per_second": "True steps in a training batch over the median seconds of its step.",
    "prefill_seconds": "Wall clock of a compiled forward pass over one whole sequence of "
    "context_length: the median of about a millisecond of passes, the least of many such.",
    "prefill_tokens_per_second": "context_length over prefill_seconds.",
    "decode_seconds_per_token": "Wall clock of one compiled step at batch size 1: the median of "
    "100 steps, the least of many such.",
    "decode_tokens_per_second": "32 over the same wall clock of a step at batch size 32.",
    "program_bytes": "XLA's plan for a slice's training program on one device: arguments + "
    "outputs + temporaries - aliased buffers.",
    "peak_device_bytes": "The allocator's peak on one device after training steps; null on a CPU, "
    "and where an earlier program of the process held more.",
    "peak_resident_bytes": "Peak resident set of a process of its own that builds the training "
    "program and takes a few steps on random data, Python and compiler included, and the states "
    "and data of a second device where one rests; measured with peak_memory=true and by seqexp "
    "cost.",
    "step_joules": "Energy of all processor packages by their RAPL counters over training steps, "
    "over their number and the members side by side.",
}


LATER = ("reasons", "padding_share")
"""What the first ledgers did not have."""


@dataclass(frozen=True, kw_only=True)
class CostLedger:
    """What a model costs. None means not measured; `methods` says how each figure is obtained, and
    `reasons` why one could not be.

    "model" FLOPs are those of the equations, all others those of the programs that are run.
    """

    parameters: int | None = None
    recurrent_parameters: int | None = None
    embedding_parameters: int | None = None
    readout_parameters: int | None = None
    context_length: int | None = None
    carry_bytes: int | None = None
    carry_bytes_by_layer: Mapping[str, int] | None = None
    model_inference_flops_per_token: float | None = None
    model_training_flops_per_token: float | None = None
    decode_flops_per_token: int | None = None
    inference_flops_per_token: float | None = None
    training_flops_per_token: float | None = None
    model_inference_flops_per_step: float | None = None
    model_training_flops_per_step: float | None = None
    inference_flops_per_step: int | None = None
    training_flops_per_step: int | None = None
    training_flops_by_kind: Mapping[str, int] | None = None
    inference_sequential_depth: int | None = None
    training_sequential_depth: int | None = None
    padding_share: float | None = None
    slice_width: int | None = None
    compile_seconds: float | None = None
    first_step_seconds: float | None = None
    step_seconds: float | None = None
    step_seconds_q25: float | None = None
    step_seconds_q75: float | None = None
    step_seconds_at_width: Mapping[str, float] | None = None
    tokens_per_second: float | None = None
    prefill_seconds: float | None = None
    prefill_tokens_per_second: float | None = None
    decode_seconds_per_token: float | None = None
    decode_tokens_per_second: float | None = None
    program_bytes: int | None = None
    peak_device_bytes: int | None = None
    peak_resident_bytes: int | None = None
    step_joules: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=lambda: dict(METHODS))

    def to_json(self) -> dict[str, Any]:
        """A JSON object of all fields; null is what was not measured."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CostLedger:
        """The ledger that `to_json` wrote.

        Raises:
            SeqexpError: for figures that are missing or unknown.
        """
        known = {f.name for f in fields(cls)}
        if odd := sorted((known ^ record.keys()) - (set(LATER) - record.keys())):
            raise SeqexpError(
                f"not a cost ledger of this version, missing or unknown are {', '.join(odd)}: "
                "read it with the version that wrote it, or measure again"
            )
        return cls(**record)

    def summary(self) -> dict[str, int | float]:
        """The measured figures by their names under `cost/`, for a run's summary."""
        return {
            f"cost/{name}": value
            for name, value in asdict(self).items()
            if isinstance(value, int | float)
        }
