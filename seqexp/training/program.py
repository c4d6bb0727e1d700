"""The compiled programs of a group: init, advance, evaluate, keep the best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

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


class Program:
    """A group's programs on a mesh. Compiled at first use, and not again for the group.

    On a CPU the members of a device run one after another (`lax.map`), which is bitwise what each
    gives alone; on an accelerator they run side by side (`vmap`).

    Args:
        experiment: what all members share.
        splits: the task's data.
        hypers: what each member has of its own.
        mesh: from `group_mesh`.

    Raises:
        SeqexpError: if the batch cannot be split evenly over the mesh's batch devices.
    """

    def __init__(
        self, experiment: Experiment, splits: Splits, hypers: Sequence[Hyper], mesh: Mesh
    ):
        rows, columns = mesh.devices.shape
        if experiment.batch_size % columns:
            raise SeqexpError(
                f"trainer.batch_size={experiment.batch_size} cannot be split over "
                f"trainer.batch_devices={columns}: choose a multiple"
            )
        self.experiment = experiment
        self.members = len(hypers)
        self.graphdef = graph(experiment)
        self._by_member = NamedSharding(mesh, PartitionSpec(MEMBERS))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        # A device cannot hold less than one member: the last is repeated, and never advanced.
        self._filler = -len(hypers) % rows
        self._hypers = self._stack([Hyper(*map(np.asarray, _typed(hyper))) for hyper in hypers])
        self._stream = jax.device_put(splits.train, self._everywhere)
        self._splits = {
            name: [
                jax.device_put(batch, self._everywhere)
                for batch in eval_batches(split, experiment.eval_batch_size)
            ]
            for name, split in (("valid", splits.valid), ("test", splits.test))
        }
        width = 1 if mesh.devices.flat[0].platform == "cpu" else None
        axis = BATCH if columns > 1 else None
        advance = partial(_advance_member, experiment, self.graphdef, axis, columns)
        evaluate = partial(_evaluate_member, experiment, self.graphdef)
        member, shared = PartitionSpec(MEMBERS), PartitionSpec()
        self.advance_program = jax.jit(
            jax.shard_map(
                lambda states, hypers, until, stream: _each(
                    lambda args: advance(*args, stream), (states, hypers, until), width
                ),
                mesh=mesh,
                in_specs=(member, member, member, shared),
                out_specs=member,
                check_vma=False,
            ),
            donate_argnums=0,
        )
        self._evaluate = jax.jit(
            jax.shard_map(
                lambda params, active, batch: _each(
                    lambda args: evaluate(*args, batch), (params, active), width
                ),
                mesh=mesh,
                in_specs=(member, member, shared),
                out_specs=member,
                check_vma=False,
            )
        )
        self._init = jax.jit(partial(init_member, experiment))
        self._keep_best = jax.jit(_keep_best, donate_argnums=0)
        self._sample = jax.jit(sample_tokens, static_argnums=(0, 4))

    def init(self) -> MemberState:
        """All members before their first step, stacked."""
        return self.place([jax.device_get(self._init(hyper)) for hyper in self._members_hypers()])

    def place(self, states: Sequence[MemberState]) -> MemberState:
        """Members' states from the host, stacked over the mesh."""
        return self._stack(states)

    def take(self, states: MemberState) -> list[MemberState]:
        """Members' states on the host, one by one."""
        host = jax.device_get(states)
        return [jax.tree.map(lambda a, m=m: a[m], host) for m in range(self.members)]

    def advance(
        self, states: MemberState, until: np.ndarray
    ) -> tuple[MemberState, dict[str, Mean]]:
        """Train each member up to a step of its own; `states` is consumed.

        Args:
            states: of all members.
            until: `[M]` int32, at most `eval_every` steps ahead; a member already there rests.

        Returns:
            The states, and the training metrics summed over the steps done, `[M]` on the host.
        """
        states, sums = self.advance_program(*self.advance_arguments(states, until))
        return states, self._fetch(sums)

    def advance_arguments(self, states: MemberState, until: np.ndarray) -> tuple[Any, ...]:
        """What `advance_program` is called with."""
        padded = np.concatenate([until, np.zeros(self._filler, until.dtype)]).astype(np.int32)
        return states, self._hypers, jax.device_put(padded, self._by_member), self._stream

    def evaluate(self, params: Any, active: np.ndarray, split: str) -> dict[str, np.ndarray]:
        """Metrics of the active members over a whole split ("valid" or "test"), `[M]` each."""
        padded = np.concatenate([active, np.zeros(self._filler, bool)])
        mask = jax.device_put(padded, self._by_member)
        sums = [self._evaluate(params, mask, batch) for batch in self._splits[split]]
        return pooled(map(self._fetch, sums))

    def keep_best(self, states: MemberState, better: np.ndarray) -> MemberState:
        """Remember the parameters of the members whose score got better; `states` is consumed."""
        padded = np.concatenate([better, np.zeros(self._filler, bool)])
        return self._keep_best(states, jax.device_put(padded, self._by_member))

    def sample_text(self, params: Any, member: int) -> str:
        """Text drawn with one member's parameters; the same for the same parameters and seed."""
        text = self.experiment.task.text
        assert text is not None
        key = member_key(self._members_hypers()[member].seed, SAMPLE)
        tokens = self._sample(self.graphdef, params, key, jnp.asarray(encode(text)), text.length)
        return decode(text, tokens)

    def _stack(self, items: Sequence[Any]) -> Any:
        full = [*items, *[items[-1]] * self._filler]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *full)
        return jax.device_put(stacked, self._by_member)

    def _fetch(self, sums: Any) -> Any:
        return jax.tree.map(lambda a: a[: self.members], jax.device_get(sums))

    def _members_hypers(self) -> list[Hyper]:
        host = jax.device_get(self._hypers)
        return [Hyper(*(value[m] for value in host)) for m in range(self.members)]


def _typed(hyper: Hyper) -> tuple[np.generic, ...]:
    rates = (hyper.learning_rate, hyper.weight_decay, hyper.clip_norm)
    return (np.uint32(hyper.seed), *(np.float32(rate) for rate in rates))


def _each(function: Any, members: Any, width: int | None) -> Any:
    """Apply to each member of a device: in turn where `width` is 1, side by side where None."""
    return jax.lax.map(function, members) if width == 1 else jax.vmap(function)(members)


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
    plan = stream.plan(data_key, state.step, experiment.eval_every, size)

    def one(state: MemberState) -> tuple[MemberState, dict[str, Mean]]:
        batch = stream.batch(plan, data_key, state.step, size)
        tokens = batch.lengths.sum()
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


def _keep_best(states: MemberState, better: Array) -> MemberState:
    def choose(new: Array, old: Array) -> Array:
        return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return states._replace(best_params=jax.tree.map(choose, states.params, states.best_params))
