"""The cost ledger: every cost of a model, each with how it was obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seqexp.types import SeqexpError

METHODS: Mapping[str, str] = {
    "parameters": "Sizes of all trained arrays, shared ones once.",
    "recurrent_parameters": "Sizes of the trained arrays named recurrent.",
    "embedding_parameters": "Sizes of the token table.",
    "readout_parameters": "Sizes of the last layer's arrays.",
    "carry_bytes": "Bytes of one sequence's carry between two steps, from its shapes.",
    "inference_flops_per_token": "Counted on the jaxpr of a forward pass, over its true steps.",
    "training_flops_per_token": "Counted on the jaxpr of a training step, over its true steps.",
    "slice_width": "Members that a device trains side by side, the fastest of those tried.",
    "step_seconds": "Median wall clock of a compiled training step, waited for; of a slice of "
    "members side by side, over their number.",
    "step_seconds_q25": "Lower quartile of the same runs.",
    "step_seconds_q75": "Upper quartile of the same runs.",
    "step_seconds_at_width": "The step_seconds of each slice width that was tried.",
    "tokens_per_second": "True steps in a batch over the median seconds of its training step.",
    "compile_seconds": "Wall clock of compiling the training step, no compilation cache.",
    "program_bytes": "XLA's plan for a slice's training program on one device: arguments + "
    "outputs + temporaries - aliased buffers.",
    "decode_seconds_per_token": "Median wall clock of one compiled step at batch size 1.",
}


@dataclass(frozen=True, kw_only=True)
class CostLedger:
    """What a model costs. None means not measured; `methods` says how each figure is obtained."""

    parameters: int | None = None
    recurrent_parameters: int | None = None
    embedding_parameters: int | None = None
    readout_parameters: int | None = None
    carry_bytes: int | None = None
    inference_flops_per_token: float | None = None
    training_flops_per_token: float | None = None
    slice_width: int | None = None
    step_seconds: float | None = None
    step_seconds_q25: float | None = None
    step_seconds_q75: float | None = None
    step_seconds_at_width: Mapping[str, float] | None = None
    tokens_per_second: float | None = None
    compile_seconds: float | None = None
    program_bytes: int | None = None
    decode_seconds_per_token: float | None = None
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
        if odd := sorted(known ^ record.keys()):
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
