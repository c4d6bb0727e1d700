"""Probes of how far gradients reach, and of the Jacobians that carry them."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from seqexp.inspection.chains import chains, without_chain
from seqexp.inspection.decay import fit_decay, lag_curve
from seqexp.inspection.gradient_by_lag import gradient_by_lag
from seqexp.inspection.layer_calls import named_layers
from seqexp.inspection.lyapunov import lyapunov_exponents
from seqexp.inspection.pascanu import pascanu_bound
from seqexp.inspection.probe import Found, Probe, each, together
from seqexp.inspection.step_jacobians import step_jacobians
from seqexp.inspection.traces import directions
from seqexp.types import Array, Batch, KeyArray, Model, Task

QUARTILES = (0.25, 0.5, 0.75)

ANSWERS = 4
"""Of the answers of each sequence, where there is one a step, so many, the last."""

SPANS = (1, 2, 4, 8, 16)
"""Steps whose Jacobians are multiplied."""

PLACES = 2
"""Places of the batch at which products of Jacobians begin."""

EXPONENTS, SEQUENCES, WARM_UP = 8, 4, 50
"""The most Lyapunov exponents of a layer, sequences they are a mean over, and steps before."""


def gradients(task: Task) -> Probe:
    """The probe of how far gradients reach back: gradient_by_lag/LAYER [3, T], the quartiles over
    answers and sequences, half_life/LAYER of the fitted decay, and pascanu_bound/LAYER [T]."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        answers = ANSWERS if task.spec.answer == "step" else 1
        arrays: dict[str, Array] = {}
        for name, (norms, valid) in gradient_by_lag(model, task, batch, answers=answers).items():
            curve = lag_curve(norms, valid, quantiles=QUARTILES)
            arrays[f"gradient_by_lag/{name}"] = curve.quantiles
            arrays[f"half_life/{name}"] = fit_decay(norms, valid).half_life
        why = {f"gradient_by_lag/{name}": why for name, why in without_chain(model).items()}
        return together(Found(arrays, why), _bounds(model, batch.inputs.values.shape[1]))

    return probe


def _bounds(model: Model, steps: int) -> Found:
    layers = {
        chain: one
        for name, layer in named_layers(model).items()
        for chain, one in directions(name, layer).items()
    }
    lags = 1 + jnp.arange(steps)
    kind = "pascanu_bound"
    return each(layers, kind, lambda name: {f"{kind}/{name}": pascanu_bound(layers[name], lags)})


def jacobians(model: Model, batch: Batch, key: KeyArray) -> Found:
    """The singular values of products of step Jacobians: jacobian/LAYER/k [n], largest first, the
    geometric mean over places of the batch."""
    steps = batch.inputs.values.shape[1]
    spans = tuple(k for k in SPANS if k <= steps)

    def ask(name: str) -> Mapping[str, Array]:
        found = step_jacobians(
            model, batch.inputs, name, key, prefix=batch.prefix, samples=PLACES, spans=spans
        )
        # NaN of a place whose sequence is too short.
        values = jnp.exp(jnp.nanmean(found.log_singular_values, axis=0))
        return {f"jacobian/{name}/{k}": values[i] for i, k in enumerate(spans)}

    return each([chain.name for chain in chains(model)], "jacobian", ask)


def lyapunov(model: Model, batch: Batch, key: KeyArray) -> Found:
    """The largest Lyapunov exponents, the mean over sequences: lyapunov/LAYER [m], nats a step, and
    largest_lyapunov/LAYER."""
    inputs = batch.inputs._replace(
        values=batch.inputs.values[:SEQUENCES], lengths=batch.inputs.lengths[:SEQUENCES]
    )
    prefix = batch.prefix
    if prefix is not None:
        prefix = prefix._replace(
            values=prefix.values[:SEQUENCES], lengths=prefix.lengths[:SEQUENCES]
        )
    warm_up = min(WARM_UP, inputs.values.shape[1] // 2)

    def ask(name: str) -> Mapping[str, Array]:
        found = lyapunov_exponents(
            model, inputs, name, key, prefix=prefix, count=EXPONENTS, warm_up=warm_up
        )
        exponents = jnp.nanmean(found.exponents, axis=0)
        return {f"lyapunov/{name}": exponents, f"largest_lyapunov/{name}": jnp.max(exponents)}

    return each([chain.name for chain in chains(model)], "lyapunov", ask)
