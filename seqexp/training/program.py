"""The compiled programs of a group: init, advance, evaluate, keep the best."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqexp.training.batches import batch_shapes
from seqexp.training.check_data import check_data
from seqexp.training.evaluation import eval_batches, pooled
from seqexp.training.experiment import Experiment, Hyper
from seqexp.training.mesh import BATCH, MEMBERS
from seqexp.training.sampling import decode, encode, sample_tokens
from seqexp.training.step import (
    DATA,
    SAMPLE,
    MemberState,
    graph,
    init_member,
    loss_and_metrics,
    member_key,
    train_step,
)
from seqexp.types import Array, Batch, Mean, SeqexpError, Splits, Stream

GroupState = tuple[MemberState, ...]
"""All members of a group: one state a slice, each stacked over the slice's members."""


class Program:
    """A group's programs on a mesh. Compiled at first use, and not again for the group.

    Members are trained a slice at a time, `slice_width` of them on each row of the mesh. One by one
    is bitwise what each gives alone; more run side by side (`vmap`), which is the same to rounding.
    The program does not depend on the number of members, only on these two.

    Args:
        experiment: what all members share.
        splits: the task's data.
        hypers: what each member has of its own.
        mesh: from `group_mesh`.
        slice_width: how many members a device trains side by side, one of `slice_widths`.

    Raises:
        SeqexpError: if the data is not what the task's spec promises, if the batch cannot be split
            evenly over the mesh's batch devices, or if there are 2**32 time steps or more between
            two evaluations.
    """

    def __init__(
        self,
        experiment: Experiment,
        splits: Splits,
        hypers: Sequence[Hyper],
        mesh: Mesh,
        slice_width: int = 1,
    ):
        columns = mesh.devices.shape[1]
        if experiment.batch_size % columns:
            raise SeqexpError(
                f"trainer.batch_size={experiment.batch_size} cannot be split over "
                f"trainer.batch_devices={columns}: choose a multiple"
            )
        check_data(experiment.task, splits, experiment.batch_size)
        self.batch = batch_shapes(splits.train, experiment.batch_size)
        steps_a_chunk = experiment.most_steps * math.prod(self.batch.inputs.shape[:2])
        if steps_a_chunk >= 2**32:
            raise SeqexpError(
                f"trainer.eval_every={experiment.eval_every} is {steps_a_chunk:,} time steps "
                "between evaluations, more than are counted: evaluate more often"
            )
        self.experiment = experiment
        self.hypers = [_typed(hyper) for hyper in hypers]
        self.members = len(hypers)
        self.graphdef = graph(experiment)
        self.mesh = mesh
        self._by_member = NamedSharding(mesh, PartitionSpec(MEMBERS))
        everywhere = NamedSharding(mesh, PartitionSpec())
        self._stream = jax.device_put(splits.train, everywhere)
        self._splits = {
            name: [
                jax.device_put(batch, everywhere)
                for batch in eval_batches(split, experiment.eval_batch_size)
            ]
            for name, split in (("valid", splits.valid), ("test", splits.test))
        }
        self._init = jax.jit(partial(init_member, experiment))
        self._sample = jax.jit(sample_tokens, static_argnums=(0, 4))
        self._slice(slice_width)

    def at_width(self, slice_width: int) -> Program:
        """The same group, its data shared, with so many members of a device side by side."""
        other = copy.copy(self)
        if slice_width != self.slice_width:
            other._slice(slice_width)
        return other

    def first_slice(self) -> Program:
        """The same programs, compiled once for both, for the members of the first slice alone."""
        other = copy.copy(self)
        other.hypers = self.hypers[: self.slice_size]
        other.members = len(other.hypers)
        other._sliced_hypers = self._sliced_hypers[:1]
        return other

    def _slice(self, width: int) -> None:
        rows, columns = self.mesh.devices.shape
        self.slice_width, self.slice_size = width, rows * width
        self._sliced_hypers = self._slices(self.hypers)
        axis = BATCH if columns > 1 else None
        advance = partial(_advance_member, self.experiment, self.graphdef, axis, columns)
        evaluate = partial(_evaluate_member, self.experiment, self.graphdef)
        over_members = partial(_over_members, self.mesh, width)
        self._advance = over_members("advance", advance, 3, 1)
        self._evaluate = over_members("evaluate", evaluate, 2, 1)
        self._keep_best = over_members("keep_best", _keep_best, 2, 0)

    def init(self) -> GroupState:
        """All members before their first step."""
        return self.place([_on_host(self._init(hyper)) for hyper in self.hypers])

    def place(self, states: Sequence[MemberState]) -> GroupState:
        """Members' states from the host, onto the devices."""
        return tuple(self._slices(states))

    def take(self, states: GroupState) -> list[MemberState]:
        """Members' states, on the host."""
        return self._unsliced(states)

    def lower(self, states: GroupState) -> jax.stages.Lowered:
        """The program that trains a slice, not compiled yet."""
        until = self._slices([np.int32(0)] * self.members)
        return self._advance.lower(states[0], self._sliced_hypers[0], until[0], self._stream)

    def advance(
        self, states: GroupState, until: np.ndarray, hypers: Sequence[Hyper] | None = None
    ) -> tuple[GroupState, dict[str, Mean]]:
        """Train each member up to a step of its own.

        Args:
            states: of all members.
            until: `[M]` int32, at most `eval_every` steps ahead; a member already there rests.
            hypers: in place of the members' own.

        Returns:
            The states, and the training metrics summed over the steps done, `[M]` on the host.
        """
        untils = self._slices(list(until.astype(np.int32)))
        own = self._slices([_typed(hyper) for hyper in hypers]) if hypers else self._sliced_hypers
        done = [
            self._advance(state, hyper, last, self._stream)
            for state, hyper, last in zip(states, own, untils, strict=True)
        ]
        return tuple(state for state, _ in done), self._gathered([sums for _, sums in done])

    def evaluate(
        self, params: Sequence[Any], active: np.ndarray, split: str
    ) -> dict[str, np.ndarray]:
        """Metrics of the active members over a whole split, `[M]` each.

        Args:
            params: of each slice.
            active: `[M]`, which members to evaluate; the others' metrics are not numbers.
            split: "valid" or "test".
        """
        return pooled(self.sums(params, active, split))

    def sums(self, params: Sequence[Any], active: np.ndarray, split: str) -> list[dict[str, Mean]]:
        """The sums and weights `[M]` that `evaluate` makes the metrics of, a batch each."""
        masks = self._slices(list(active))
        sums = [
            [self._evaluate(p, mask, batch) for p, mask in zip(params, masks, strict=True)]
            for batch in self._splits[split]
        ]
        return list(map(self._gathered, sums))

    def keep_best(self, states: GroupState, better: np.ndarray) -> GroupState:
        """Remember the parameters of the members whose score got better."""
        masks = self._slices(list(better))
        return tuple(self._keep_best(s, mask) for s, mask in zip(states, masks, strict=True))

    def sample_text(self, params: Any, member: int) -> str:
        """Text drawn with one member's parameters; the same for the same parameters and seed."""
        text = self.experiment.task.text
        assert text is not None
        key = member_key(self.hypers[member].seed, SAMPLE)
        prompt = jnp.asarray(encode(text, text.prompt))
        tokens = self._sample(self.graphdef, params, key, prompt, text.length)
        return text.prompt + decode(text, tokens)

    def _slices(self, items: Sequence[Any]) -> list[Any]:
        """A pytree a member to one a slice; the last slice is filled up by repetition."""
        filled = [*items, *[items[-1]] * (-len(items) % self.slice_size)]
        return [
            jax.device_put(
                jax.tree.map(lambda *a: np.stack(a), *filled[i : i + self.slice_size]),
                self._by_member,
            )
            for i in range(0, len(filled), self.slice_size)
        ]

    def _unsliced(self, slices: Sequence[Any]) -> list[Any]:
        host = _on_host(list(slices))
        return [
            jax.tree.map(lambda a, m=m: a[m % self.slice_size], host[m // self.slice_size])
            for m in range(self.members)
        ]

    def _gathered(self, slices: Sequence[Any]) -> Any:
        """`[M]` arrays on the host of those of each slice."""
        return jax.tree.map(lambda *a: np.stack(a), *self._unsliced(slices))


def _on_host(arrays: Any) -> Any:
    # An array whose allocation failed raises when it is waited for, and never arrives where it is
    # read at once.
    return jax.device_get(jax.block_until_ready(arrays))


def _over_members(
    mesh: Mesh, width: int, name: str, function: Callable[..., Any], sharded: int, shared: int
) -> Any:
    """Compile `function` of one member for a slice, with so many of them on each device.

    The first `sharded` arguments are stacked over members, the other `shared` are every member's.
    Profiles and logs of compilation show the name.
    """

    def on_a_device(*arguments: Any) -> Any:
        own, common = arguments[:sharded], arguments[sharded:]
        if width > 1:
            return jax.vmap(lambda *a: function(*a, *common))(*own)
        # Not vmap over one: a batch axis of size 1 changes which products XLA chooses.
        alone = jax.tree.map(lambda a: a[0], own)
        return jax.tree.map(lambda a: a[None], function(*alone, *common))

    on_a_device.__name__ = name
    by_member = PartitionSpec(MEMBERS)
    return jax.jit(
        jax.shard_map(
            on_a_device,
            mesh=mesh,
            in_specs=(by_member,) * sharded + (PartitionSpec(),) * shared,
            out_specs=by_member,
            check_vma=False,
        )
    )


def _typed(hyper: Hyper) -> Hyper:
    rates = (hyper.learning_rate, hyper.weight_decay, hyper.clip_norm)
    return Hyper(np.uint32(hyper.seed), *(np.float32(rate) for rate in rates))  # type: ignore


def _advance_member(
    experiment: Experiment,
    graphdef: Any,
    batch_axis: str | None,
    batch_devices: int,
    state: MemberState,
    hyper: Hyper,
    until: Array,
    stream: Stream,
) -> tuple[MemberState, dict[str, Mean]]:
    """Steps until `until` or divergence; the metrics are summed over them."""
    size = experiment.batch_size
    data_key = member_key(hyper.seed, DATA)
    plan = stream.plan(data_key, state.step, experiment.most_steps, size)

    def one(state: MemberState) -> tuple[MemberState, dict[str, Mean]]:
        batch = stream.batch(plan, data_key, state.step, size)
        tokens = batch.lengths.sum().astype(jnp.uint32)
        if batch_axis is not None:
            share = size // batch_devices
            start = jax.lax.axis_index(batch_axis) * share
            batch = Batch(*(jax.lax.dynamic_slice_in_dim(a, start, share) for a in batch))
        state, metrics = train_step(experiment, graphdef, state, hyper, batch, batch_axis)
        return state, metrics | {"tokens": Mean(tokens, jnp.ones(()))}

    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(one, state)[1])

    def more(loop: Any) -> Array:
        return (loop[0].step < until) & loop[0].alive

    def body(loop: Any) -> Any:
        state, sums = loop
        state, metrics = one(state)
        return state, jax.tree.map(jnp.add, sums, metrics)

    return jax.lax.while_loop(more, body, (state, zeros))


def _evaluate_member(
    experiment: Experiment, graphdef: Any, params: Any, active: Array, batch: Batch
) -> dict[str, Mean]:
    def measure(params: Any) -> dict[str, Mean]:
        return dict(loss_and_metrics(experiment, graphdef, params, batch, None)[1])

    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(measure, params))
    return jax.lax.cond(active, measure, lambda _: zeros, params)


def _keep_best(state: MemberState, better: Array) -> MemberState:
    best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), state.params, state.best_params
    )
    return state._replace(best_params=best)
