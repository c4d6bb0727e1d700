"""One training step of one member, pure: `(state, batch) -> (state, metrics)`."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from seqexp.training.experiment import Experiment
from seqexp.training.hyper import Hyper
from seqexp.training.mesh import summed
from seqexp.training.precision import with_products_in
from seqexp.training.stateful import require_stateful
from seqexp.types import Array, Batch, Carry, Mean, Prediction, Sums

INIT, DATA, DROPOUT, SAMPLE = range(4)


class MemberState(NamedTuple):
    """What training one member carries from step to step.

    Attributes:
        params: the parameters, as the state of an nnx module.
        opt_state: the optimizer's.
        best_params: the parameters at the best validation score so far.
        step: int32, steps done.
        alive: False once the loss or a gradient was not finite; the state then stays as it was.
        carry: of a stateful task, the model's behind the last batch; () elsewhere.
    """

    params: Any
    opt_state: Any
    best_params: Any
    step: Array
    alive: Array
    carry: Any = ()


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
    """The model with the parameters that a seed draws.

    Raises SeqexpError for a model that cannot be trained on a stateful task.
    """
    rngs, spec = nnx.Rngs(params=member_key(seed, INIT)), experiment.task.spec
    model = experiment.model(spec, rngs=rngs)
    if spec.stateful:
        require_stateful(model)
    return model


def graph(experiment: Experiment) -> nnx.GraphDef:
    """The model without its arrays; traces the model, computes nothing."""
    return nnx.graphdef(nnx.eval_shape(lambda: build(experiment, 0)))


def outline(experiment: Experiment) -> tuple[nnx.GraphDef, MemberState]:
    """The model without its arrays, and a member of which shapes stand for arrays; traces the model
    once, computes nothing."""
    found: list[nnx.GraphDef] = []

    def member() -> MemberState:
        model = build(experiment, 0)
        found.append(nnx.graphdef(model))
        return _member(experiment, Hyper.example(), model)

    state = jax.eval_shape(member)
    return found[0], state


def init_member(experiment: Experiment, hyper: Hyper) -> MemberState:
    """A member before its first step."""
    return _member(experiment, hyper, build(experiment, hyper.seed))


def _member(experiment: Experiment, hyper: Hyper, model: Any) -> MemberState:
    params = nnx.state(model)
    rule = experiment.optimizer.transformation(hyper, jnp.zeros(()))
    opt_state = rule.init(params)
    stateful = experiment.task.spec.stateful
    carry = model.initial_carry(experiment.batch_size) if stateful else ()
    return MemberState(params, opt_state, params, jnp.int32(0), jnp.bool_(True), carry)


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
    return _mean_loss(experiment, prediction, batch, batch_axis)


def _mean_loss(
    experiment: Experiment, prediction: Prediction, batch: Batch, batch_axis: str | None
) -> tuple[Array, Sums]:
    sums = experiment.task.measure(prediction, batch)
    weight = sums["loss"].weight
    if batch_axis is not None:
        weight = jax.lax.psum(weight, batch_axis)
    nothing = weight == 0
    mean = sums["loss"].total / jnp.where(nothing, 1, weight)
    return jnp.where(nothing, 0, mean), sums


def _read_on(
    graphdef: nnx.GraphDef,
    params: Any,
    batch: Batch,
    carry: Carry,
    continues: Array | bool,
    key: Array,
) -> tuple[Prediction, Carry]:
    """What a model gives for a batch that continues the one before it, or begins anew."""
    model = nnx.merge(graphdef, params)
    empty = model.initial_carry(batch.inputs.lengths.shape[0])
    before = jax.tree.map(partial(jnp.where, continues), carry, empty)
    return model.read(batch.inputs, before, key=key)


def train_step(
    experiment: Experiment,
    graphdef: nnx.GraphDef,
    state: MemberState,
    hyper: Hyper,
    batch: Batch,
    batch_axis: str | None = None,
    continues: Array | bool = True,
) -> tuple[MemberState, Measured]:
    """One update.

    Of a stateful task the gradient stops at the carry that the batch is read from (truncated
    backpropagation through time, Williams and Peng 1990, https://doi.org/10.1162/neco.1990.2.4.490).

    Args:
        batch: this device's part of the batch: all of it where `batch_axis` is None. So of a carry.
        continues: whether the batch of a stateful task continues the one before it.

    Returns:
        The state after the step (as before it, but no longer alive, if the loss or the gradient is
        not finite), and what was measured of the whole batch.
    """
    key = jax.random.fold_in(member_key(hyper.seed, DROPOUT), state.step)
    if batch_axis is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(batch_axis))

    def loss(params):
        if not experiment.task.spec.stateful:
            mean, sums = loss_and_sums(experiment, graphdef, params, batch, key, batch_axis)
            return mean, (sums, ())
        prediction, carry = _read_on(graphdef, params, batch, state.carry, continues, key)
        mean, sums = _mean_loss(experiment, prediction, batch, batch_axis)
        return mean, (sums, carry)

    gradient = with_products_in(experiment.precision, jax.grad(loss, has_aux=True))
    grads, (sums, carry) = gradient(state.params)
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
        carry=keep(carry, state.carry),
    )
    return state, Measured(dict(sums), norms)
