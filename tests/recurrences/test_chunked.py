"""Recurrences whose state is a matrix, chunk by chunk, against their equations in plain loops."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import SeqexpError
from tests.full import full
from tests.variants import quick_jit

T, B, N, K, V = 7, 3, 2, 3, 4
MASK = np.arange(T)[:, None] < np.array([T, 4, 0])
RULES = ("outer", "delta", "low_rank")
DECAYS = ("none", "head", "key")


def draw(rule: str, decay: str, steps: int = T, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs of a rule, and the state before them."""
    rng = np.random.default_rng(seed)
    names = {"outer": "", "delta": "beta", "low_rank": "ab"}[rule]
    inputs = {name: rng.normal(0, 0.5, (steps, B, N, K)) for name in "qk"}
    inputs |= {"v": rng.normal(size=(steps, B, N, V)), "state": rng.normal(size=(B, N, K, V))}
    if names == "beta":
        inputs["beta"] = rng.uniform(0, 2, (steps, B, N, 1))
        inputs["k"] /= np.linalg.norm(inputs["k"], axis=-1, keepdims=True)
    elif names:
        inputs |= {name: rng.normal(0, 0.5, (steps, B, N, K)) for name in names}
    if decay != "none":
        inputs["log_decay"] = -rng.exponential(1, (steps, B, N, 1 if decay == "head" else K))
    return inputs


def slow(rule: str, inputs: dict[str, np.ndarray], mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """Each head of each sequence by itself, step by step, with the transition as a matrix."""
    ys, final = np.zeros_like(inputs["v"]), inputs["state"].copy()
    for b in range(B):
        for n in range(N):
            S = final[b, n]
            for t in range(len(ys)):
                if mask is not None and not mask[t, b]:
                    continue
                now = {name: x[t, b, n] for name, x in inputs.items() if name != "state"}
                D = np.diag(np.exp(now.get("log_decay", np.zeros(K))) * np.ones(K))
                if rule == "outer":
                    S = D @ S + np.outer(now["k"], now["v"])
                elif rule == "delta":
                    beta, k = now["beta"][0], now["k"]
                    S = (np.eye(K) - beta * np.outer(k, k)) @ D @ S + beta * np.outer(k, now["v"])
                else:
                    S = (D + np.outer(now["b"], now["a"])) @ S + np.outer(now["k"], now["v"])
                ys[t, b, n] = S.T @ now["q"]
            final[b, n] = S
    return ys, final


def fast(rule: str, inputs: dict[str, Any], mask: Any, chunk: int | None = None) -> Any:
    return getattr(chunked, rule)(**{"log_decay": None} | inputs, mask=mask, chunk=chunk)


def by_steps(rule: str, inputs: dict[str, Any], mask: Any) -> Any:
    """The step of `matrix_state`, scanned."""
    inputs = {"log_decay": None} | inputs
    first = inputs.pop("state")
    keep = jnp.ones(inputs["v"].shape[:2], bool) if mask is None else mask

    def body(state: Any, at: Any) -> Any:
        now, keep = at
        new, y = getattr(matrix_state, rule)(state, **now)
        return where_mask(keep, new, state), where_mask(keep, y, jnp.zeros_like(y))

    final, ys = jax.lax.scan(body, first, (inputs, keep))
    return ys, final


def with_gradients(run: Any, inputs: Any) -> Any:
    def score(inputs: Any) -> Any:
        results = run(inputs)
        return sum(jnp.sum(jnp.sin(part)) for part in results), results

    (_, results), gradients = jax.value_and_grad(score, has_aux=True)(inputs)
    return results, gradients


def assert_close(got: Any, want: Any, rtol: float = 1e-10) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


CASES = [(r, d) for r in RULES for d in DECAYS if (r, d) != ("low_rank", "none")]
QUICK = [("delta", "head"), ("low_rank", "key")]
cases = pytest.mark.parametrize(
    ("rule", "decay"), [case if case in QUICK else full(*case) for case in CASES]
)


@cases
def test_outputs_states_and_gradients_are_those_of_a_loop(rule, decay):
    """With chunks that don't divide the length, and one that is longer."""
    inputs = draw(rule, decay)
    runs = [partial(by_steps, rule, mask=MASK)]
    runs += [partial(fast, rule, mask=MASK, chunk=chunk) for chunk in (3, None)]
    with jax.enable_x64(True):
        want, *got = quick_jit(lambda inputs: [with_gradients(run, inputs) for run in runs])(inputs)
    assert_close(want[0], slow(rule, inputs, MASK))
    for results in got:
        assert_close(results, want)


@cases
def test_without_a_mask_every_step_is_real(rule, decay):
    inputs = draw(rule, decay)
    with jax.enable_x64(True):
        got = quick_jit(partial(fast, rule, mask=None, chunk=2))(inputs)
    assert_close(got, slow(rule, inputs, None))


@pytest.mark.full
@pytest.mark.parametrize("chunk", [1, 2, 4, 7, 16])
@pytest.mark.parametrize(("rule", "decay"), CASES)
def test_the_chunk_changes_nothing(rule, decay, chunk):
    inputs = draw(rule, decay)
    with jax.enable_x64(True):
        got = quick_jit(partial(fast, rule, mask=MASK, chunk=chunk))(inputs)
    assert_close(got, slow(rule, inputs, MASK))


@pytest.mark.parametrize("decay", [full("head"), "key"])
@pytest.mark.parametrize("rule", ["outer", full("delta"), full("low_rank")])
def test_decays_of_nothing_and_of_everything_are_exact_in_float32(rule, decay):
    """Of exp(-50), exp(-1000) and 1, in any order: nothing overflows, and what is kept is right."""
    steps = 40
    inputs = draw(rule, decay, steps)
    shape = inputs["log_decay"].shape
    inputs["log_decay"] = -np.random.default_rng(2).choice([0, 1e-3, 50, 1000], shape)
    single = {name: x.astype(np.float32) for name, x in inputs.items()}
    run = partial(with_gradients, partial(fast, rule, mask=None, chunk=16))
    results, gradients = quick_jit(run)(single)
    want = slow(rule, inputs, None)
    size = max(np.abs(part).max() for part in want)
    # Differences of sums down to 16 times -87 are off by so many units of the last place.
    rtol = 16 * 87 * float(np.finfo(np.float32).eps)
    assert_close([x / size for x in results], [x / size for x in want], rtol=rtol)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


@pytest.mark.full
@pytest.mark.parametrize("decay", ["head", "key"])
def test_memory_over_thousands_of_steps_stays_exact(decay):
    steps = 3000
    inputs = draw("delta", decay, steps)
    inputs["log_decay"] = inputs["log_decay"] * 1e-4
    with jax.enable_x64(True):
        got = quick_jit(partial(fast, "delta", mask=None))(inputs)
    assert_close(got, slow("delta", inputs, None), rtol=1e-9)


@pytest.mark.full
def test_the_delta_rule_reflects_without_growing_in_float32():
    """Equal keys and beta of 2: each step flips one direction of the state, as Householder's."""
    steps = 200
    inputs = draw("delta", "none", steps)
    inputs["k"][:] = inputs["k"][:1]
    inputs["beta"][:] = 2
    inputs["v"][:] = 0
    single = {name: x.astype(np.float32) for name, x in inputs.items()}
    _, state = quick_jit(partial(fast, "delta", mask=None))(single)
    np.testing.assert_allclose(state, inputs["state"], atol=2e-4)


@pytest.mark.full
def test_keys_that_all_heads_share_are_broadcast():
    inputs = draw("outer", "head")
    inputs |= {name: inputs[name][:, :, :1] for name in "qk"}
    spread = inputs | {name: np.repeat(inputs[name], N, 2) for name in "qk"}
    with jax.enable_x64(True):
        got = quick_jit(partial(fast, "outer", mask=MASK, chunk=3))(inputs)
    assert_close(got, slow("outer", spread, MASK))


@pytest.mark.full
@pytest.mark.parametrize(("rule", "decay"), CASES)
def test_what_stands_at_padding_never_matters(rule, decay):
    clean = draw(rule, decay)
    dirty = clean | {
        name: np.where(MASK[..., None, None], x, -1e30)
        for name, x in clean.items()
        if name != "state"
    }
    with jax.enable_x64(True):
        run = quick_jit(partial(with_gradients, partial(fast, rule, mask=MASK, chunk=2)))
        want, got = run(clean), run(dirty)
    assert_close(got, want)
    (ys, _), gradients = got
    for name, array in (gradients | {"ys": ys}).items():
        if name != "state":
            np.testing.assert_array_equal(np.asarray(array)[~MASK], 0)


@pytest.mark.full
@pytest.mark.parametrize("rule", RULES)
def test_members_under_vmap_are_each_alone(rule):
    members = [draw(rule, "key", seed=seed) for seed in range(2)]
    run = partial(with_gradients, partial(fast, rule, mask=MASK, chunk=3))
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *parts: np.stack(parts), *members)
        together = quick_jit(jax.vmap(run))(stacked)
        for index, member in enumerate(members):
            alone = quick_jit(run)(member)
            assert_close(jax.tree.map(lambda part, at=index: part[at], together), alone)


def kept_numbers(rule: str, steps: int) -> int:
    inputs = jax.tree.map(jnp.asarray, draw(rule, "head", steps))
    kept = jax.vjp(lambda inputs: fast(rule, inputs, None, chunk=8), inputs)[1]
    return sum(leaf.size for leaf in jax.tree.leaves(kept))


@pytest.mark.full
@pytest.mark.parametrize("rule", RULES)
def test_the_gradient_keeps_inputs_and_the_states_between_chunks(rule):
    inputs = draw(rule, "head", 32)
    of_inputs = sum(x.size for name, x in inputs.items() if name != "state")
    states = 32 // 8 * B * N * K * V
    assert kept_numbers(rule, 32) <= 1.15 * (of_inputs + states)


def test_an_impossible_chunk_is_refused():
    with pytest.raises(SeqexpError, match="chunk must be a whole number of at least 1, or null"):
        fast("outer", draw("outer", "none"), None, chunk=0)
