"""The laws over everything on the menu: a new model or task is found by its YAML file."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.training import Program
from seqexp.training.mesh import group_mesh
from seqexp.types import SeqexpError, TaskSpec
from tests.test_configs import menu, point
from tests.training.small import HYPERS, assert_bitwise, trained

B, T = 3, 5
LENGTHS = jnp.array([5, 3, 1])
SPECS = {
    "tokens to steps": TaskSpec("tokens", 7, "step", 7, T, causal=True),
    "features to one": TaskSpec("features", 2, "sequence", 3, T, causal=False),
}


@pytest.fixture(scope="module", params=[(m, s) for m in menu("model") for s in SPECS], ids=str)
def case(request):
    """A model of the menu, small, built for a spec; and inputs for it."""
    name, kind = request.param
    spec = SPECS[kind]
    model = point(f"model={name}", "model.features=4").build().model
    net = model(spec, rngs=nnx.Rngs(params=0))
    key = jax.random.key(1)
    if spec.inputs == "tokens":
        return net, spec, jax.random.randint(key, (B, T), 0, 7)
    return net, spec, jax.random.normal(key, (B, T, 2))


run = jax.jit(lambda net, xs, lengths: net(xs, lengths))


def test_law_1_decoding_step_by_step_equals_the_whole(case):
    net, spec, xs = case
    full = jnp.full(B, T)
    try:
        carry = net.initial_carry(B)
        outputs = []
        step = jax.jit(lambda net, carry, x: net.step(carry, x))
        for t in range(T):
            carry, y = step(net, carry, xs[:, t])
            outputs.append(y)
    except SeqexpError:
        assert not spec.causal, "what cannot decode must not claim to be causal"
        return
    whole = run(net, xs, full).outputs
    ours = jnp.stack(outputs, 1) if spec.outputs == "step" else outputs[-1]
    np.testing.assert_allclose(ours, whole, rtol=1e-5, atol=1e-6)


def test_law_2_padding_never_matters(case):
    net, spec, xs = case
    real = jnp.arange(T) < LENGTHS[:, None]
    spoilt = jnp.where(real, xs, 99) if xs.ndim == 2 else jnp.where(real[..., None], xs, jnp.nan)
    longer = jnp.pad(spoilt, [(0, 0), (0, 3)] + [(0, 0)] * (xs.ndim - 2))
    clean, dirty, long = (run(net, x, LENGTHS).outputs for x in (xs, spoilt, longer))
    if spec.outputs == "step":
        clean, dirty, long = (jnp.where(real[..., None], y[:, :T], 0) for y in (clean, dirty, long))
    np.testing.assert_allclose(dirty, clean, rtol=1e-6)
    np.testing.assert_allclose(long, clean, rtol=1e-5, atol=1e-6)


def test_law_3_a_causal_model_does_not_look_ahead(case):
    """By the gradient of an output to the rows of the embedding that only later tokens use."""
    net, spec, _ = case
    if not spec.causal:
        pytest.skip("nothing causal is promised")
    tokens, lengths = jnp.arange(T)[None] + 1, jnp.array([T])
    for t in range(T):
        gradient = jax.grad(lambda net, t=t: run(net, tokens, lengths).outputs[0, t].sum())(net)
        used = np.abs(gradient.embed.embedding[...]).sum(-1) > 0
        assert used[1 : t + 2].any() and not used[t + 2 :].any()


def _small(name_of_task: str, model: str):
    overrides = [
        f"model={model}",
        f"task={name_of_task}",
        "model.features=3",
        "trainer.steps=4",
        "trainer.eval_every=2",
        "trainer.batch_size=2",
        "model.dropout=0.1",
    ]
    return point(*overrides).build()


def _alone_and_together(experiment):
    try:
        splits = experiment.task.load()
    except SeqexpError as error:
        pytest.skip(f"needs data: {error}")
    few = jax.tree.map(lambda a: a[:10], splits.valid)
    splits = splits._replace(valid=few, test=few)
    group = Program(experiment, splits, HYPERS, group_mesh(3, 1))
    together, records, _ = trained(group)
    alone, alone_records, _ = trained(Program(experiment, splits, HYPERS[1:2], group_mesh(1, 1)))
    assert_bitwise(alone[0], together[1])
    assert [chunk[0] for chunk in alone_records] == [chunk[1] for chunk in records]


@pytest.mark.full
@pytest.mark.parametrize("task", menu("task"))
def test_law_4_a_member_alone_is_a_member_of_a_group_on_every_task(task):
    _alone_and_together(_small(task, "gru"))


@pytest.mark.full
@pytest.mark.parametrize("model", menu("model"))
def test_law_4_a_member_alone_is_a_member_of_a_group_for_every_model(model):
    _alone_and_together(_small("digits", model))
