"""A mean over time, in whatever order: what a sequence model must beat."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jax
from flax import nnx
from jaxtyping import Float, Int

from seqexp.layers import dropout
from seqexp.layers.dropout import require_rate
from seqexp.layers.linear import Linear
from seqexp.models.embedding import embed_tokens, embedding_width, token_embedding
from seqexp.models.layer_kinds import require_sizes
from seqexp.models.pooling import pool, pool_state, pool_step
from seqexp.recurrences.masking import zero_padding
from seqexp.types import (
    Array,
    Carry,
    KeyArray,
    Layer,
    Prediction,
    SeqexpError,
    Sequences,
    TaskSpec,
    Tokens,
)


class BagOfWords(nnx.Module):
    """The mean of what the steps are embedded in, and a readout.

        e_t = E[x_t] for tokens, W x_t + w for features
        m_0 = mean over the true steps of e_t,    m_l = relu(V_l m_{l-1} + v_l)
        outputs = R m_L + b

    Without hidden layers it is linear in the counts of the tokens, or in the mean of the features
    (Joulin et al. 2017, https://arxiv.org/abs/1607.01759); with them a deep averaging network
    (Iyyer et al. 2015, https://aclanthology.org/P15-1162/). No order of the steps changes the
    outputs, but for rounding.

    Args:
        spec: what the task asks for: one answer a sequence, of tokens or features.
        features: H, the width of the embedding and of the hidden layers. Where the tokens have
            vectors, the embedding begins with them and is as wide as they are.
        depth: L, how many hidden layers; 0 for none.
        dropout: the rate before each hidden layer and before the readout.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for a spec with another answer, or sizes and rates out of their range.
    """

    def __init__(
        self, spec: TaskSpec, *, features: int, depth: int, dropout: float, rngs: nnx.Rngs
    ):
        if spec.answer != "sequence":
            each = "one answer a step" if spec.answer == "step" else "free answers"
            raise SeqexpError(
                f"a bag of words gives one answer a sequence, and this task has {each}: use "
                "another model"
            )
        require_sizes(features=features)
        if not isinstance(depth, int) or depth < 0:
            raise SeqexpError(
                f"model.depth of a bag of words must be a whole number of at least 0, not {depth!r}"
            )
        require_rate("model.dropout", dropout)
        self.spec = spec
        self.dropout = dropout
        width = embedding_width(spec.inputs, None, features)
        if isinstance(spec.inputs, Tokens):
            self.embed = token_embedding(spec.inputs, width, rngs)
        else:
            self.project = Linear(spec.inputs.size, width, rngs=rngs)
        widths = [width, *[features] * depth]
        hidden = [Linear(*each, rngs=rngs) for each in pairwise(widths)]
        self.hidden = nnx.List(hidden)
        self.readout = Linear(widths[-1], spec.output_size, rngs=rngs)

    @staticmethod
    def without_effect(spec: TaskSpec, *, features: int, depth: int, **_: Any) -> dict[str, Any]:
        """The arguments that change nothing on a task, each with its neutral value."""
        width = embedding_width(spec.inputs, None, features)
        return {} if depth or width == features else {"features": width}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """None that run over time."""
        return ()

    def parameter_parts(self) -> Mapping[str, tuple[nnx.Param, ...]]:
        """The embedding of tokens; the readout's kernel and bias. Nothing is recurrent."""
        assert self.readout.bias is not None
        tokens = isinstance(self.spec.inputs, Tokens)
        return {
            "recurrent": (),
            "embedding": (self.embed.embedding,) if tokens else (),
            "readout": (self.readout.kernel, self.readout.bias),
        }

    def stepwise(self) -> BagOfWords:
        """Itself."""
        return self

    def __call__(
        self,
        inputs: Sequences,
        prefix: Sequences | None = None,
        *,
        key: KeyArray | None = None,
    ) -> Prediction:
        """Run whole sequences.

        Args:
            inputs: `[B, T]` tokens or `[B, T, D]` features; what stands at padding never matters.
            prefix: None.
            key: draws dropout; None for evaluation.
        """
        mean = pool(self._embedded(inputs), inputs.lengths, "mean", 0)
        return Prediction(self._answer(mean, key), ())

    def prefill(self, inputs: Sequences) -> Carry:
        """The sum over the true steps `[B, H]`, and their number `[B, 1]`."""
        return pool_state("mean", self._embedded(inputs), inputs.lengths)

    def step(
        self, carry: Carry, x: Int[Array, " B"] | Float[Array, "B D"]
    ) -> tuple[Carry, Float[Array, "B C"]]:
        """One step more: the outputs are those of the sequence so far.

        Args:
            carry: from `prefill` or the step before.
            x: `[B]` tokens or `[B, D]` features.

        Returns:
            The carry, and `[B, C]` outputs.
        """
        carry, mean = pool_step("mean", carry, self._each(x))
        return carry, self._answer(mean, None)

    def _embedded(self, inputs: Sequences) -> Float[Array, "B T H"]:
        values, lengths = inputs
        if isinstance(self.spec.inputs, Tokens):
            return self._each(values)
        return self._each(zero_padding(values, lengths))

    def _each(self, x: Any) -> Array:
        if isinstance(self.spec.inputs, Tokens):
            return embed_tokens(self.embed, x)
        return self.project(x)

    def _answer(self, mean: Float[Array, "B H"], key: KeyArray | None) -> Float[Array, "B C"]:
        keys = [None] * (len(self.hidden) + 1)
        if key is not None:
            keys = list(jax.random.split(key, len(keys)))
        for layer, layer_key in zip(self.hidden, keys[:-1], strict=True):
            mean = jax.nn.relu(layer(self._dropped(mean, layer_key)))
        return self.readout(self._dropped(mean, keys[-1]))

    def _dropped(self, values: Float[Array, "B H"], key: KeyArray | None) -> Float[Array, "B H"]:
        return values if key is None else dropout(key, values, self.dropout)
