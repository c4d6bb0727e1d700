"""Probes of how long a model remembers its inputs."""

from __future__ import annotations

import jax.numpy as jnp

from seqexp.inspection.memory_capacity import model_memory
from seqexp.inspection.perturbation import perturbation
from seqexp.inspection.probe import Found, Probe
from seqexp.types import Array, Batch, KeyArray, Model, SeqexpError, TaskSpec, Tokens

LENGTH, LAGS = 300, 100
"""Steps of the random inputs whose memory is decoded, and the longest lag."""

MOST_TOKENS = 500
"""So many tokens can be told apart by readouts that are fitted on 1,600 steps."""

FELT = 200
"""The longest lag at which a changed input is looked for."""


def memory(spec: TaskSpec) -> Probe:
    """The probe of what a linear readout of the state tells of independent inputs some steps ago:
    memory/LAYER [K + 1], and memory_capacity/LAYER."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        if isinstance(spec.inputs, Tokens) and spec.inputs.size > MOST_TOKENS:
            raise SeqexpError(
                f"{spec.inputs.size:,} tokens are more than {MOST_TOKENS}, the most that are "
                "decoded from states"
            )
        arrays: dict[str, Array] = {}
        for name, found in model_memory(model, spec, key, length=LENGTH, max_lag=LAGS).items():
            arrays[f"memory/{name}"] = found.curve
            arrays[f"memory_capacity/{name}"] = found.capacity
        return Found(arrays)

    return probe


def changed_input(spec: TaskSpec) -> Probe:
    """The probe of how long the states differ after one input is another: perturbation/LAYER
    [K + 1], the mean over sequences, changed at a quarter of their length."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        tokens = spec.inputs.size if isinstance(spec.inputs, Tokens) else None
        max_lag = min(FELT, batch.inputs.values.shape[1] - 1)
        at = jnp.asarray(batch.inputs.lengths) // 4
        found = perturbation(model, batch, at, key, max_lag=max_lag, tokens=tokens)
        return Found({f"perturbation/{name}": response.mean for name, response in found.items()})

    return probe
