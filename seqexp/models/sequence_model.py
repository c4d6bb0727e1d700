"""Embed, run a stack of layers, read out what the task asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
from flax import nnx
from jaxtyping import Float, Int

from seqexp.cells.protocol import Cell
from seqexp.layers import Bidirectional, Recurrent, Stack, dropout, recurrent_layer
from seqexp.layers.bidirectional import Merge
from seqexp.layers.linear import Linear
from seqexp.layers.norms import Norm, make_norm
from seqexp.models.embedding import embed_tokens, embedding_width, token_embedding
from seqexp.models.layer_kinds import LayerFactory, out_features, require_sizes, stacked_layers
from seqexp.models.pooling import POOLINGS, Pooling, pool, pool_state, pool_step
from seqexp.recurrences.remat import Remat, require_remat
from seqexp.types import (
    Array,
    Carry,
    Features,
    KeyArray,
    Layer,
    Prediction,
    SeqexpError,
    Sequences,
    TaskSpec,
    Tokens,
)


class SequenceModel(nnx.Module):
    """Embedding, a stack of layers, readout.

        e_t = E[x_t] for tokens, x_t for features
        h_1..h_T = stack(e_1..e_T)
        outputs = R pool(h_1..h_T) + b, or R h_t + b at each step

    A free answer is written by the same stack: it reads the inputs, then goes on over the prefix,
    from a second embedding, with an output at each of its steps.

    The layers are of several kinds, `layers`, or all of one: `layer`, short for `layers=[layer]`,
    or `cell`, for `layers=[recurrent_layer(cell, bidirectional, merge, remat, cell_dropout)]`.

    Args:
        spec: what the task asks for; it settles the input, the output and whether to pool.
        features: H, the width of each layer (and direction).
        depth: how often the layers stand on top of each other.
        dropout: the rate between layers and before the readout.
        residual: add a layer's input to its output where the widths agree.
        norm: "none", "layer" or "rms", of each layer's input.
        pooling: "last", "mean" or "max" over the true steps, where the task asks for one output a
            sequence.
        embed_features: width of the token embedding, which begins with the tokens' vectors where
            the spec has them; None for theirs, or H. Features are not embedded.
        final_norm: "layer" or "rms" of what the readout reads, which blocks with a residual want;
            None for none.
        layers: makers of layers, bottom first.
        layer: makes a layer from `(in_features, features, rngs=...)`.
        cell: makes a cell from `(in_features, features, rngs=...)`.
        bidirectional: read the sequence in both directions; refused by causal tasks.
        merge: "concat" or "sum" of the two directions.
        remat: gradient checkpointing, see `Recurrent`.
        cell_dropout: wraps each cell in a member of the dropout family; None for bare cells.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, unknown options, not one of `layers`, `layer` and `cell`,
            an embedding of another width than the tokens' vectors, or layers that read the future
            where the task forbids it.
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
        pooling: Pooling,
        embed_features: int | None = None,
        final_norm: Norm | None = None,
        layers: Sequence[LayerFactory] | None = None,
        layer: LayerFactory | None = None,
        cell: Callable[..., Cell] | None = None,
        bidirectional: bool = False,
        merge: Merge = "concat",
        remat: Remat = None,
        cell_dropout: Callable[[Cell], Cell] | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(features=features, depth=depth, embed_features=embed_features)
        if pooling not in POOLINGS:
            raise SeqexpError(f"model.pooling must be one of {POOLINGS}, not {pooling!r}")
        require_remat("model.remat", remat)
        options = {
            "bidirectional": bidirectional,
            "merge": merge,
            "remat": remat,
            "cell_dropout": cell_dropout,
        }
        kinds = _kinds(layers, layer, cell, options)
        self.spec = spec
        self.features = features
        self.pooling: Pooling = pooling
        self.dropout = dropout
        width = spec.inputs.size
        if isinstance(spec.inputs, Tokens):
            width = embedding_width(spec.inputs, embed_features, features)
            self.embed = token_embedding(spec.inputs, width, rngs)
        bottom = width
        stacked = stacked_layers(kinds, width, features, depth, rngs)
        self.stack = Stack(stacked, dropout=dropout, residual=residual, norm=norm, rngs=rngs)
        self.out_features = width = self.stack.out_features
        self.forward_features = _forward_features(spec, pooling, stacked)
        self.final_norm = make_norm(final_norm or "none", width, rngs)
        self.readout = Linear(width, spec.output_size, rngs=rngs)
        if spec.answer == "free":
            self.embed_prefix = nnx.Embed(spec.output_size, bottom, rngs=rngs)

    @staticmethod
    def without_effect(
        spec: TaskSpec,
        *,
        features: int,
        depth: int,
        embed_features: int | None = None,
        final_norm: Norm | None = None,
        layers: Sequence[LayerFactory] | None = None,
        layer: LayerFactory | None = None,
        cell: Callable[..., Cell] | None = None,
        bidirectional: bool = False,
        merge: Merge = "concat",
        **_: Any,
    ) -> dict[str, Any]:
        """The arguments that change nothing on a task, each with its neutral value."""
        found: dict[str, Any] = {}
        if spec.answer != "sequence":
            found["pooling"] = "last"
        if cell is not None and not bidirectional:
            found["merge"] = "concat"
        if final_norm == "none":
            found["final_norm"] = None
        usual = embedding_width(spec.inputs, None, features)
        if isinstance(spec.inputs, Features) or embed_features == usual:
            found["embed_features"] = None
        kinds = _kinds(layers, layer, cell, {"bidirectional": bidirectional, "merge": merge})
        if depth * len(kinds) == 1:
            width = spec.inputs.size
            if isinstance(spec.inputs, Tokens):
                width = embed_features or usual
            if width != out_features(kinds[0], width, features):
                found["residual"] = False
        return found

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The stack's, bottom first."""
        return tuple(self.stack.layers)

    def parameter_parts(self) -> Mapping[str, tuple[nnx.Param, ...]]:
        """Recurrent parameters of all layers; embeddings; the readout's kernel and bias."""
        embeddings = [self.embed] if isinstance(self.spec.inputs, Tokens) else []
        if self.spec.answer == "free":
            embeddings.append(self.embed_prefix)
        assert self.readout.bias is not None
        return {
            "recurrent": self.stack.recurrent_parameters,
            "embedding": tuple(embed.embedding for embed in embeddings),
            "readout": (self.readout.kernel, self.readout.bias),
        }

    def stepwise(self) -> SequenceModel:
        """The same model with each layer `stepwise`."""
        copy = jax.tree.map(lambda leaf: leaf, self)
        copy.stack = self.stack.stepwise()
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
            prefix: `[B, U]` tokens of a free answer, shifted right; None elsewhere.
            key: draws dropout; None for evaluation.
        """
        stack_key, readout_key = (None, None) if key is None else jax.random.split(key)
        if prefix is not None:
            input_key, stack_key = (
                (None, None) if stack_key is None else jax.random.split(stack_key)
            )
            _, carry = self._read(inputs, input_key)
            ys, hidden, _ = self.stack(
                embed_tokens(self.embed_prefix, prefix.values), prefix.lengths, carry, stack_key
            )
        else:
            ys, hidden, _ = self.stack(self._embedded(inputs.values), inputs.lengths, key=stack_key)
        if self.spec.answer == "sequence":
            ys = pool(ys, inputs.lengths, self.pooling, self.forward_features)
        return Prediction(self._answers(ys, readout_key), hidden)

    def initial_carry(self, batch_size: int) -> Carry:
        """The layers' carries of an empty past."""
        return self.stack.initial_carry(batch_size, self.spec.max_length)

    def read(
        self, inputs: Sequences, carry: Carry, *, key: KeyArray | None = None
    ) -> tuple[Prediction, Carry]:
        """Run sequences that go on from a carry, where the spec is `stateful`.

        Args:
            inputs: `[B, T]` tokens or `[B, T, D]` features; what stands at padding never matters.
            carry: the layers' carries, of `initial_carry` or behind what was read before.
            key: draws dropout; None for evaluation.

        Returns:
            `[B, T, C]` outputs, and the carry behind the last true steps.
        """
        stack_key, readout_key = (None, None) if key is None else jax.random.split(key)
        xs = self._embedded(inputs.values)
        ys, hidden, carry = self.stack(xs, inputs.lengths, carry, stack_key)
        return Prediction(self._answers(ys, readout_key), hidden), carry

    def prefill(self, inputs: Sequences) -> Carry:
        """Read what is given: the layers' carries behind it, and the pooling's.

        Raises:
            SeqexpError: if a layer reads the future.
        """
        for layer in self.layers:
            if not layer.causal:
                raise SeqexpError(
                    f"a {type(layer).__name__} layer reads the whole sequence, so the model cannot "
                    "decode: use a unidirectional model"
                )
        ys, carry = self._read(inputs, None)
        return carry, pool_state(self._step_pooling, ys, inputs.lengths)

    def step(
        self, carry: Carry, x: Int[Array, " B"] | Float[Array, "B D"]
    ) -> tuple[Carry, Float[Array, "B C"]]:
        """One step of decoding; the outputs are those of the sequence so far.

        Args:
            carry: from `prefill` or the step before.
            x: `[B]` tokens or `[B, D]` features; of a free answer, tokens.

        Returns:
            The carry, and `[B, C]` outputs.

        Raises:
            SeqexpError: if a layer reads the future.
        """
        layers, pooled = carry
        free = self.spec.answer == "free"
        embedded = embed_tokens(self.embed_prefix, x) if free else self._embedded(x)
        layers, y = self.stack.step(layers, embedded)
        pooled, y = pool_step(self._step_pooling, pooled, y)
        return (layers, pooled), self._answers(y, None)

    def _answers(self, ys: Array, key: KeyArray | None) -> Array:
        ys = ys if self.final_norm is None else self.final_norm(ys)
        return self.readout(ys if key is None else dropout(key, ys, self.dropout))

    def _read(self, inputs: Sequences, key: KeyArray | None) -> tuple[Float[Array, "B T P"], Carry]:
        """The stack's outputs for inputs, and its carry behind them with room for an answer."""
        most = self.spec.max_length + (self.spec.max_answer_length or 0)
        start = self.stack.initial_carry(inputs.lengths.shape[0], most)
        ys, _, carry = self.stack(self._embedded(inputs.values), inputs.lengths, start, key)
        return ys, carry

    @property
    def _step_pooling(self) -> Pooling:
        return self.pooling if self.spec.answer == "sequence" else "last"

    def _embedded(self, inputs: Array) -> Array:
        return embed_tokens(self.embed, inputs) if isinstance(self.spec.inputs, Tokens) else inputs


def _kinds(
    layers: Sequence[LayerFactory] | None,
    layer: LayerFactory | None,
    cell: Callable[..., Cell] | None,
    options: Mapping[str, Any],
) -> Sequence[LayerFactory]:
    """The makers of layers; `layer` and `cell` are short for one."""
    if sum(given is not None for given in (layers, layer, cell)) != 1:
        raise SeqexpError(
            "a model is made of model.cell, model.layer or model.layers: give one of the three"
        )
    if cell is not None:
        return [partial(recurrent_layer, cell=cell, **options)]
    neutral = {"bidirectional": False, "merge": "concat", "remat": None, "cell_dropout": None}
    for name, value in options.items():
        if value != neutral[name]:
            raise SeqexpError(
                f"model.{name} is for models of one cell: with model.layer or model.layers set it "
                "in the file of a layer"
            )
    if layer is not None:
        return [layer]
    if not layers:
        raise SeqexpError("model.layers is empty: name at least one layer")
    return layers


def _forward_features(spec: TaskSpec, pooling: Pooling, layers: Sequence[Layer]) -> int:
    """How many of the top layer's units run forward in time. Refuses what reads the future."""
    for layer in layers:
        if layer.causal or not (spec.causal or spec.answer == "free"):
            continue
        why = "this task is causal (an output may only depend on the inputs up to it)"
        if spec.answer == "free":
            why = "a free answer is written step by step, by the same layers that read the inputs"
        what = "model.bidirectional=true reads the future; set model.bidirectional=false"
        if not isinstance(layer, Bidirectional):
            what = f"a {type(layer).__name__} layer reads the future; use causal layers"
        raise SeqexpError(f"{why}, and {what}")
    top = layers[-1]
    if isinstance(top, Bidirectional):
        if top.merge == "concat":
            return top.forward.out_features
        if pooling == "last" and spec.answer == "sequence":
            raise SeqexpError(
                "model.pooling=last needs the two directions apart: use model.merge=concat, or "
                "model.pooling=mean or max"
            )
    if isinstance(top, Recurrent) and top.reverse:
        return 0
    return top.out_features
