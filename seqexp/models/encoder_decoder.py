"""One stack reads a source, another writes the answer, and attends to what the first one read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from seqexp.cells.protocol import Cell
from seqexp.layers import Bidirectional, Recurrent, Stack, dropout
from seqexp.layers.linear import Linear
from seqexp.layers.norms import Norm
from seqexp.models.attention import Attended, Attention, Memory, make_attention
from seqexp.models.embedding import embed_tokens, embedding_width, token_embedding
from seqexp.models.layer_kinds import (
    LayerFactory,
    out_features,
    require_sizes,
    stacked_layers,
    with_option,
)
from seqexp.models.pooling import pool
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


class Source(NamedTuple):
    """A source that was read, as the decoder sees it.

    Attributes:
        summary: `[B, P]`, the encoder's last outputs, of each direction its own; 0 of no step.
        memory: what is attended to; None without attention.
    """

    summary: Float[Array, "B P"]
    memory: Memory | None


class EncoderDecoder(nnx.Module):
    """An encoder, a decoder, and attention between them, for free answers.

        h_1 .. h_T = encoder(E_x[x_1] .. E_x[x_T]),    c = h_T
        s_1 .. s_U = decoder([E_y[y_0]; c] .. [E_y[y_{U-1}]; c])
        context_u = sum_t a_ut h_t,    a_u = softmax over t of score(s_u, h_t)
        outputs_u = R tanh(W [context_u; s_u] + w) + b

    with y_0 .. y_{U-1} the answer shifted right behind its start. Attention follows the decoder's
    top output (global attention, Luong et al. 2015, https://arxiv.org/abs/1508.04025), so that it
    works with any layers; there is no input feeding. Each step of the decoder, which starts from an
    empty past, reads c (Cho et al. 2014, https://arxiv.org/abs/1406.1078): the encoder's output at
    the last true step, with both directions the last that each has read. Without attention c is all
    that the decoder knows of the source, and outputs_u = R s_u + b.

    Args:
        spec: what the task asks for: free answers to tokens or features.
        features: H, the width of each layer (and direction), of W and of additive attention.
        depth: how often the layers stand on top of each other, in encoder and decoder.
        dropout: the rate between layers and before the readout.
        residual: add a layer's input to its output where the widths agree.
        norm: "none", "layer" or "rms", of each layer's input.
        attention: "additive" (Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473),
            "multiplicative" (Luong et al. 2015, "general") or None.
        bidirectional: the encoder reads in both directions; for recurrent layers.
        layers: makers of layers, bottom first, which must be causal in the decoder.
        encoder_layers: makers of the encoder's, which may read the future; None for `layers`.
        embed_features: width of both token embeddings, of which that of the source begins with the
            tokens' vectors where the spec has them; None for theirs, or H. Features are not
            embedded.
        cell_dropout: wraps each cell in a member of the dropout family; for recurrent layers.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for a spec without free answers, sizes below 1, unknown options, no layers,
            an embedding of another width than the tokens' vectors, or a decoder that reads the
            future.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        features: int,
        depth: int,
        dropout: float,
        residual: bool,
        norm: Norm,
        attention: Attention | None,
        bidirectional: bool,
        layers: Sequence[LayerFactory],
        encoder_layers: Sequence[LayerFactory] | None = None,
        embed_features: int | None = None,
        cell_dropout: Callable[[Cell], Cell] | None = None,
        rngs: nnx.Rngs,
    ):
        if spec.answer != "free":
            raise SeqexpError(
                "an encoder-decoder writes free answers, and this task has one answer a "
                f"{spec.answer}: use another model"
            )
        require_sizes(features=features, depth=depth, embed_features=embed_features)
        if attention not in (None, *get_args(Attention)):
            raise SeqexpError(
                f"model.attention must be additive, multiplicative or null, not {attention!r}"
            )
        readers, writers = _kinds(layers, encoder_layers, bidirectional, cell_dropout)
        self.spec = spec
        self.dropout = dropout
        embedding = width = embedding_width(spec.inputs, embed_features, features)
        if isinstance(spec.inputs, Tokens):
            self.embed = token_embedding(spec.inputs, embedding, rngs)
        else:
            width = spec.inputs.size
        options: dict[str, Any] = {"dropout": dropout, "residual": residual, "norm": norm}
        reading = stacked_layers(readers, width, features, depth, rngs)
        self.encoder = Stack(reading, **options, rngs=rngs)
        self.forward_features = _forward_features(reading[-1])
        P = self.encoder.out_features
        self.embed_prefix = nnx.Embed(spec.output_size, embedding, rngs=rngs)
        writing = stacked_layers(writers, embedding + P, features, depth, rngs)
        _require_causal(writing)
        self.decoder = Stack(writing, **options, rngs=rngs)
        width = self.decoder.out_features
        self.attend = make_attention(attention, width, P, features, rngs=rngs)
        if self.attend is not None:
            self.join = Linear(P + width, features, rngs=rngs)
            width = features
        self.readout = Linear(width, spec.output_size, rngs=rngs)

    @staticmethod
    def without_effect(
        spec: TaskSpec,
        *,
        features: int,
        depth: int,
        layers: Sequence[LayerFactory],
        bidirectional: bool,
        encoder_layers: Sequence[LayerFactory] | None = None,
        embed_features: int | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """The arguments that change nothing on a task, each with its neutral value."""
        found: dict[str, Any] = {}
        usual = embedding_width(spec.inputs, None, features)
        if embed_features == usual:
            found["embed_features"] = None
        readers, writers = _kinds(layers, encoder_layers, bidirectional, None)
        if depth * len(readers) == depth * len(writers) == 1:
            embedding = embed_features or usual
            width = embedding if isinstance(spec.inputs, Tokens) else spec.inputs.size
            P = out_features(readers[0], width, features)
            if P != width and embedding + P != out_features(writers[0], embedding + P, features):
                found["residual"] = False
        return found

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the encoder, then those of the decoder, bottom first."""
        return (*self.encoder.layers, *self.decoder.layers)

    def parameter_parts(self) -> Mapping[str, tuple[nnx.Param, ...]]:
        """Recurrent parameters of all layers; embeddings; the readout's kernel and bias. Those of
        attention are in none."""
        embeddings = [self.embed] if isinstance(self.spec.inputs, Tokens) else []
        embeddings.append(self.embed_prefix)
        assert self.readout.bias is not None
        return {
            "recurrent": self.encoder.recurrent_parameters + self.decoder.recurrent_parameters,
            "embedding": tuple(embed.embedding for embed in embeddings),
            "readout": (self.readout.kernel, self.readout.bias),
        }

    def stepwise(self) -> EncoderDecoder:
        """The same model with each layer `stepwise`."""
        copy = jax.tree.map(lambda leaf: leaf, self)
        copy.encoder, copy.decoder = self.encoder.stepwise(), self.decoder.stepwise()
        return copy

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
            prefix: `[B, U]` tokens of the answer, shifted right.
            key: draws dropout; None for evaluation.

        Returns:
            `[B, U, C]` outputs; what the layers give: `[B, T, P]` those of the encoder, then
            `[B, U, P]` those of the decoder; and the weights of `attention`.
        """
        keys = (None, None, None) if key is None else jax.random.split(key, 3)
        source, read = self._read(inputs, keys[0])
        ys, written = self._write(source, _required(prefix), keys[1])
        attended = self._attended(source, ys)
        ys = self._joined(attended, ys)
        if keys[2] is not None:
            ys = dropout(keys[2], ys, self.dropout)
        weights = None if attended is None else attended.weights
        return Prediction(self.readout(ys), (*read, *written), weights)

    def attention(self, inputs: Sequences, prefix: Sequences) -> Float[Array, "B U T"]:
        """The weights a_ut with which each step of an answer attends to those of its source.

        Args:
            inputs: `[B, T]` tokens or `[B, T, D]` features.
            prefix: `[B, U]` tokens of the answer, shifted right.

        Returns:
            `[B, U, T]`, 0 at padding of the source; what stands at padding of the answer means
            nothing.

        Raises:
            SeqexpError: for a model without attention.
        """
        weights = self(inputs, prefix).attention
        if weights is None:
            raise SeqexpError(
                "this model has no attention: use model.attention=additive or multiplicative"
            )
        return weights

    def prefill(self, inputs: Sequences) -> Carry:
        """Read the source: the decoder's carries before its first step, and the source as read."""
        source, _ = self._read(inputs, None)
        return self._initial_carry(inputs.lengths.shape[0]), source

    def step(self, carry: Carry, x: Int[Array, " B"]) -> tuple[Carry, Float[Array, "B C"]]:
        """One step of decoding.

        Args:
            carry: from `prefill` or the step before.
            x: `[B]`, the next token of the answer.

        Returns:
            The carry, and `[B, C]` outputs.
        """
        layers, source = carry
        embedded = embed_tokens(self.embed_prefix, x)
        layers, y = self.decoder.step(layers, jnp.concatenate([embedded, source.summary], -1))
        ys = y[:, None]
        return (layers, source), self.readout(self._joined(self._attended(source, ys), ys)[:, 0])

    def _read(self, inputs: Sequences, key: KeyArray | None) -> tuple[Source, tuple[Array, ...]]:
        xs, lengths = inputs
        if isinstance(self.spec.inputs, Tokens):
            xs = embed_tokens(self.embed, xs)
        hs, hidden, _ = self.encoder(xs, lengths, key=key)
        summary = pool(hs, lengths, "last", self.forward_features)
        summary = jnp.where(lengths[:, None] > 0, summary, 0)
        memory = None
        if self.attend is not None:
            mask = jnp.arange(hs.shape[1]) < lengths[:, None]
            memory = self.attend.memory(hs, mask)
        return Source(summary, memory), hidden

    def _write(
        self, source: Source, prefix: Sequences, key: KeyArray | None
    ) -> tuple[Float[Array, "B U P"], tuple[Array, ...]]:
        embedded = embed_tokens(self.embed_prefix, prefix.values)
        shape = (*embedded.shape[:2], source.summary.shape[-1])
        summary = jnp.broadcast_to(source.summary[:, None], shape)
        xs = jnp.concatenate([embedded, summary], axis=-1)
        carry = self._initial_carry(len(xs))
        ys, hidden, _ = self.decoder(xs, prefix.lengths, carry, key)
        return ys, hidden

    def _initial_carry(self, batch_size: int) -> Carry:
        assert self.spec.max_answer_length is not None
        return self.decoder.initial_carry(batch_size, self.spec.max_answer_length)

    def _attended(self, source: Source, ys: Float[Array, "B U P"]) -> Attended | None:
        if self.attend is None or source.memory is None:
            return None
        return self.attend(ys, source.memory)

    def _joined(
        self, attended: Attended | None, ys: Float[Array, "B U P"]
    ) -> Float[Array, "B U H"]:
        """The decoder's outputs, each with the context that it attends to."""
        if attended is None:
            return ys
        return jnp.tanh(self.join(jnp.concatenate([attended.context, ys], axis=-1)))


def _required(prefix: Sequences | None) -> Sequences:
    if prefix is None:
        raise SeqexpError("an encoder-decoder needs a prefix: the answer, shifted right")
    return prefix


def _kinds(
    layers: Sequence[LayerFactory],
    encoder_layers: Sequence[LayerFactory] | None,
    bidirectional: bool,
    cell_dropout: Callable[[Cell], Cell] | None,
) -> tuple[Sequence[LayerFactory], Sequence[LayerFactory]]:
    """The makers of the encoder's layers, and of the decoder's."""
    readers, writers = layers if encoder_layers is None else encoder_layers, layers
    for name, kinds in (("layers", writers), ("encoder_layers", readers)):
        if not kinds:
            raise SeqexpError(f"model.{name} is empty: name at least one layer")
    if cell_dropout is not None:
        readers, writers = (
            with_option(k, "cell_dropout", cell_dropout) for k in (readers, writers)
        )
    if bidirectional:
        readers = with_option(readers, "bidirectional", True)
    return readers, writers


def _require_causal(writing: Sequence[Layer]) -> None:
    for layer in writing:
        if not layer.causal:
            raise SeqexpError(
                f"a {type(layer).__name__} layer reads the future, and an answer is written step "
                "by step: use it in model.encoder_layers, or set model.bidirectional=true"
            )


def _forward_features(top: Layer) -> int:
    """How many of the top layer's units run forward in time."""
    if isinstance(top, Bidirectional) and top.merge == "concat":
        return top.forward.out_features
    return 0 if isinstance(top, Recurrent) and top.reverse else top.out_features
