"""The probe of a step of training: how large gradients, updates and parameters are, by part."""

from __future__ import annotations

from typing import Any

import jax
import optax
from flax import nnx

from seqexp.inspection.part_norms import norms_by_part, training_norms
from seqexp.inspection.probe import Found, Probe
from seqexp.training import Experiment, Hyper
from seqexp.training.step import loss_and_sums
from seqexp.types import Array, Batch, KeyArray, Model


def training_norms_of(
    experiment: Experiment, hyper: Hyper, step: Array, optimizer_state: optax.OptState | None
) -> Probe:
    """The probe of the step that training would take on a batch, at evaluation.

        gradient_norm/PART, before clipping; parameter_norm/PART;
        update_norm/PART and update_ratio/PART = update_norm / parameter_norm

    Args:
        experiment: what is trained.
        hyper: with what learning rate and the like.
        step: steps of training that are done.
        optimizer_state: after them; None where it is not known, and with it the update.
    """

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        graphdef, params = nnx.split(model)

        def loss(params: Any) -> Array:
            return loss_and_sums(experiment, graphdef, params, batch, None)[0]

        gradients = jax.grad(loss)(params)
        if optimizer_state is None:
            sizes = {"gradient": norms_by_part(gradients), "parameter": norms_by_part(params)}
            why = "the state of the optimizer is not kept beside the best weights"
            missing = {"update_norm": why, "update_ratio": why}
            return Found(_named(sizes), missing)
        rule = experiment.optimizer.transformation(hyper, step / experiment.steps)
        updates, _ = rule.update(gradients, optimizer_state, params)
        norms = training_norms(gradients, updates, params)
        ratios = {f"update_ratio/{part}": ratio for part, ratio in norms.ratio.items()}
        sizes = {name: getattr(norms, name) for name in ("gradient", "update", "parameter")}
        return Found({**_named(sizes), **ratios})

    return probe


def _named(sizes: dict[str, Any]) -> dict[str, Array]:
    return {f"{of}_norm/{part}": norm for of, by in sizes.items() for part, norm in by.items()}
