import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp.costs import Parameters, count_parameters
from seqexp.costs.parameters import count_all

V, D, H, C = 11, 3, 5, 2


class Layer(nnx.Module):
    def __init__(self, in_features):
        self.input_kernel = nnx.Param(jnp.zeros((in_features, H)))
        self.recurrent_kernel = nnx.Param(jnp.zeros((H, H)))
        self.recurrent_scale = nnx.Param(jnp.zeros(()))
        self.bias = nnx.Param(jnp.zeros(H))


class Network(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.embed = nnx.Embed(V, D, rngs=rngs)
        self.layers = nnx.List([Layer(D), Layer(H)])
        self.readout = nnx.Linear(H, C, rngs=rngs)
        self.steps_seen = nnx.Variable(jnp.zeros((7, 7)))

    def parameter_parts(self):
        recurrent = [(each.recurrent_kernel, each.recurrent_scale) for each in self.layers]
        parts: dict[str, tuple] = {
            "recurrent": tuple(parameter for two in recurrent for parameter in two)
        }
        if self.embed is not None:
            parts["embedding"] = (self.embed.embedding,)
        if self.readout is not None:
            parts["readout"] = (self.readout.kernel, self.readout.bias)
        return parts


EXPECTED = Parameters(
    total=V * D + (D + H) * H + 2 * (H * H + 1 + H) + H * C + C,
    recurrent=2 * (H * H + 1),
    embedding=V * D,
    readout=H * C + C,
)


def test_parts_and_trained_arrays_only():
    assert count_parameters(Network()) == EXPECTED


def test_an_abstract_model_and_a_state_count_the_same():
    assert count_parameters(nnx.eval_shape(Network)) == EXPECTED
    assert count_all(nnx.state(Network())) == EXPECTED.total
    assert count_all(nnx.state(Network(), nnx.Param)) == EXPECTED.total
    assert count_all(nnx.eval_shape(lambda: nnx.state(Network()))) == EXPECTED.total


def test_a_shared_array_counts_once():
    model = Network()
    model.layers[1].input_kernel = model.layers[1].recurrent_kernel
    assert count_parameters(model).total == EXPECTED.total - H * H
    model.layers[0].recurrent_kernel = model.layers[1].recurrent_kernel
    assert count_parameters(model).recurrent == EXPECTED.recurrent - H * H


@pytest.mark.parametrize("name", ["embed", "readout"])
def test_an_absent_part_has_none(name):
    model = Network()
    setattr(model, name, None)
    counted = count_parameters(model)
    absent = EXPECTED.embedding if name == "embed" else EXPECTED.readout
    assert counted.total == EXPECTED.total - absent
    assert 0 in (counted.embedding, counted.readout)
    assert counted.recurrent == EXPECTED.recurrent


def test_the_total_is_what_an_optimizer_sees():
    leaves = jax.tree.leaves(nnx.state(Network(), nnx.Param))
    assert count_parameters(Network()).total == sum(leaf.size for leaf in leaves)
