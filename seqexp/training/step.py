"""One training step of one member, pure: `(state, batch) -> (state, metrics)`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from seqexp.training.experiment import Experiment
from seqexp.training.hyper import Hyper
from seqexp.training.mesh import summed
from seqexp.types import Array, Batch, Mean, Sums

INIT, DATA, DROPOUT, SAMPLE = range(4)


class MemberState(NamedTuple):
    """What training one member carries from step to step.

    Attributes:
        params: the parameters, as the state of an nnx module.
        opt_state: the optimizer's.
        best_params: the parameters at the best validation score so far.
        step: int32, steps done.
        alive: False once the loss or a gradient was not finite; the state then stays as it was.
    """

    params: Any
    opt_state: Any
    best_params: Any
    step: Array
    alive: Array


class Measured(NamedTuple):
    """What a training step measures, or several steps in sum.

    Attributes:
        sums: what the task measures.
        norms: of gradient, update and parameters.
    """

    sums: Sums
    norms: dict[str, Mean]


def member_key(seed: Array | int, use: int) -> Array:
    """The key of one use (INIT, DATA, DROPOUT or SAMPLE) of a member's seed."""
    return jax.random.fold_in(jax.random.key(seed), use)


def build(experiment: Experiment, seed: Array | int) -> Any:
    """The model with the parameters that a seed draws."""
    rngs = nnx.Rngs(params=member_key(seed, INIT))
    return experiment.model(experiment.task.spec, rngs=rngs)


def graph(experiment: Experiment) -> nnx.GraphDef:
    """The model without its arrays; traces the model, computes nothing."""
    return nnx.graphdef(nnx.eval_shape(lambda: build(experiment, 0)))


def init_member(experiment: Experiment, hyper: Hyper) -> MemberState:
    """A member before its first step."""
    params = nnx.state(build(experiment, hyper.seed))
    rule = experiment.optimizer.transformation(hyper, jnp.zeros(()))
    opt_state = rule.init(params)
    return MemberState(params, opt_state, params, jnp.int32(0), jnp.bool_(True))


def loss_and_sums(
    experiment: Experiment,
    graphdef: nnx.GraphDef,
    params: Any,
    batch: Batch,
    key: Array | None,
    batch_axis: str | None = None,
) -> tuple[Array, Sums]:
    """The mean training loss of a batch, and all sums of this device's part of it.

    The mean is total / weight, whatever the scale of the weights; 0 where nothing weighs.

    Where the batch is split over the devices of `batch_axis`, the loss is this device's share of
    the mean: shares and their gradients sum to those of the whole batch.
    """
    prediction = nnx.merge(graphdef, params)(batch.inputs, batch.prefix, key=key)
    sums = experiment.task.measure(prediction, batch)
    weight = sums["loss"].weight
    if batch_axis is not None:
        weight = jax.lax.psum(weight, batch_axis)
    nothing = weight == 0
    mean = sums["loss"].total / jnp.where(nothing, 1, weight)
    return jnp.where(nothing, 0, mean), sums


def train_step(
    experiment: Experiment,
    graphdef: nnx.GraphDef,
    state: MemberState,
    hyper: Hyper,
    batch: Batch,
    batch_axis: str | None = None,
) -> tuple[MemberState, Measured]:
    """One update.

    Args:
        batch: this device's part of the batch: all of it where `batch_axis` is None.

    Returns:
        The state after the step (as before it, but no longer alive, if the loss or the gradient is
        not finite), and what was measured of the whole batch.
    """
    key = jax.random.fold_in(member_key(hyper.seed, DROPOUT), state.step)
    if batch_axis is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(batch_axis))

    def loss(params):
        return loss_and_sums(experiment, graphdef, params, batch, key, batch_axis)

    grads, sums = jax.grad(loss, has_aux=True)(state.params)
    if batch_axis is not None:
        grads, sums = summed((grads, sums), batch_axis)
    progress = state.step / experiment.steps
    rule = experiment.optimizer.transformation(hyper, progress)
    updates, opt_state = rule.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    grad_norm = optax.tree.norm(grads)
    finite = jnp.isfinite(sums["loss"].total) & jnp.isfinite(grad_norm)
    one = jnp.ones(())
    norms = {
        "grad_norm": Mean(grad_norm, one),
        "update_norm": Mean(optax.tree.norm(updates), one),
        "parameter_norm": Mean(optax.tree.norm(params), one),
    }

    def keep(new, old):
        return jax.tree.map(lambda n, o: jnp.where(finite, n, o), new, old)

    state = state._replace(
        params=keep(params, state.params),
        opt_state=keep(opt_state, state.opt_state),
        step=state.step + finite,
        alive=state.alive & finite,
    )
    return state, Measured(dict(sums), norms)
