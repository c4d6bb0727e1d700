"""Architectures in the speed study: what a program does, and layers split over cores."""

from __future__ import annotations

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.full import full


def test_products_within_loops_count_as_often_as_the_loops_turn(study):
    own_form = study("own_form")

    def cell(matrix, xs):
        def turn(h, x):
            return jnp.tanh(h @ matrix + x), h

        return jax.lax.scan(turn, jnp.zeros((4, 8)), xs)

    work = own_form.work_of(cell, np.zeros((8, 8), np.float32), np.zeros((10, 4, 8), np.float32))
    assert work.products == Counter({own_form.Product(1, 4, 8, 8): 10})
    assert work.turns == 10
    assert work.functions == 10 * 4 * 8
    assert work.numbers == 10 * 4 * 8


def test_batched_products_and_those_in_calls_and_gradients_are_told_by_their_sizes(study):
    own_form = study("own_form")

    @jax.checkpoint
    def scores(q, k):
        return jnp.einsum("bnqk,bnsk->bnqs", q, k)

    q, k = np.zeros((2, 3, 5, 7), np.float32), np.zeros((2, 3, 11, 7), np.float32)
    assert own_form.work_of(scores, q, k).products == {own_form.Product(6, 5, 7, 11): 1}

    def slopes(q, k, cotangent):
        return jax.vjp(scores, q, k)[1](cotangent)

    found = own_form.work_of(slopes, q, k, np.zeros((2, 3, 5, 11), np.float32)).products
    # dq = c k, dk = c^T q, in either order of their sides.
    sizes = {(each.batch, each.inner, *sorted((each.rows, each.columns))) for each in found}
    assert {(6, 11, 5, 7), (6, 5, 7, 11)} <= sizes


def test_a_convolution_of_all_inputs_is_a_product_and_one_of_each_by_itself_is_not(study):
    own_form = study("own_form")

    def convolved(xs, kernel, groups=1):
        return jax.lax.conv_general_dilated(
            xs,
            kernel,
            (1,),
            "SAME",
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=groups,
        )

    xs = np.zeros((2, 9, 4), np.float32)
    work = own_form.work_of(convolved, xs, np.zeros((3, 4, 6), np.float32))
    assert work.products == {own_form.Product(1, 18, 12, 6): 1}
    each = own_form.work_of(lambda *a: convolved(*a, groups=4), xs, np.zeros((3, 1, 4), np.float32))
    assert not each.products and each.numbers == 2 * 2 * 9 * 4 * 3


def test_what_the_backward_pass_needs_is_kept_less_what_goes_in(study):
    own_form = study("own_form")
    x = np.zeros((16, 4), np.float32)
    # Of x e^x the exponential beside x; of a sum nothing.
    assert own_form.kept_bytes(lambda x: jax.lax.mul(jax.lax.exp(x), x), x) == x.nbytes
    assert own_form.kept_bytes(jnp.sum, x) == 0


def test_a_roofline_has_a_time_for_every_kind_of_work(study, monkeypatch):
    own_form = study("own_form")
    taken = {"_seconds_of_a_copied_byte": 3.0, "empty_step": 5.0, "_function": 7.0, "_number": 11.0}
    for name, value in taken.items():
        monkeypatch.setattr(own_form, name, lambda devices, value=value: value)
    monkeypatch.setattr(own_form, "product_seconds", lambda *sizes: 2.0)
    work = own_form.Work(Counter({own_form.Product(1, 2, 3, 4): 10}), 100, 1000, 10_000)
    found = own_form.roofline(work, 7, 1)
    assert found == (20.0, 21.0, 500.0, 117_000.0)
    assert found.seconds == 541.0


def test_every_layer_of_the_menu_takes_part(study):
    names = study("menu_layers").menu()
    assert len(names) == 34 and {"gru", "mamba", "transformer"} <= set(names)


@pytest.mark.parametrize("name", ["gru", full("rg_lru")])
def test_a_batch_split_over_devices_gives_the_gradients_of_the_whole(study, name):
    layers = study("menu_layers")
    if len(jax.local_devices()) < 2:
        pytest.skip("one device")
    one, two = (
        layers.Pass(name, study("shapes").Shape(4, 6, 8, 8), devices).run() for devices in (1, 2)
    )
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("script", ["architectures", "precisions"])
def test_a_layer_that_is_not_there_is_told(study, capsys, script):
    with pytest.raises(SystemExit):
        study(script).main(["gruu"])
    assert "no layer gruu" in capsys.readouterr().err


def test_a_pass_in_bfloat16_is_near_that_in_float32_and_no_more(study):
    layers = study("menu_layers")
    shape = study("shapes").Shape(4, 6, 8, 8)
    full, low = (layers.Pass("gru", shape, 1, each).run() for each in ("float32", "bfloat16"))
    for a, b in zip(jax.tree.leaves(full), jax.tree.leaves(low), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.1, atol=0.1)
    assert np.abs(full[0] - low[0]).max() > 1e-4


def test_each_precision_of_a_layer_is_timed(study, monkeypatch):
    precisions = study("precisions")
    monkeypatch.setattr(precisions, "BUDGET", precisions.Budget(seconds=0.0, rounds=1))
    full, low = precisions.measured("gru", 4, 1)
    assert full > 0 and low > 0


def test_our_recurrences_are_those_of_another_library(study):
    pytest.importorskip("jla", reason="jax-linear-attention is not installed (wants its own jax)")
    public = study("public")
    for name, recurrence in public.RECURRENCES.items():
        largest, where = public.difference(recurrence, public.Sizes(2, 75, 2, 8, 6))
        assert largest < public.TOLERANCE, f"{name}: {where}"
