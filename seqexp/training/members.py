"""What the programs of a group compute for one member, or for several side by side; all pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.training.batches import tokens
from seqexp.training.decoding import decoded
from seqexp.training.experiment import Experiment
from seqexp.training.hyper import Hyper
from seqexp.training.precision import with_products_in
from seqexp.training.step import (
    DATA,
    Measured,
    MemberState,
    member_key,
    train_step,
)
from seqexp.types import Array, Batch, Bucket, Prediction, Sequences, Stream, Sums


class Advanced(NamedTuple):
    """What training steps return beside the state, summed over the steps.

    Attributes:
        measured: by `train_step`.
        examples: uint32, trained on; not those of a step that diverged.
        tokens: uint32, true steps of them.
    """

    measured: Measured
    examples: Array
    tokens: Array


class Training(NamedTuple):
    """How to take a step.

    Attributes:
        batch_axis: of the mesh that a member's batch is split over; None for no splitting.
        batch_devices: how many devices share it.
    """

    experiment: Experiment
    graphdef: nnx.GraphDef
    batch_axis: str | None
    batch_devices: int

    @property
    def stateful(self) -> bool:
        """Whether a batch is read from the carry behind the one before it."""
        return self.experiment.task.spec.stateful

    def step(
        self,
        bucket: Bucket,
        key: Array,
        plan: Any,
        hyper: Hyper,
        state: MemberState,
        stream: Stream,
    ) -> tuple[MemberState, Advanced]:
        """One step of a member, on its batch of a bucket."""
        batch = stream.batch(plan, key, state.step, bucket)
        count = tokens(batch).astype(jnp.uint32)
        real = jnp.sum(batch.inputs.lengths > 0, dtype=jnp.uint32)
        if self.batch_axis is not None:
            batch = self._own(batch, bucket.batch_size, self.batch_axis)
        continues = self.stateful and stream.continues(state.step, bucket.batch_size)
        state, measured = train_step(
            self.experiment, self.graphdef, state, hyper, batch, self.batch_axis, continues
        )
        examples = jnp.where(state.alive, real, 0).astype(jnp.uint32)
        return state, Advanced(measured, examples, count)

    def advance(
        self, state: MemberState, hyper: Hyper, until: Array, stream: Stream
    ) -> tuple[MemberState, Advanced]:
        """Train one member up to step `until` or divergence."""
        size, most, first = self.experiment.batch_size, self.experiment.most_steps, state.step
        key = member_key(hyper.seed, DATA)
        plan = _if_working(first < until, lambda: stream.plan(key, first, most, size))
        branches = [
            partial(self.step, bucket, key, plan, hyper, stream=stream)
            for bucket in stream.buckets(size)
        ]
        one = branches[0]
        if len(branches) > 1:
            order = stream.order(first, most, size)

            def one(state: MemberState) -> tuple[MemberState, Advanced]:
                return jax.lax.switch(order[state.step - first], branches, state)

        def more(loop: Any) -> Array:
            return (loop[0].step < until) & loop[0].alive

        def body(loop: Any) -> Any:
            state, sums = loop
            state, given = one(state)
            return state, jax.tree.map(jnp.add, sums, given)

        if self.batch_axis is None or not self.stateful:
            return jax.lax.while_loop(more, body, (state, _zeros(one, state)))
        # Between calls each device has the carry of the whole batch, as it has all of a state.
        state = state._replace(carry=self._own(state.carry, size, self.batch_axis))
        state, sums = jax.lax.while_loop(more, body, (state, _zeros(one, state)))
        whole = partial(jax.lax.all_gather, axis_name=self.batch_axis, tiled=True)
        return state._replace(carry=jax.tree.map(whole, state.carry)), sums

    def advance_together(
        self, states: MemberState, hypers: Hyper, untils: Array, stream: Stream
    ) -> tuple[MemberState, Advanced]:
        """The same for several members stacked, `vmap`ped, with buckets.

        Under `vmap` a `switch` by a member's own step would compute all branches. So the members
        go step by step together, and the step that they share chooses the bucket.
        """
        size, most = self.experiment.batch_size, self.experiment.most_steps

        def active(states: MemberState) -> Array:
            return (states.step < untils) & states.alive

        first = jnp.min(jnp.where(active(states), states.step, jnp.iinfo(jnp.int32).max))
        order = stream.order(first, most, size)
        keys = jax.vmap(lambda hyper: member_key(hyper.seed, DATA))(hypers)
        plans = jax.vmap(lambda key: stream.plan(key, first, most, size))(keys)

        def all_on(bucket: Bucket) -> Callable[[MemberState], tuple[MemberState, Advanced]]:
            return lambda states: jax.vmap(partial(self.step, bucket, stream=stream))(
                keys, plans, hypers, states
            )

        branches = [all_on(bucket) for bucket in stream.buckets(size)]

        def body(loop: Any) -> Any:
            step, states, sums = loop
            moving = active(states) & (states.step == step)

            def where_moving(new: Array, old: Array) -> Array:
                return jnp.where(moving.reshape(moving.shape + (1,) * (new.ndim - 1)), new, old)

            after, given = jax.lax.switch(order[step - first], branches, states)
            total = jax.tree.map(jnp.add, sums, given)
            keep = partial(jax.tree.map, where_moving)
            return step + 1, keep(after, states), keep(total, sums)

        start = first, states, _zeros(branches[0], states)
        _, states, sums = jax.lax.while_loop(lambda loop: active(loop[1]).any(), body, start)
        return states, sums

    def _own(self, rows: Any, batch_size: int, batch_axis: str) -> Any:
        """This device's share of arrays `[B, ...]`."""
        share = batch_size // self.batch_devices
        start = jax.lax.axis_index(batch_axis) * share
        return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, share), rows)


def evaluate(
    experiment: Experiment, graphdef: nnx.GraphDef, params: Any, active: Array, batch: Batch
) -> Sums:
    """What a member's model measures of a batch; zeros if the member is not active."""

    def predict(params: Any) -> Prediction:
        return nnx.merge(graphdef, params)(batch.inputs, batch.prefix)

    def measure(params: Any) -> Sums:
        prediction = with_products_in(experiment.precision, predict)(params)

        def measured(_: None) -> Sums:
            return dict(experiment.task.measure(prediction, batch))

        # Always so, which XLA can't know: it compiles a branch by itself. Fused with the model, a
        # loss may be rounded otherwise where members share a device than where they do not.
        return _or_zeros(batch.inputs.lengths[0] >= 0, measured, None)

    return _or_zeros(active, measure, params)


def decode(
    experiment: Experiment, graphdef: nnx.GraphDef, params: Any, active: Array, batch: Batch
) -> Sequences:
    """A member's answers to a batch, as the task decodes them; zeros if it is not active."""
    task = experiment.task
    assert task.decoding is not None
    how = task.decoding

    def generate(params: Any) -> Sequences:
        return decoded(task.spec, nnx.merge(graphdef, params), batch, how)

    return _or_zeros(active, with_products_in(experiment.precision, generate), params)


def keep_best(state: MemberState, better: Array) -> MemberState:
    """The state, its best parameters replaced by the current ones if these are better."""
    best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), state.params, state.best_params
    )
    return state._replace(best_params=best)


def _if_working(working: Array, make: Callable[[], Any]) -> Any:
    """What `make` gives; of a device that rests nothing, where that is a question of numbers."""
    leaves = jax.tree.leaves(jax.eval_shape(make))
    if any(jnp.issubdtype(leaf.dtype, jax.dtypes.extended) for leaf in leaves):
        return make()  # Keys have no zeros.
    return _or_zeros(working, lambda _: make(), None)


def _or_zeros(condition: Array, function: Callable[[Any], Any], params: Any) -> Any:
    zeros = _zeros_like(jax.eval_shape(function, params))
    return jax.lax.cond(condition, function, lambda _: zeros, params)


def _zeros(step: Callable[[Any], Any], state: Any) -> Any:
    return _zeros_like(jax.eval_shape(step, state)[1])


def _zeros_like(shapes: Any) -> Any:
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
