"""Probes of what the layers of a model compute: states, gates, and the dimensions they use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp

from seqexp.cells.protocol import Activation, activation_kinds
from seqexp.inspection.dimensionality import effective_rank, participation_ratio, state_spectrum
from seqexp.inspection.fixed_batch import cut
from seqexp.inspection.hidden_states import states_of
from seqexp.inspection.histograms import histogram_over_time
from seqexp.inspection.layer_calls import LayerCall, layer_calls
from seqexp.inspection.probe import Found, each, together
from seqexp.inspection.saturation import at_bounds, dead_units, saturated_units
from seqexp.inspection.time_constants import time_constants
from seqexp.inspection.traces import Trace, directions, layer_traces
from seqexp.types import Array, Batch, KeyArray, Model, SeqexpError


def states(model: Model, batch: Batch, key: KeyArray) -> Found:
    """What each layer gives and the gates in it, of the first steps, in one pass.

        hidden/LAYER [B, T, P], spectrum/LAYER, effective_rank/LAYER, participation_ratio/LAYER,
        dead/LAYER; activation/LAYER/NAME [B, T, H] and bounds/LAYER/NAME [2],
        histogram/LAYER/NAME [T, bins] where both bounds are finite, time_constants/LAYER [H] of
        the gate that keeps the state, saturated/LAYER

    "saturated" is the share of units that are saturated in an activation that is no gate, such as
    the candidate of an LSTM; a gate at its bounds is a gate that is open or closed.

    Raises:
        SeqexpError: for a model without layers.
    """
    short = cut(batch)
    calls = layer_calls(model, lambda watched: watched(short.inputs, short.prefix))
    return together(
        each(calls, "hidden", lambda name: _hidden(name, calls[name])),
        *(_gates(name, call) for name, call in calls.items()),
    )


def _hidden(name: str, call: LayerCall) -> Mapping[str, Array]:
    values, mask = states_of(call)
    spectrum = state_spectrum(values.astype(jnp.float32), mask)
    return {
        f"hidden/{name}": values,
        f"spectrum/{name}": spectrum,
        f"effective_rank/{name}": effective_rank(spectrum),
        f"participation_ratio/{name}": participation_ratio(spectrum),
        f"dead/{name}": jnp.mean(dead_units(values, mask)),
    }


def _gates(name: str, call: LayerCall) -> Found:
    kinds = {chain: activation_kinds(one) for chain, one in directions(name, call.layer).items()}
    if not any(kinds.values()):
        kind = type(call.layer).__name__
        return Found({}, {f"activation/{name}": f"a {kind} layer tells no activations of its own"})
    try:
        traced = layer_traces(name, call)
    except SeqexpError as error:
        return Found({}, {f"activation/{name}": str(error)})
    return together(*(_of_chain(chain, trace, kinds[chain]) for chain, trace in traced.items()))


def _of_chain(chain: str, trace: Trace, kinds: Mapping[str, Activation]) -> Found:
    arrays: dict[str, Array] = {}
    for gate, values in trace.activations.items():
        arrays[f"activation/{chain}/{gate}"] = values
        arrays[f"bounds/{chain}/{gate}"] = jnp.array([kinds[gate].low, kinds[gate].high])
        if kinds[gate].keeps:
            arrays[f"time_constants/{chain}"] = time_constants(values, trace.mask)
    saturated = []
    # Those with the same bounds at once, so that there is less to compile.
    for low, high in dict.fromkeys(k[:2] for k in kinds.values() if _is_bounded(k)):
        gates = [gate for gate, kind in kinds.items() if (kind.low, kind.high) == (low, high)]
        values = jnp.stack([trace.activations[gate] for gate in gates])
        histograms = jax.vmap(partial(histogram_over_time, mask=trace.mask, low=low, high=high))
        for gate, histogram in zip(gates, histograms(values), strict=True):
            arrays[f"histogram/{chain}/{gate}"] = histogram
        if low < 0:
            shares = jax.vmap(partial(at_bounds, mask=trace.mask, kind=Activation(low, high)))
            saturated.append(jnp.any(jax.vmap(saturated_units)(shares(values)), axis=0))
    if not saturated:
        why = "none of its activations has bounds on both sides of 0"
        return Found(arrays, {f"saturated/{chain}": why})
    share = jnp.mean(jnp.any(jnp.stack(saturated), axis=0))
    return Found({**arrays, f"saturated/{chain}": share})


def _is_bounded(kind: Activation) -> bool:
    return math.isfinite(kind.low) and math.isfinite(kind.high)
