"""Embed, run a stack of recurrent layers, read out what the task asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.cells.protocol import Cell
from seqexp.layers import Bidirectional, Recurrent, Stack, dropout
from seqexp.models.pooling import POOLINGS, Pooling, initial_pool, pool, pool_step
from seqexp.recurrences.remat import Remat, require_remat
from seqexp.types import Array, Carry, Prediction, SeqexpError, TaskSpec

Merge = Literal["concat", "sum"]


class SequenceModel(nnx.Module):
    """Embedding, a stack of recurrent layers, readout.

        e_t = E[x_t] for tokens, x_t for features
        h_1..h_T = stack(e_1..e_T)
        outputs = R pool(h_1..h_T) + b, or R h_t + b at each step

    Args:
        spec: what the task asks for; it settles the input, the output and whether to pool.
        cell: makes a cell from `(in_features, features, rngs=...)`.
        features: H, the hidden units of each layer and direction.
        depth: how many layers.
        bidirectional: read the sequence in both directions; refused by causal tasks.
        merge: "concat" or "sum" of the two directions.
        dropout: the rate between layers and before the readout.
        residual: add a layer's input to its output where the widths agree.
        norm: "none", "layer" or "rms", of each layer's input.
        pooling: "last", "mean" or "max" over the true steps, where the task asks for one output a
            sequence.
        embed_features: width of the token embedding; None for H. Features are not embedded.
        remat: keep for the backward pass only every so many steps' carry, "auto" for every
            sqrt(T), and compute the rest again: less memory for more time. None keeps everything.
        cell_dropout: wraps each cell in a member of the dropout family; None for bare cells.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, unknown options, or a causal task and a bidirectional model.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        cell: Callable[..., Cell],
        features: int,
        depth: int,
        bidirectional: bool,
        merge: Merge,
        dropout: float,
        residual: bool,
        norm: Literal["none", "layer", "rms"],
        pooling: Pooling,
        embed_features: int | None = None,
        remat: Remat = None,
        cell_dropout: Callable[[Cell], Cell] | None = None,
        rngs: nnx.Rngs,
    ):
        _check(spec, features, depth, bidirectional, merge, pooling, embed_features)
        require_remat("model.remat", remat)
        self.spec = spec
        self.features = features
        self.pooling: Pooling = pooling
        self.dropout = dropout
        width = spec.input_size
        if spec.inputs == "tokens":
            width = embed_features or features
            self.embed = nnx.Embed(spec.input_size, width, rngs=rngs)

        def new_cell(in_features: int) -> Cell:
            bare = cell(in_features, features, rngs=rngs)
            return bare if cell_dropout is None else cell_dropout(bare)

        layers: list[Recurrent | Bidirectional] = []
        for _ in range(depth):
            if bidirectional:
                layer = Bidirectional(new_cell(width), new_cell(width), merge=merge, remat=remat)
            else:
                layer = Recurrent(new_cell(width), remat=remat)
            layers.append(layer)
            width = layer.out_features
        self.stack = Stack(layers, dropout=dropout, residual=residual, norm=norm, rngs=rngs)
        self.out_features = width
        self.forward_features = width // 2 if bidirectional else width
        self.readout = nnx.Linear(width, spec.output_size, rngs=rngs)

    @staticmethod
    def without_effect(
        spec: TaskSpec,
        *,
        cell: Callable[..., Cell],
        features: int,
        depth: int,
        bidirectional: bool,
        merge: Merge,
        embed_features: int | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """The arguments that change nothing on a task, each with its neutral value."""
        found: dict[str, Any] = {}
        if spec.outputs == "step":
            found["pooling"] = "last"
        if not bidirectional:
            found["merge"] = "concat"
        if spec.inputs == "features" or embed_features == features:
            found["embed_features"] = None
        if depth == 1:
            width = spec.input_size
            if spec.inputs == "tokens":
                width = embed_features or features
            out = _out_features(cell, width, features)
            if width != (2 * out if bidirectional and merge == "concat" else out):
                found["residual"] = False
        return found

    def __call__(self, inputs: Array, lengths: Array, key: Array | None = None) -> Prediction:
        """Run whole sequences.

        Args:
            inputs: `[B, T]` tokens or `[B, T, D]` features.
            lengths: `[B]` true lengths; what stands beyond them never matters.
            key: draws dropout; None for evaluation.
        """
        stack_key, readout_key = (None, None) if key is None else jax.random.split(key)
        ys, hidden, _ = self.stack(self._embedded(inputs), lengths, key=stack_key)
        if self.spec.outputs == "sequence":
            ys = pool(ys, lengths, self.pooling, self.forward_features)
        if readout_key is not None:
            ys = dropout(readout_key, ys, self.dropout)
        return Prediction(self.readout(ys), hidden)

    def initial_carry(self, batch_size: int) -> Carry:
        """The carry before the first step: the layers' and the pooling's."""
        layers = self.stack.initial_carry(batch_size, self.spec.length)
        return layers, initial_pool(self._step_pooling, batch_size, self.out_features)

    def step(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """One step of decoding; the outputs are those of the sequence so far.

        Args:
            carry: from `initial_carry` or the step before.
            inputs: `[B]` tokens or `[B, D]` features.

        Returns:
            The carry, and `[B, C]` outputs.

        Raises:
            SeqexpError: if the model is bidirectional.
        """
        layers, pooled = carry
        layers, y = self.stack.step(layers, self._embedded(inputs))
        pooled, y = pool_step(self._step_pooling, pooled, y)
        return (layers, pooled), self.readout(y)

    @property
    def _step_pooling(self) -> Pooling:
        return self.pooling if self.spec.outputs == "sequence" else "last"

    def _embedded(self, inputs: Array) -> Array:
        if self.spec.inputs == "features":
            return inputs
        # Padding may hold any token; one that is no row of the table would read NaN.
        return self.embed(jnp.clip(inputs, 0, self.spec.input_size - 1))


def _out_features(cell: Callable[..., Cell], in_features: int, features: int) -> int:
    """P: a cell may give out another width than it has units, a projection, say."""
    found: list[int] = []
    jax.eval_shape(lambda: found.append(cell(in_features, features, rngs=nnx.Rngs(0)).out_features))
    return found[0]


def _check(
    spec: TaskSpec,
    features: Any,
    depth: Any,
    bidirectional: bool,
    merge: str,
    pooling: str,
    embed_features: Any,
) -> None:
    for name, size in (
        ("features", features),
        ("depth", depth),
        ("embed_features", embed_features),
    ):
        if size is None and name == "embed_features":
            continue
        if not isinstance(size, int) or size < 1:
            raise SeqexpError(f"model.{name} must be a whole number of at least 1, not {size!r}")
    if merge not in get_args(Merge):
        raise SeqexpError(f"model.merge must be one of {get_args(Merge)}, not {merge!r}")
    if pooling not in POOLINGS:
        raise SeqexpError(f"model.pooling must be one of {POOLINGS}, not {pooling!r}")
    if bidirectional and spec.causal:
        raise SeqexpError(
            "this task is causal (an output may only depend on the inputs up to it), and "
            "model.bidirectional=true reads the future; set model.bidirectional=false"
        )
    if bidirectional and merge == "sum" and pooling == "last" and spec.outputs == "sequence":
        raise SeqexpError(
            "model.pooling=last needs the two directions apart: use model.merge=concat, or "
            "model.pooling=mean or max"
        )
