"""Saliency against models whose shares are known, and its completeness."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp import inspection
from seqexp.cells import GRU
from seqexp.types import SeqexpError, Tokens
from tests.inspection.models import (
    LENGTHS,
    MODELS,
    B,
    T,
    V,
    bag_of_words,
    batch,
    sequence_model,
    spec,
)
from tests.variants import quick_jit

integrated_gradients = quick_jit(inspection.integrated_gradients, static_argnames="points")
OUTPUTS = np.array([0, 1, 2, 1])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("tokens", [True, False])
def test_the_shares_of_a_linear_model_are_its_terms(tokens):
    """outputs_c = sum over t of (x_t / length) M_c, plus what no input tells."""
    of = spec("sequence", Tokens(V)) if tokens else spec("sequence")
    model = bag_of_words(of)
    examples = batch(of, more=2)
    read = np.asarray(model.readout.kernel)
    if tokens:
        xs = np.asarray(model.embed.embedding)[examples.inputs.values]
    else:
        xs, read = examples.inputs.values, np.asarray(model.project.kernel) @ read
    expected = xs * read.T[OUTPUTS][:, None] / LENGTHS[:, None, None]
    expected = np.where((np.arange(T + 2) < LENGTHS[:, None])[..., None], expected, 0)
    found = integrated_gradients(model, examples, OUTPUTS, points=1)
    near = 1e-6 if tokens else 1e-12  # Flax embeds in float32.
    np.testing.assert_allclose(found.values, expected, rtol=near, atol=near)
    np.testing.assert_allclose(found.residual, 0, atol=near)


SMOOTH = {
    "stacked": lambda of: sequence_model(of, norm="none", depth=1),
    "bidirectional": lambda of: sequence_model(of, norm="none", bidirectional=True, cell=GRU),
}


@pytest.mark.parametrize("name", ["stacked", pytest.param("bidirectional", marks=pytest.mark.full)])
def test_integrated_gradients_are_complete(name):
    """They sum to the difference of outputs, and the midpoint rule is of second order."""
    of = spec("step")
    model, steps = SMOOTH[name](of), np.array([3, 1, 0, 5])
    found = [integrated_gradients(model, batch(of), OUTPUTS, steps, points=n) for n in (20, 80)]
    size = np.abs(found[0].values).sum((1, 2)).max()
    off = [np.abs(each.residual).max() for each in found]
    assert off[1] < off[0] / 10 and off[1] < 1e-2 * size
    for row, length in enumerate(LENGTHS):
        assert not found[0].values[row, length:].any()
    if name == "bidirectional":
        padded = integrated_gradients(model, batch(of, more=3), OUTPUTS, steps, points=20)
        np.testing.assert_allclose(padded.values[:, :T], found[0].values, rtol=1e-8, atol=1e-12)


def test_tokens_of_a_source_account_for_what_is_written_of_it():
    model, of = MODELS["encoder-decoder"]()
    found = integrated_gradients(model, batch(of), OUTPUTS, np.array([3, 1, 0, 0]), points=80)
    assert found.values.shape == (B, T, 4) and np.abs(found.values).max() > 1e-3
    assert np.abs(found.residual).max() < 2e-3 * np.abs(found.values).sum((1, 2)).max()


def test_what_an_output_can_not_be_asked_is_refused():
    def saliency(model, of, *steps, **options):
        return lambda: integrated_gradients(model, batch(of), OUTPUTS, *steps, **options)

    model, of = MODELS["stacked"]()
    with pytest.raises(SeqexpError, match=r"give steps=\[B\], for it has an answer a step"):
        jax.eval_shape(saliency(model, of))
    with pytest.raises(SeqexpError, match="at least 1 point"):
        jax.eval_shape(saliency(model, of, OUTPUTS, points=0))
    of = spec("sequence", Tokens(V))
    bag = bag_of_words(of)
    bag.parameter_parts = lambda: {}
    with pytest.raises(SeqexpError, match="doesn't read tokens by an nnx.Embed"):
        jax.eval_shape(saliency(bag, of))
