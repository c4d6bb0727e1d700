"""Truncated backpropagation through time: the carry goes on, the gradient stops, laws 4 and 8."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, serialization

from seqexp.cells import LSTM
from seqexp.data.lanes import Lanes
from seqexp.data.next_token import next_token_spec, next_token_splits
from seqexp.models import SequenceModel
from seqexp.tasks.metrics import cross_entropy
from seqexp.training import Experiment, Hyper, Optimizer, train
from seqexp.training.check_data import check_data
from seqexp.training.schedules import constant
from seqexp.training.step import (
    DATA,
    MemberState,
    build,
    graph,
    init_member,
    member_key,
    train_step,
)
from seqexp.types import (
    Batch,
    Bucket,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
)
from tests.training.small import HYPERS, assert_bitwise, experiment, program, trained

V, T, B = 6, 5, 4
TEXT = np.random.default_rng(0).integers(0, V, 90).astype(np.int32)
HELD_OUT = {"valid": TEXT[:31], "test": TEXT[31:45]}
STEPS = 5  # 89 predictions, in lanes of 22 or 23, in windows of 5.


@dataclass(frozen=True)
class Next(Task):
    """The next token of a text that is drawn."""

    stateful: bool = True

    @property
    def spec(self) -> TaskSpec:
        return next_token_spec(Tokens(V), T, self.stateful)

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    def load(self) -> Splits:
        return next_token_splits(TEXT, HELD_OUT, T, self.stateful)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        asked = self.spec.answer_mask(batch)
        return {"loss": cross_entropy(prediction.outputs, batch.targets, asked)}


@pytest.fixture(scope="module")
def group():
    """A group of three members, trained through the end of an epoch: 5 steps of 8."""
    small = experiment(Next())
    return small, small.task.load(), trained(program(small, small.task.load(), HYPERS))


def plain(cell: Any = LSTM, **changes: Any) -> Experiment:
    """Without dropout, by the gradient itself."""
    model = partial(
        SequenceModel,
        cell=cell,
        features=4,
        depth=1,
        dropout=0.0,
        residual=False,
        norm="none",
        pooling="last",
    )
    return experiment(
        Next(), model=model, optimizer=Optimizer(optax.identity(), constant()), **changes
    )


HYPER = Hyper(seed=3, learning_rate=0.5, weight_decay=0.0, clip_norm=float("inf"))


def test_law_4_a_member_of_a_group_is_bitwise_what_it_is_alone(group):
    small, splits, (states, records, _) = group
    alone, alone_records, _ = trained(program(small, splits, HYPERS[1:2]))
    assert_bitwise(alone[0], states[1])
    assert [chunk[0] for chunk in alone_records] == [chunk[1] for chunk in records]
    assert jax.tree.leaves(states[1].carry)[0].shape[0] == B


def test_resuming_within_an_epoch_is_bitwise_never_having_stopped(group):
    small, splits, (states, records, _) = group
    first = program(small, splits, HYPERS)
    chunk = next(train(first, first.init()))
    assert 0 < chunk.steps[0] < STEPS
    taken = first.take(chunk.states)
    saved = serialization.msgpack_serialize([jax.tree.leaves(state) for state in taken])
    second, structure = program(small, splits, HYPERS), jax.tree.structure(taken[0])
    restored = [
        jax.tree.unflatten(structure, leaves) for leaves in serialization.msgpack_restore(saved)
    ]
    resumed, later, _ = trained(second, second.place(restored), list(chunk.standings))
    assert_bitwise(resumed, states)
    assert [chunk.records, *later] == records


@pytest.mark.full
def test_a_batch_split_over_devices_is_the_same_to_rounding():
    small = plain(steps=7, eval_every=4)
    splits = small.task.load()
    whole, records, _ = trained(program(small, splits, [HYPER]))
    split, split_records, _ = trained(program(small, splits, [HYPER], batch_devices=2))
    for ours, theirs in zip(*map(jax.tree.leaves, (split[0], whole[0])), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    for ours, theirs in zip(split_records, records, strict=True):
        np.testing.assert_allclose(list(ours[0].values()), list(theirs[0].values()), rtol=1e-3)


@pytest.mark.full
def test_members_side_by_side_are_the_same_to_rounding(group):
    small, splits, (states, _, _) = group
    together, _, _ = trained(program(small, splits, HYPERS).at_width(2))
    for ours, theirs in zip(*map(jax.tree.leaves, (together, states)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)


def stepped(model: Any, carry: Any, batch: Batch) -> tuple[Any, Any]:
    """The mean loss of a batch token by token, each row up to its length, and the carry behind."""
    (inputs, lengths), rows = batch.inputs, jnp.arange(len(batch.targets))

    def step(carry: Any, at: Any) -> tuple[Any, Any]:
        t, token, target = at
        after, y = model.stack.step(carry, model.embed.embedding[...][token])
        told = jax.nn.log_softmax(model.readout(y))[rows, target]
        real = t < lengths
        kept = jax.tree.map(partial(jnp.where, real[:, None]), after, carry)
        return kept, jnp.where(real, told, 0)

    steps = jnp.arange(inputs.shape[1]), inputs.T, batch.targets.T
    carry, told = jax.lax.scan(step, carry, steps)
    return -told.sum() / lengths.sum(), carry


def empty(model: Any) -> Any:
    return model.stack.initial_carry(B, 1)


def test_training_is_a_loop_that_passes_the_carry_on_and_begins_each_epoch_anew():
    """Against plain gradient descent, token by token."""
    small = plain(steps=2 * STEPS + 2, eval_every=6)
    splits = small.task.load()
    (state,), records, _ = trained(program(small, splits, [HYPER]))
    graphdef, params = graph(small), nnx.state(build(small, HYPER.seed))
    stream, key, carry = splits.train, member_key(HYPER.seed, DATA), None
    (bucket,), losses = stream.buckets(B), []

    @jax.jit
    def step(params: Any, carry: Any, batch: Batch) -> tuple[Any, Any, Any]:
        def loss(params: Any) -> tuple[Any, Any]:
            return stepped(nnx.merge(graphdef, params), carry, batch)

        (value, after), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda p, g: p - 0.5 * g, params, gradient), after, value

    for s in range(small.steps):
        if s % STEPS == 0:
            carry = empty(nnx.merge(graphdef, params))
        params, carry, value = step(params, carry, stream.batch(None, key, jnp.int32(s), bucket))
        losses.append(float(value))
    for ours, theirs in zip(
        *map(jax.tree.leaves, ((state.params, state.carry), (params, carry))), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert len(records) == 2 and np.std(losses) > 0


def test_the_second_window_reads_on_and_its_gradient_stops_at_the_first():
    """In float64: the loss is that of one pass over both, the gradient that of its second half from
    a carry that is held fixed."""
    small = plain()
    graphdef, both = graph(small), _batch(2 * T)
    windows = [_cut(both, 0, T), _cut(both, T, 2 * T)]

    @jax.jit
    def compared(state: MemberState) -> Any:
        still = HYPER._replace(learning_rate=0.0)
        between, _ = train_step(small, graphdef, state, still, windows[0], None, jnp.bool_(False))
        after, measured = train_step(small, graphdef, between, HYPER, windows[1])

        def loss(params: Any, stops: bool) -> Any:
            model = nnx.merge(graphdef, params)
            _, carry = stepped(model, empty(model), windows[0])
            return stepped(model, jax.lax.stop_gradient(carry) if stops else carry, windows[1])[0]

        truncated, whole = (jax.grad(partial(loss, stops=s))(state.params) for s in (True, False))
        outputs = nnx.merge(graphdef, state.params)(both.inputs).outputs[:, T:]
        one_pass = small.task.measure(Prediction(outputs, ()), windows[1])
        return measured.sums, one_pass, _gradient(state, after), truncated, whole

    with jax.enable_x64(True):
        read, one_pass, found, truncated, whole = compared(_in_float64(small))
    assert_close(read, one_pass)
    assert_close(found, truncated)
    assert not np.allclose(_recurrent(truncated), _recurrent(whole), rtol=1e-2, atol=1e-5)


def test_a_window_as_long_as_a_lane_has_the_full_gradient():
    """That of the same sequences, token by token from an empty past."""
    small, lane = plain(), _batch(12)
    graphdef = graph(small)

    def loss(params: Any) -> Any:
        model = nnx.merge(graphdef, params)
        return stepped(model, empty(model), lane)[0]

    @jax.jit
    def compared(state: MemberState) -> Any:
        after, _ = train_step(small, graphdef, state, HYPER, lane, None, jnp.bool_(False))
        return _gradient(state, after), jax.grad(loss)(state.params)

    with jax.enable_x64(True):
        assert_close(*compared(_in_float64(small)))


def test_what_is_held_out_is_one_pass_over_the_text():
    small = plain()
    group = program(small, small.task.load(), [HYPER])
    states = group.init()
    model = build(small, HYPER.seed)
    for split, text in HELD_OUT.items():
        found = group.evaluate([s.params for s in states], np.array([True]), split)[0]
        assert found.weights["loss"] == len(text) - 1
        inputs = jnp.asarray(text[None])
        batch = Batch(Sequences(inputs[:, :-1], jnp.array([len(text) - 1])), inputs[:, 1:])
        loss, _ = jax.jit(stepped)(model, model.stack.initial_carry(1, 1), batch)
        assert found.metrics["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_a_step_that_diverges_keeps_the_carry():
    small, graphdef = plain(), graph(plain())

    @jax.jit
    def diverged() -> Any:
        state = init_member(small, HYPER.traced())
        lost = state._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, state.params))
        lost = lost._replace(carry=jax.tree.map(jnp.ones_like, state.carry))
        return lost, train_step(small, graphdef, lost, HYPER, _batch(T), None, jnp.bool_(False))[0]

    before, after = diverged()
    assert not after.alive
    assert_bitwise(after.carry, before.carry)


class Bare(nnx.Module):
    """A model that gives outputs and no more."""

    def __init__(self, spec: TaskSpec, rngs: nnx.Rngs):
        self.embed = nnx.Embed(V, spec.output_size, rngs=rngs)

    def __call__(self, inputs: Sequences, prefix: None = None, *, key: Any = None) -> Prediction:
        return Prediction(self.embed(inputs.values), ())


class Cached(nnx.Module):
    """A layer whose carry is all that it has read."""

    causal, recurrent_parameters = True, ()

    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs):
        self.in_features, self.out_features = in_features, in_features

    def initial_carry(self, batch_size: int, max_length: int) -> Any:
        return jnp.zeros((batch_size, max_length, self.in_features))

    def unroll(self, xs: Any, mask: Any = None, carry: Any = None, *, key: Any = None) -> Any:
        return xs, carry


def test_models_that_cannot_read_on_are_refused():
    with pytest.raises(SeqexpError, match="Bare has no initial_carry or no read: use a recurrent"):
        graph(experiment(Next(), model=Bare))
    growing = partial(plain().model.func, **{**plain().model.keywords, "cell": None})
    with pytest.raises(SeqexpError, match="carry of a Cached layer grows"):
        graph(experiment(Next(), model=partial(growing, layers=[Cached])))
    graph(experiment(Next(stateful=False), model=Bare))


def test_a_stateful_task_has_one_answer_a_step():
    with pytest.raises(SeqexpError, match="a stateful task is causal, with one answer a step"):
        TaskSpec(Tokens(V), "sequence", V, T, causal=True, stateful=True)


def test_buckets_of_a_stateful_task_are_refused():
    task, splits = Next(), Next().load()

    class Two(Lanes):
        def buckets(self, batch_size: int) -> Any:
            return Bucket(batch_size, T), Bucket(batch_size, T - 1)

    train = Two(jnp.asarray(TEXT), T)
    with pytest.raises(SeqexpError, match="one length, .* use one bucket"):
        check_data(task, splits._replace(train=train), B)


def _batch(length: int) -> Batch:
    """Sequences of the text, at four places of it, as they would be without padding."""
    places = np.arange(B)[:, None] * 20 + np.arange(length + 1)
    windows = jnp.asarray(TEXT[places])
    lengths = jnp.full(B, length, jnp.int32)
    return Batch(Sequences(windows[:, :-1], lengths), windows[:, 1:])


def _cut(batch: Batch, start: int, end: int) -> Batch:
    lengths = jnp.full(B, end - start, jnp.int32)
    inputs = Sequences(batch.inputs.values[:, start:end], lengths)
    return Batch(inputs, batch.targets[:, start:end])


def _in_float64(small: Experiment) -> MemberState:
    def wide(leaf: Any) -> Any:
        return leaf.astype(jnp.float64) if leaf.dtype == jnp.float32 else leaf

    return jax.tree.map(wide, jax.jit(partial(init_member, small))(HYPER.traced()))


def _gradient(before: MemberState, after: MemberState) -> Any:
    """By the step that it led to."""
    rate = HYPER.learning_rate
    return jax.tree.map(lambda old, new: (old - new) / rate, before.params, after.params)


def _recurrent(tree: Any) -> np.ndarray:
    leaves = jax.tree.leaves_with_path(tree)
    found = [leaf.ravel() for path, leaf in leaves if "recurrent" in jax.tree_util.keystr(path)]
    return np.concatenate(found)


def assert_close(found: Any, asked: Any) -> None:
    for got, want in zip(*map(jax.tree.leaves, (found, asked)), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
