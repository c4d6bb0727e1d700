"""The dropout family: what is dropped, when, how often, and what is refused."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.layers import DropConnect, RecurrentDropout, Variational, Zoneout, dropout
from seqexp.types import SeqexpError
from tests import variants
from tests.variants import WRAPPERS, drawn, quick_jit, wrapper_names

D, H, B, T = 3, 4, 2, 5
KEY = jax.random.key(7)


def elman():
    return drawn(lambda: Elman(D, H, rngs=nnx.Rngs(0)), np.float32)


def lstm():
    return drawn(lambda: LSTM(D, H, rngs=nnx.Rngs(0)), np.float32)


def sequences(batch=B):
    return np.random.default_rng(0).normal(size=(batch, T, D)).astype(np.float32)


@partial(quick_jit, static_argnames=("batch", "steps"))
def draw(cell, batch, steps):
    return cell.dropout_masks(KEY, batch, steps)


@partial(quick_jit, static_argnames="rate")
def plain(xs, rate):
    return dropout(KEY, xs, rate)


@quick_jit
def unroll(cell, xs, dropout=None):
    return variants.unroll(cell, xs, dropout=dropout)


def test_the_table_of_variants_has_every_wrapper():
    assert set(WRAPPERS) == wrapper_names()


@pytest.mark.parametrize(
    "wrap, name, shape",
    [
        (lambda c: Variational(c, input_rate=0.5, hidden_rate=0), "input", (1, B, D)),
        (lambda c: Variational(c, input_rate=0, hidden_rate=0.5), "hidden", (1, B, H)),
        (lambda c: RecurrentDropout(c, rate=0.5), "update", (T, B, H)),
        (lambda c: DropConnect(c, rate=0.5), "kernel", (1, H, 4 * H)),
    ],
)
def test_each_draws_its_own_mask_once_a_sequence_or_once_a_step(wrap, name, shape):
    masks = draw(wrap(lstm()), B, T)
    assert set(masks) == {name}
    mask = masks[name]
    assert mask.shape == shape
    assert set(np.unique(mask)) == {0, 2}
    if shape[0] == T:
        assert any(np.any(mask[0] != later) for later in mask[1:])


def test_zoneout_draws_every_part_at_every_step():
    zone = draw(Zoneout(lstm(), rate=0.5), B, T)["zone"]
    assert zone.c.shape == zone.h.shape == (T, B, H)
    assert zone.c.dtype == zone.h.dtype == bool
    assert np.any(zone.c[0] != zone.c[1]) and np.any(zone.c != zone.h)


def test_masks_keep_their_mean_and_their_rate():
    mask = draw(RecurrentDropout(lstm(), rate=0.3), 100, 100)["update"]
    assert abs(np.mean(mask == 0) - 0.3) < 0.01
    np.testing.assert_allclose(mask.max(), 1 / 0.7, rtol=1e-6)
    assert abs(mask.mean() - 1) < 0.01
    zone = draw(Zoneout(lstm(), rate={"c": 0.5, "h": 0.1}), 100, 100)["zone"]
    assert abs(zone.c.mean() - 0.5) < 0.01 and abs(zone.h.mean() - 0.1) < 0.01


def test_a_steps_masks_do_not_depend_on_how_far_the_batch_is_padded():
    cell = Zoneout(RecurrentDropout(lstm(), rate=0.5), rate=0.5)
    short, long = draw(cell, B, T), draw(cell, B, T + 4)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:T]), short, long)
    xs = jnp.ones((B, T + 4, D))
    np.testing.assert_array_equal(plain(xs[:, :T], 0.5), plain(xs, 0.5)[:, :T])


def test_variational_masks_fall_on_inputs_and_on_hidden_units_entering_the_matrix():
    cell, xs = elman(), sequences()
    masks = draw(Variational(cell, input_rate=0.5, hidden_rate=0.5), B, T)
    ys, _ = unroll(Variational(cell, input_rate=0.5, hidden_rate=0.5), xs, masks)
    h, expected = np.zeros((B, H)), []
    for t in range(T):
        seen = xs[:, t] * masks["input"][0], h * masks["hidden"][0]
        h = np.tanh(
            seen[0] @ cell.input_kernel[...] + seen[1] @ cell.recurrent_kernel[...] + cell.bias[...]
        )
        expected.append(h)
    np.testing.assert_allclose(ys, np.stack(expected, axis=1), atol=1e-5)


def test_recurrent_dropout_falls_on_the_update_and_never_on_the_memory():
    cell = lstm()
    carry = jax.tree.map(lambda part: part + 0.5, cell.initial_carry(B))
    x = jnp.asarray(sequences()[:, 0])
    (c_full, _), _ = cell.step(carry, x)
    (c_none, _), _ = cell.step(carry, x, {"update": jnp.zeros((B, H))})
    (c_twice, _), _ = cell.step(carry, x, {"update": jnp.full((B, H), 2.0)})
    pre = x @ cell.input_kernel[...] + carry.h @ cell.recurrent_kernel[...] + cell.bias[...]
    forget = jax.nn.sigmoid(pre[:, H : 2 * H])
    np.testing.assert_allclose(c_none, forget * carry.c, atol=1e-6)
    np.testing.assert_allclose(c_twice - c_full, c_full - c_none, atol=1e-6)


def test_recurrent_dropout_of_a_gru_keeps_the_state_that_the_gate_keeps():
    cell = drawn(lambda: GRU(D, H, rngs=nnx.Rngs(0)), np.float32)
    carry = jax.tree.map(lambda part: part + 0.5, cell.initial_carry(B))
    x = jnp.asarray(sequences()[:, 0])
    (h,), _ = cell.step(carry, x, {"update": jnp.zeros((B, H))})
    pre = x @ cell.input_kernel[...] + carry.h @ cell.recurrent_kernel[...] + cell.bias[...]
    np.testing.assert_allclose(h, jax.nn.sigmoid(pre[:, H : 2 * H]) * carry.h, atol=1e-6)


def test_zoned_out_units_keep_their_value_and_the_others_the_cells():
    bare = lstm()
    cell = Zoneout(bare, rate=0.5)
    carry = jax.tree.map(lambda part: part + 0.5, bare.initial_carry(B))
    x = jnp.asarray(sequences()[:, 0])
    new, _ = bare.step(carry, x)
    zone = jax.tree.map(lambda mask: mask[0], draw(cell, B, T))["zone"]
    zoned, y = cell.step(carry, x, {"zone": zone})
    for part in ("c", "h"):
        kept, old = getattr(zone, part), getattr(carry, part)
        assert 0 < kept.sum() < kept.size
        np.testing.assert_array_equal(getattr(zoned, part), np.where(kept, old, getattr(new, part)))
    np.testing.assert_array_equal(y, zoned.h)
    mean, y = cell.step(carry, x)
    np.testing.assert_allclose(mean.c, 0.5 * carry.c + 0.5 * new.c, atol=1e-6)
    np.testing.assert_array_equal(y, mean.h)


def test_zoneout_takes_a_rate_for_each_part():
    bare = lstm()
    carry = jax.tree.map(lambda part: part + 0.5, bare.initial_carry(B))
    x = jnp.asarray(sequences()[:, 0])
    new, _ = bare.step(carry, x)
    mean, _ = Zoneout(bare, rate={"c": 0.9, "h": 0}).step(carry, x)
    np.testing.assert_allclose(mean.c, 0.9 * carry.c + 0.1 * new.c, atol=1e-6)
    np.testing.assert_array_equal(mean.h, new.h)


def test_drop_connect_masks_the_recurrent_kernel_alone():
    bare, xs = lstm(), sequences()
    cell = DropConnect(bare, rate=0.5)
    masks = draw(cell, B, T)
    before = np.array(bare.recurrent_kernel[...])
    ys, final = unroll(cell, xs, masks)
    np.testing.assert_array_equal(bare.recurrent_kernel[...], before)
    bare.recurrent_kernel[...] = before * np.asarray(masks["kernel"][0])
    jax.tree.map(np.testing.assert_array_equal, (ys, final), unroll(bare, xs))


@pytest.mark.parametrize("part", ["input", "zone"])
def test_the_mean_over_draws_is_the_evaluation_where_the_cell_is_linear(part):
    """A relu network with positive weights and inputs is linear."""
    bare = drawn(lambda: Elman(D, H, activation="relu", rngs=nnx.Rngs(0)), np.float32)
    bare = jax.tree.map(lambda leaf: 0.5 * np.abs(leaf), bare)
    cell = (
        Zoneout(bare, rate=0.4)
        if part == "zone"
        else Variational(bare, input_rate=0.4, hidden_rate=0)
    )
    draws = 20_000
    xs = np.broadcast_to(np.abs(sequences(1)), (draws, T, D))
    ys, _ = unroll(cell, xs, draw(cell, draws, T))
    expected, _ = unroll(cell, xs[:1])
    error = ys.mean(axis=0) - expected[0]
    assert np.all(np.abs(error) < 5 * ys.std(axis=0) / np.sqrt(draws))


NO_DROPOUT = {
    "Variational": lambda c: Variational(c, input_rate=0, hidden_rate=0),
    "RecurrentDropout": lambda c: RecurrentDropout(c, rate=0),
    "Zoneout": lambda c: Zoneout(c, rate=0),
    "DropConnect": lambda c: DropConnect(c, rate=0),
}


@pytest.mark.parametrize("name", NO_DROPOUT)
def test_rate_zero_draws_nothing_and_changes_nothing(name):
    bare, xs = lstm(), sequences()
    cell = NO_DROPOUT[name](bare)
    masks = draw(cell, B, T)
    assert masks == {}
    expected = unroll(bare, xs)
    jax.tree.map(np.testing.assert_array_equal, unroll(cell, xs, masks), expected)


@pytest.mark.parametrize("name", sorted(set(WRAPPERS) - {"Zoneout"}))
def test_evaluation_is_that_of_the_bare_cell(name):
    bare, xs = lstm(), sequences()
    expected = unroll(bare, xs)
    jax.tree.map(np.testing.assert_array_equal, unroll(WRAPPERS[name](bare), xs), expected)


def test_the_order_of_wrappers_does_not_matter_to_what_they_do():
    bare, xs = lstm(), sequences()
    wraps = list(WRAPPERS.values())
    inward, outward = bare, bare
    for wrap in wraps:
        inward = wrap(inward)
    for wrap in reversed(wraps):
        outward = wrap(outward)
    masks = draw(inward, B, T)
    assert set(masks) == {"input", "hidden", "update", "kernel", "zone"}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        unroll(inward, xs, masks),
        unroll(outward, xs, masks),
    )


@pytest.mark.parametrize("name", WRAPPERS)
def test_two_wrappers_of_a_kind_are_refused(name):
    wrap = WRAPPERS[name]
    with pytest.raises(SeqexpError, match="two wrappers of one cell both draw the dropout mask"):
        wrap(DropConnect(wrap(lstm()), rate=0))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_rates_outside_zero_to_one_are_refused(rate):
    cell = lstm()
    for build in (
        lambda: Variational(cell, input_rate=rate, hidden_rate=0),
        lambda: Variational(cell, input_rate=0, hidden_rate=rate),
        lambda: RecurrentDropout(cell, rate=rate),
        lambda: Zoneout(cell, rate=rate),
        lambda: Zoneout(cell, rate={"c": rate, "h": 0}),
        lambda: DropConnect(cell, rate=rate),
        lambda: dropout(KEY, jnp.ones((B, T)), rate),
    ):
        with pytest.raises(SeqexpError, match="at least 0 and below 1"):
            build()


def test_a_cell_that_cannot_is_refused_when_it_is_wrapped():
    with pytest.raises(SeqexpError, match="no update to drop"):
        RecurrentDropout(elman(), rate=0.5)
    with pytest.raises(SeqexpError, match="carry consists of"):
        Zoneout(elman(), rate={"c": 0.5, "h": 0.5})

    cell = elman()
    del cell.recurrent_kernel
    with pytest.raises(SeqexpError, match="one recurrent_kernel; this one has 0"):
        DropConnect(cell, rate=0.5)


def test_plain_dropout_zeroes_and_scales():
    xs = jnp.ones((100, 100, 2))
    ys = plain(xs, 0.3)
    assert abs(np.mean(ys == 0) - 0.3) < 0.02
    np.testing.assert_allclose(ys.max(), 1 / 0.7, rtol=1e-6)
    assert dropout(KEY, xs, 0) is xs
    assert plain(jnp.ones((3, 5), jnp.bfloat16), 0.3).dtype == jnp.bfloat16
