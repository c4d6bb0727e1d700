"""Our recurrences with matrix states beside the PyTorch references of flash-linear-attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from comparing import Arrays
from fla.ops.delta_rule import naive as delta_rule
from fla.ops.gated_delta_rule import naive as gated_delta_rule
from fla.ops.generalized_delta_rule.dplr import naive as dplr
from fla.ops.gla.naive import naive_recurrent_gla
from fla.ops.kda import naive as kda
from fla.ops.linear_attn import naive as linear_attn
from fla.ops.retention.naive import naive_retention
from fla.ops.simple_gla import naive as simple_gla
from flax import nnx
from our_side import of_layer, of_recurrence
from pairs import Pair, Sizes, sequence
from their_side import Function, Result, draw
from torch import Tensor, nn

from seqexp.layers.linear_attention import LinearAttention
from seqexp.recurrences import chunked

CHUNK = 64
"""Steps of a chunk of theirs, which some functions can't fill up."""
Outcome = tuple[jax.Array, jax.Array]


def linear_attention_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_recurrent_linear_attn`: no decay."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(linear_attn.naive_recurrent_linear_attn(**_stateful(a)))

    return _pair(_drawn(rng, sizes), _outer, theirs)


def retention_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_retention`: the fixed decays of RetNet; it gives no state."""
    arrays = _drawn(rng, sizes)
    del arrays["S"]

    def ours(q: jax.Array, k: jax.Array, v: jax.Array) -> Outcome:
        _, batch, heads, keys = q.shape
        g = jnp.log1p(-(2.0 ** (-5 - jnp.arange(heads))))
        g = jnp.broadcast_to(g[:, None], (*q.shape[:3], 1))
        empty = jnp.zeros((batch, heads, keys, v.shape[-1]))
        return chunked.outer(_scaled(q), k, v, g, empty, None)

    def theirs(a: Mapping[str, Tensor]) -> Result:
        ys = naive_retention(*(a[name].transpose(1, 2) for name in "qkv"))
        return ys.transpose(1, 2), {}

    function = of_recurrence(ours)
    return Pair(arrays, lambda own, inputs: (function(own, inputs)[0], {}), theirs)


def head_decay_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_recurrent_simple_gla`: a decay of each head (Mamba-2, RetNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(simple_gla.naive_recurrent_simple_gla(**_stateful(a)))

    def chunks(a: Mapping[str, Tensor]) -> Result:
        return _named(simple_gla.naive_chunk_simple_gla(**_stateful(a)))

    return _pair(_drawn(rng, sizes, g=()), _outer, theirs, chunks)


def key_decay_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_recurrent_gla`: a decay of each key (GLA)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(naive_recurrent_gla(a["q"], a["k"], a["v"], a["g"], a["S"], True))

    return _pair(_drawn(rng, sizes, g=(sizes.keys,)), _outer, theirs)


def delta_rule_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`delta_rule_recurrence` (DeltaNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        heads = (a[name].transpose(1, 2) for name in ("q", "k", "v", "beta"))
        ys, state = delta_rule.delta_rule_recurrence(*heads, initial_state=a["S"])
        return _named((ys.transpose(1, 2), state))

    return _pair(_drawn(rng, sizes, beta=()), _delta, theirs)


def gated_delta_rule_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_recurrent_gated_delta_rule`: with a decay of each head (Gated DeltaNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(gated_delta_rule.naive_recurrent_gated_delta_rule(**_stateful(a)))

    def chunks(a: Mapping[str, Tensor]) -> Result:
        return _named(gated_delta_rule.naive_chunk_gated_delta_rule(**_stateful(a)))

    return _pair(_drawn(rng, sizes, beta=(), g=()), _delta, theirs, chunks)


def kimi_delta_rule_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`naive_recurrent_kda`: with a decay of each key (KDA)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(kda.naive_recurrent_kda(**_stateful(a)))

    def chunks(a: Mapping[str, Tensor]) -> Result:
        return _named(kda.naive_chunk_kda(**_stateful(a)))

    whole = sizes.steps % CHUNK == 0
    arrays = _drawn(rng, sizes, beta=(), g=(sizes.keys,))
    return _pair(arrays, _delta, theirs, chunks if whole else None)


def low_rank_recurrence(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """`dplr_recurrence`: a diagonal and low-rank transition (RWKV-7)."""

    def ours(**a: jax.Array) -> Outcome:
        k, v, g = a["k"], a["v"], a["g"]
        return chunked.low_rank(_scaled(a["q"]), k, v, a["a"], a["b"], g, a["S"], None)

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return by(dplr.dplr_recurrence, a)

    def chunks(a: Mapping[str, Tensor]) -> Result:
        return by(dplr.dplr_chunkwise, a)

    def by(function: Callable[..., Any], a: Mapping[str, Tensor]) -> Result:
        heads = (a[name].transpose(1, 2) for name in "qkvabg")
        ys, state = function(*heads, initial_state=a["S"])
        return _named((ys.transpose(1, 2), state))

    whole = sizes.steps % CHUNK == 0
    arrays = _drawn(rng, sizes, g=(sizes.keys,))
    rate = 1 / (1 + np.exp(-rng.normal(size=arrays["k"].shape)))
    arrays |= {"a": -arrays["k"], "b": arrays["k"] * rate}
    return _pair(arrays, ours, theirs, chunks if whole else None)


def linear_attention(rng: np.random.Generator, sizes: Sizes) -> Pair:
    """The whole layer: matrices and elu(x) + 1 by torch around `naive_recurrent_linear_attn`.

    It adds 1e-10 to the denominator.
    """
    width, heads = sizes.width, sizes.heads
    keys = width // heads
    module = nn.ModuleDict(
        {name: nn.Linear(width, width, bias=False) for name in ("q", "k", "v", "leave")}
    )
    draw(module, rng, sizes.deviation, {})

    def entered(xs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (module[name](xs).unflatten(-1, (heads, -1)) for name in "qkv")
        return nn.functional.elu(q) + 1, nn.functional.elu(k) + 1, v

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        empty = torch.zeros(sizes.batch, heads, keys, keys)
        past = empty, torch.zeros(sizes.batch, 1, heads, keys)
        ys, (state, normalizer) = linear_attn.naive_recurrent_linear_attn(
            *entered(inputs["x"]), initial_state=past, output_final_state=True, normalize=True
        )
        return module["leave"](ys.flatten(-2)), {"state": state, "normalizer": normalizer[:, 0]}

    def chunks(inputs: Mapping[str, Tensor]) -> Result:
        ys: Any = linear_attn.naive_chunk_linear_attn(*entered(inputs["x"]), normalize=True)
        return module["leave"](ys.flatten(-2)), {}

    def mapped(of: Arrays) -> Arrays:
        return {
            "enter.kernel": np.concatenate([of[f"{name}.weight"] for name in "qkv"]).T,
            "leave.kernel": of["leave.weight"].T,
        }

    layer = LinearAttention(width, width, heads=heads, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: carry._asdict())
    own = sequence(rng, sizes), ours, theirs, module, mapped
    return Pair(*own, others={"chunks": chunks} if sizes.steps % CHUNK == 0 else {})


def _drawn(
    rng: np.random.Generator, sizes: Sizes, **trailing: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Queries, unit keys, values and a first state S; "g" and "beta" with these trailing axes."""
    batch, heads, keys, values = sizes.batch, sizes.heads, sizes.keys, sizes.values
    steps = batch, sizes.steps, heads
    k = rng.normal(size=(*steps, keys))
    arrays = {
        "q": rng.normal(size=(*steps, keys)),
        "k": k / np.linalg.norm(k, axis=-1, keepdims=True),
        "v": rng.normal(size=(*steps, values)),
        "S": rng.normal(size=(batch, heads, keys, values)),
    }
    if "g" in trailing:
        arrays["g"] = -np.exp(rng.normal(size=(*steps, *trailing["g"])) - 2)
    if "beta" in trailing:
        arrays["beta"] = 1 / (1 + np.exp(-rng.normal(size=steps)))
    return arrays


def _pair(
    arrays: Arrays,
    ours: Callable[..., Outcome],
    theirs: Function,
    chunks: Function | None = None,
) -> Pair:
    others = {} if chunks is None else {"chunks": chunks}
    return Pair(arrays, of_recurrence(ours), theirs, others=others)


def _stateful(a: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of those that are told to give their state."""
    named = {"initial_state" if name == "S" else name: each for name, each in a.items()}
    return named | {"output_final_state": True}


def _named(found: Any) -> Result:
    return found[0], {"state": found[1]}


def _outer(**a: jax.Array) -> Outcome:
    g = a.get("g")
    g = g[..., None] if g is not None and g.ndim == 3 else g
    return chunked.outer(_scaled(a["q"]), a["k"], a["v"], g, a["S"], None)


def _delta(**a: jax.Array) -> Outcome:
    g = a.get("g")
    g = g[..., None] if g is not None and g.ndim == 3 else g
    parts = _scaled(a["q"]), a["k"], a["v"], a["beta"][..., None]
    return chunked.delta(*parts, g, a["S"], None)


def _scaled(q: jax.Array) -> jax.Array:
    """As theirs scale queries themselves."""
    return q * q.shape[-1] ** -0.5
