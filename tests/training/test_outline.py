"""What planning knows of a model without drawing its parameters."""

from __future__ import annotations

import jax

from seqexp.training import Hyper
from seqexp.training.step import graph, init_member, outline
from tests.training.small import adding, experiment


def test_an_outline_is_the_graph_and_the_shapes_of_a_member():
    own = experiment(adding())
    graphdef, state = outline(own)
    assert graphdef == graph(own)
    member = init_member(own, Hyper.example())
    assert jax.tree.structure(state) == jax.tree.structure(member)
    for shape, array in zip(jax.tree.leaves(state), jax.tree.leaves(member), strict=True):
        assert (shape.shape, shape.dtype) == (array.shape, array.dtype)
