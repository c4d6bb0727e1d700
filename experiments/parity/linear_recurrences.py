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
from fla.ops.gated_delta_rule.naive import naive_recurrent_gated_delta_rule
from fla.ops.generalized_delta_rule.dplr.naive import dplr_recurrence
from fla.ops.gla.naive import naive_recurrent_gla
from fla.ops.kda.naive import naive_recurrent_kda
from fla.ops.linear_attn.naive import naive_recurrent_linear_attn
from fla.ops.retention.naive import naive_retention
from fla.ops.simple_gla.naive import naive_recurrent_simple_gla
from flax import nnx
from our_side import of_layer, of_recurrence
from pairs import BATCH, HEADS, STEPS, WIDTH, Pair, sequence
from their_side import Result, doubled, draw
from torch import Tensor, nn

from seqexp.layers.linear_attention import LinearAttention
from seqexp.recurrences import chunked

KEYS, VALUES = 8, 6
Outcome = tuple[jax.Array, jax.Array]


def linear_attention_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_recurrent_linear_attn`: no decay."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        kept = naive_recurrent_linear_attn(
            a["q"], a["k"], a["v"], initial_state=a["S"], output_final_state=True
        )
        return _named(kept)

    return _pair(_drawn(rng), _outer, theirs)


def retention_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_retention`: the fixed decays of RetNet; it gives no state."""
    arrays = _drawn(rng)
    del arrays["S"]

    def ours(q: jax.Array, k: jax.Array, v: jax.Array) -> Outcome:
        g = jnp.log1p(-(2.0 ** (-5 - jnp.arange(HEADS))))
        g = jnp.broadcast_to(g[:, None], (STEPS, BATCH, HEADS, 1))
        return chunked.outer(_scaled(q), k, v, g, jnp.zeros((BATCH, HEADS, KEYS, VALUES)), None)

    def theirs(a: Mapping[str, Tensor]) -> Result:
        ys = naive_retention(*(a[name].transpose(1, 2) for name in "qkv"))
        return ys.transpose(1, 2), {}

    function = of_recurrence(ours)
    return Pair(arrays, lambda own, inputs: (function(own, inputs)[0], {}), theirs)


def head_decay_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_recurrent_simple_gla`: a decay of each head (Mamba-2, RetNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(
            naive_recurrent_simple_gla(a["q"], a["k"], a["v"], a["g"], initial_state=a["S"])
        )

    return _pair(_drawn(rng, g=()), _outer, theirs)


def key_decay_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_recurrent_gla`: a decay of each key (GLA)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        return _named(naive_recurrent_gla(a["q"], a["k"], a["v"], a["g"], a["S"], True))

    return _pair(_drawn(rng, g=(KEYS,)), _outer, theirs)


def delta_rule_recurrence(rng: np.random.Generator) -> Pair:
    """`delta_rule_recurrence` (DeltaNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        heads = (a[name].transpose(1, 2) for name in ("q", "k", "v", "beta"))
        ys, state = delta_rule.delta_rule_recurrence(*heads, initial_state=a["S"])
        return _named((ys.transpose(1, 2), state))

    return _pair(_drawn(rng, beta=()), _delta, theirs)


def gated_delta_rule_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_recurrent_gated_delta_rule`: with a decay of each head (Gated DeltaNet)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        parts: dict[str, Any] = {name: a[name] for name in ("q", "k", "v", "beta", "g")}
        return _named(
            naive_recurrent_gated_delta_rule(**parts, initial_state=a["S"], output_final_state=True)
        )

    return _pair(_drawn(rng, beta=(), g=()), _delta, theirs)


def kimi_delta_rule_recurrence(rng: np.random.Generator) -> Pair:
    """`naive_recurrent_kda`: with a decay of each key (KDA)."""

    def theirs(a: Mapping[str, Tensor]) -> Result:
        parts: dict[str, Any] = {name: a[name] for name in ("q", "k", "v", "g", "beta")}
        return _named(naive_recurrent_kda(**parts, initial_state=a["S"], output_final_state=True))

    return _pair(_drawn(rng, beta=(), g=(KEYS,)), _delta, theirs)


def low_rank_recurrence(rng: np.random.Generator) -> Pair:
    """`dplr_recurrence`: a diagonal and low-rank transition (RWKV-7)."""

    def ours(**a: jax.Array) -> Outcome:
        k, v, g = a["k"], a["v"], a["g"]
        return chunked.low_rank(_scaled(a["q"]), k, v, a["a"], a["b"], g, a["S"], None)

    def theirs(a: Mapping[str, Tensor]) -> Result:
        heads = (a[name].transpose(1, 2) for name in ("q", "k", "v", "a", "b", "g"))
        ys, state = dplr_recurrence(*heads, initial_state=a["S"])
        return _named((ys.transpose(1, 2), state))

    arrays = _drawn(rng, g=(KEYS,))
    rate = 1 / (1 + np.exp(-rng.normal(size=arrays["k"].shape)))
    return _pair(arrays | {"a": -arrays["k"], "b": arrays["k"] * rate}, ours, theirs)


def linear_attention(rng: np.random.Generator) -> Pair:
    """The whole layer: matrices and elu(x) + 1 by torch around `naive_recurrent_linear_attn`.

    It adds 1e-10 to the denominator.
    """
    with doubled():
        module = nn.ModuleDict(
            {name: nn.Linear(WIDTH, WIDTH, bias=False) for name in ("q", "k", "v", "leave")}
        )
    draw(module, rng, {})

    def theirs(inputs: Mapping[str, Tensor]) -> Result:
        q, k, v = (module[name](inputs["x"]).unflatten(-1, (HEADS, -1)) for name in "qkv")
        q, k = (nn.functional.elu(part) + 1 for part in (q, k))
        empty = torch.zeros(BATCH, HEADS, WIDTH // HEADS, WIDTH // HEADS)
        past = empty, torch.zeros(BATCH, 1, HEADS, WIDTH // HEADS)
        ys, (state, normalizer) = naive_recurrent_linear_attn(
            q, k, v, initial_state=past, output_final_state=True, normalize=True
        )
        return module["leave"](ys.flatten(-2)), {"state": state, "normalizer": normalizer[:, 0]}

    def mapped(of: Arrays) -> Arrays:
        return {
            "enter.kernel": np.concatenate([of[f"{name}.weight"] for name in "qkv"]).T,
            "leave.kernel": of["leave.weight"].T,
        }

    layer = LinearAttention(WIDTH, WIDTH, heads=HEADS, rngs=nnx.Rngs(0))
    ours = of_layer(layer, lambda carry: carry._asdict())
    return Pair(sequence(rng), ours, theirs, module, mapped)


def _drawn(rng: np.random.Generator, **trailing: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Queries, unit keys, values and a first state S; "g" and "beta" with these trailing axes."""
    steps = BATCH, STEPS, HEADS
    k = rng.normal(size=(*steps, KEYS))
    arrays = {
        "q": rng.normal(size=(*steps, KEYS)),
        "k": k / np.linalg.norm(k, axis=-1, keepdims=True),
        "v": rng.normal(size=(*steps, VALUES)),
        "S": rng.normal(size=(BATCH, HEADS, KEYS, VALUES)),
    }
    if "g" in trailing:
        arrays["g"] = -np.exp(rng.normal(size=(*steps, *trailing["g"])) - 2)
    if "beta" in trailing:
        arrays["beta"] = 1 / (1 + np.exp(-rng.normal(size=steps)))
    return arrays


def _pair(
    arrays: Arrays, ours: Callable[..., Outcome], theirs: Callable[[Mapping[str, Tensor]], Result]
) -> Pair:
    return Pair(arrays, of_recurrence(ours), theirs)


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
    return q * KEYS**-0.5
