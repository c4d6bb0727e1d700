"""Our recurrences with matrix states, and the selective scan, against jax-linear-attention's.

    python experiments/speed/public.py [--quick]

Outputs, final states and all gradients against its references, which compute token by token; then
the time of forward and backward against its chunked forms in plain JAX, of three lengths of a chunk
the fastest. Needs `pip install jax-linear-attention`, which wants a jax of its own: an environment
for it alone, with seqexp installed in it by `pip install --no-deps`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jla.ops import chunked as theirs
from jla.ops import reference
from jla.ops.rwkv7 import rwkv7, rwkv7_chunked
from timing import Budget, Contestant, Measured, interleaved

from seqexp.recurrences import chunked, selective_scan
from seqexp.recurrences.exponential_gates import stabilized

Arrays = Mapping[str, jax.Array]
Result = tuple[jax.Array, jax.Array]
CHUNKS, KEYED_CHUNKS = (16, 32, 64), (16, 32)
"""Lengths of theirs that are tried; where a key has its own decay, longer ones take much longer."""
BUDGET = Budget(seconds=0.0, rounds=3)
TOLERANCE = 2e-4
"""Of the largest number of an array; both sides compute in float32."""


class Sizes(NamedTuple):
    """`heads` heads of `keys` keys and `values` values; of the selective scan, as many units."""

    batch: int
    time: int
    heads: int
    keys: int
    values: int


class Recurrence(NamedTuple):
    """One recurrence as three programs of the same arrays `[B, T, ...]`.

    Attributes:
        draw: the arrays.
        ours: outputs `[B, T, N, V]` and final state.
        reference: theirs, token by token.
        chunked: theirs in chunks of so many steps.
    """

    draw: Callable[[Sizes, np.random.Generator], dict[str, np.ndarray]]
    ours: Callable[[Arrays], Result]
    reference: Callable[[Arrays], Result]
    chunked: Callable[[Arrays, int], Result]


def drawn(kind: str, sizes: Sizes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Queries, unit keys, values, and what the kind has of decays and shares."""
    batch, steps, heads, keys, values = sizes
    own = batch, steps, heads

    def of(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    k = of(*own, keys)
    arrays = {"q": of(*own, keys), "k": k / np.linalg.norm(k, axis=-1, keepdims=True)}
    arrays["v"] = of(*own, values)
    if "head" in kind:
        arrays["g"] = -np.exp(of(*own) - 2)
    if "key" in kind:
        arrays["g"] = -np.exp(of(*own, keys) - 2)
    if "delta" in kind:
        arrays["beta"] = 1 / (1 + np.exp(-of(*own)))
    if "low rank" in kind:
        rate = 1 / (1 + np.exp(-of(*own, keys)))
        arrays["a"], arrays["b"] = -arrays["k"], arrays["k"] * rate
    if "exponential" in kind:
        arrays["g"], arrays["i"] = -np.exp(of(*own) - 3), 2 * of(*own)
    return arrays


def drawn_scan(sizes: Sizes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Of Mamba's selective scan: `heads * values` units of `keys` numbers."""
    batch, steps, heads, keys, values = sizes
    units = heads * values

    def of(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return {
        "u": of(batch, steps, units),
        "dt": np.exp(0.5 * of(batch, steps, units) - 3),
        "A": -np.exp(of(units, keys)),
        "B": of(batch, steps, keys),
        "C": of(batch, steps, keys),
    }


def time_first(array: jax.Array) -> jax.Array:
    """`[B, T, ...]` to `[T, B, ...]`, or back."""
    return jnp.swapaxes(array, 0, 1)


def empty(arrays: Arrays) -> jax.Array:
    """The state before the first step."""
    batch, _, heads, keys = arrays["q"].shape
    return jnp.zeros((batch, heads, keys, arrays["v"].shape[-1]))


def outer(arrays: Arrays) -> Result:
    """Ours of a decayed sum of outer products."""
    q, k, v, g = (time_first(arrays[name]) for name in "qkvg")
    g = g[..., None] if g.ndim == 3 else g
    ys, state = chunked.outer(q, k, v, g, empty(arrays), None)
    return time_first(ys), state


def delta(arrays: Arrays) -> Result:
    """Ours of the delta rule."""
    q, k, v, beta = (time_first(arrays[name]) for name in ("q", "k", "v", "beta"))
    g = time_first(arrays["g"]) if "g" in arrays else None
    g = g[..., None] if g is not None and g.ndim == 3 else g
    ys, state = chunked.delta(q, k, v, beta[..., None], g, empty(arrays), None)
    return time_first(ys), state


def low_rank(arrays: Arrays) -> Result:
    """Ours of a diagonal and low-rank transition."""
    parts = (time_first(arrays[name]) for name in "qkvabg")
    ys, state = chunked.low_rank(*parts, empty(arrays), None)
    return time_first(ys), state


def exponential(arrays: Arrays) -> Result:
    """Ours of mLSTM: numerator and normalizer from one product, as its layer computes them.

    The final state is in units of exp(m), of which only theirs has a gradient: it is left out.
    """
    q, k, v, g, i = (time_first(arrays[name]) for name in "qkvgi")
    batch, _, heads, keys = arrays["q"].shape
    log_decay, scale, ms, _ = stabilized(g, i, jnp.full((batch, heads), -jnp.inf), None)
    # Nothing is there before the first step.
    log_decay = log_decay.at[0].set(0)
    v = jnp.concatenate([v, jnp.ones_like(v[..., :1])], -1)
    state = jnp.zeros((batch, heads, keys, v.shape[-1]))
    ys, state = chunked.outer(q, k * scale[..., None], v, log_decay[..., None], state, None)
    ys = ys[..., :-1] / jnp.maximum(jnp.abs(ys[..., -1:]), jnp.exp(-ms)[..., None])
    return time_first(ys), jax.lax.stop_gradient(state[..., :-1])


def scanned(arrays: Arrays) -> Result:
    """Ours of the selective scan."""
    u, dt, B, C = (time_first(arrays[name]) for name in ("u", "dt", "B", "C"))
    A = arrays["A"].T
    ys, state = selective_scan.unroll(u, dt, A, B, C, jnp.zeros((u.shape[1], *A.shape)), None)
    return time_first(ys), jnp.swapaxes(state, 1, 2)


def their(function: Callable[..., Any], arrays: Arrays, **options: Any) -> Result:
    """One of theirs, with queries as they are."""
    return function(**arrays, scale=1.0, output_final_state=True, **options)


def their_mlstm(function: Callable[..., Any], arrays: Arrays, **options: Any) -> Result:
    """Theirs, whose final state has three parts."""
    ys, state = their(function, arrays, eps=0.0, **options)
    return ys, jax.lax.stop_gradient(state[0])


def their_rwkv7(function: Callable[..., Any], arrays: Arrays, **options: Any) -> Result:
    """Theirs, whose decay is called w."""
    named = {"w" if name == "g" else name: array for name, array in arrays.items()}
    return their(function, named, **options)


def their_scan(function: Callable[..., Any], arrays: Arrays, **options: Any) -> Result:
    """Theirs, whose queries and keys are C and B."""
    names = {"u": "v", "dt": "dt", "A": "a", "B": "k", "C": "q"}
    return their(function, {names[name]: array for name, array in arrays.items()}, **options)


def pair(kind: str, ours: Any, name: str, call: Any = their) -> Recurrence:
    """A recurrence that has one name in both of their modules."""
    slow, fast = getattr(reference, name), getattr(theirs, name)
    return Recurrence(
        partial(drawn, kind), ours, partial(call, slow), lambda a, n: call(fast, a, chunk_size=n)
    )


RECURRENCES = {
    "decay of a head (RetNet, Mamba-2)": pair("head", outer, "simple_gla"),
    "decay of a key (GLA)": pair("key", outer, "gla"),
    "delta rule (DeltaNet)": pair("delta", delta, "delta_rule"),
    "delta rule, decay of a head (Gated DeltaNet)": pair("delta head", delta, "gated_delta_rule"),
    "delta rule, decay of a key (KDA)": pair("delta key", delta, "kda"),
    "diagonal plus low rank (RWKV-7)": Recurrence(
        partial(drawn, "key low rank"),
        low_rank,
        partial(their_rwkv7, rwkv7),
        lambda a, n: their_rwkv7(rwkv7_chunked, a, chunk_size=n),
    ),
    "exponential gates (mLSTM)": pair("exponential", exponential, "mlstm", their_mlstm),
    "selective scan (Mamba)": pair("", scanned, "mamba1", their_scan)._replace(draw=drawn_scan),
}


def gradients(function: Callable[[Arrays], Result]) -> Callable[[Arrays, Result], Any]:
    """Outputs and final state, and the gradient of every array for given cotangents."""

    def compute(arrays: Arrays, cotangents: Result) -> Any:
        result, pull = jax.vjp(function, arrays)
        return result, pull(cotangents)[0]

    return compute


def difference(recurrence: Recurrence, sizes: Sizes) -> tuple[float, str]:
    """The largest difference from the reference, of an array's largest number, and which it is."""
    rng = np.random.default_rng(1)
    arrays = recurrence.draw(sizes, rng)
    ends = jax.eval_shape(recurrence.ours, arrays)
    cotangents = tuple(rng.normal(size=end.shape).astype(np.float32) for end in ends)
    found = [
        jax.jit(gradients(each))(arrays, cotangents)
        for each in (recurrence.ours, recurrence.reference)
    ]
    (ours, our_slopes), (wanted, slopes) = jax.tree.map(np.asarray, found)
    both = {"outputs": (ours[0], wanted[0]), "final state": (ours[1], wanted[1])}
    both |= {f"gradient of {name}": (our_slopes[name], slopes[name]) for name in arrays}
    return max((np.abs(a - b).max() / np.abs(b).max(), name) for name, (a, b) in both.items())


def timed(recurrence: Recurrence, sizes: Sizes, devices: int) -> dict[str, Measured]:
    """Forward and backward of "ours" and of the fastest of "theirs", in turn, the batch split."""
    rng = np.random.default_rng(2)
    arrays = recurrence.draw(sizes, rng)
    ends = jax.eval_shape(recurrence.ours, arrays)
    cotangents = tuple(rng.normal(size=end.shape).astype(np.float32) for end in ends)
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), ("batch",))
    # A of the selective scan is a parameter.
    split = {name: PartitionSpec(*([] if name == "A" else ["batch"])) for name in arrays}
    specs = split, PartitionSpec("batch")
    at = jax.tree.map(partial(NamedSharding, mesh), specs)
    given = jax.device_put((arrays, cotangents), (at[0], (at[1], at[1])))

    def program(function: Callable[[Arrays], Result]) -> Callable[[], Any]:
        def compute(arrays: Arrays, cotangents: Result) -> Any:
            result, slopes = gradients(function)(arrays, cotangents)
            if "A" in slopes:
                slopes = dict(slopes) | {"A": jax.lax.psum(slopes["A"], "batch")}
            return result, slopes

        compiled = jax.jit(
            jax.shard_map(
                compute,
                mesh=mesh,
                in_specs=specs,
                out_specs=(PartitionSpec("batch"), split),
                check_vma=False,
            )
        )
        return lambda: jax.block_until_ready(compiled(*given))

    keyed = "g" in arrays and arrays["g"].ndim == 4
    chunks = KEYED_CHUNKS if keyed else CHUNKS
    contestants = [Contestant("ours", "", program(recurrence.ours))]
    contestants += [
        Contestant("theirs", str(n), program(partial(recurrence.chunked, n=n))) for n in chunks
    ]
    for each in contestants:
        each.run()
    return interleaved(contestants, BUDGET)


def main() -> int:
    """Compare all; the exit code is 1 if a number differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="whether the numbers agree, no times")
    options = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 2)
    wrong = 0
    print(
        "| recurrence | largest difference | of | ours, ms | theirs, ms | chunk | theirs / ours |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, recurrence in RECURRENCES.items():
        largest, where = difference(recurrence, Sizes(2, 75, 2, 8, 6))
        wrong += not largest < TOLERANCE
        row = f"| {name} | {largest:.1g} | {where} |"
        if not options.quick:
            scan = "scan" in name
            sizes = Sizes(8, 2048, 1, 16, 512) if scan else Sizes(8, 2048, 4, 64, 64)
            found = timed(recurrence, sizes, 2)
            ours, theirs = found["ours"].seconds, found["theirs"].seconds
            row += f" {ours * 1e3:.0f} | {theirs * 1e3:.0f} | {found['theirs'].how} |"
            row += f" {theirs / ours:.2f} |"
        print(row, flush=True)
    if wrong:
        print(f"{wrong} of {len(RECURRENCES)} recurrences differ by more than {TOLERANCE:g}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
