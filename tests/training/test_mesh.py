"""The mesh: what shares a device, what a batch is split over, and that it changes nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from seqexp.training import Hyper, Program
from seqexp.training.members import _if_working
from seqexp.training.mesh import (
    BATCH,
    WORTH_A_DEVICE,
    auto_batch_devices,
    devices_at_work,
    group_mesh,
    slice_widths,
    summed,
)
from seqexp.types import SeqexpError
from tests.full import full
from tests.training.small import HYPERS, assert_bitwise, digits, experiment, row_of, trained

PLENTY = 1e3 * WORTH_A_DEVICE


def pretend(monkeypatch, devices: int, platform: str = "cpu") -> None:
    """Let this machine seem to have other devices."""
    machine = [SimpleNamespace(platform=platform)] * devices
    monkeypatch.setattr(jax, "local_devices", lambda: machine)


@pytest.mark.parametrize(
    ("devices", "members", "batch_size", "flops", "expected"),
    [
        (2, 1, 32, PLENTY, 2),
        (2, 2, 32, PLENTY, 1),
        (2, 9, 32, PLENTY, 1),
        (1, 1, 32, PLENTY, 1),
        (2, 1, 33, PLENTY, 1),
        (8, 1, 12, PLENTY, 6),
        (8, 1, 32, PLENTY, 8),
        (8, 3, 32, PLENTY, 2),
        (8, 1, 32, 4 * WORTH_A_DEVICE, 4),
        (8, 1, 32, 3.9 * WORTH_A_DEVICE, 2),
        (8, 1, 32, 1.9 * WORTH_A_DEVICE, 1),
    ],
)
def test_auto_gives_spare_devices_a_share_where_it_pays(
    devices, members, batch_size, flops, expected
):
    assert auto_batch_devices(members, batch_size, flops, devices) == expected


def test_auto_does_not_split_where_nothing_was_measured(monkeypatch):
    pretend(monkeypatch, 8, "gpu")
    assert auto_batch_devices(1, 32, PLENTY, 8) == 1


@pytest.mark.parametrize("wrong", ["automatic", 0, 3, 1.0, True, None])
def test_what_is_no_number_of_devices_is_refused(wrong):
    with pytest.raises(SeqexpError, match="choose auto or a whole number from 1 to 2"):
        group_mesh(1, wrong)


@pytest.mark.parametrize(
    ("platform", "members", "rows", "expected"),
    [
        ("cpu", 8, 2, [1]),
        ("gpu", 1, 1, [1]),
        ("gpu", 5, 1, [1, 2, 4, 5]),
        ("gpu", 8, 1, [1, 2, 4, 8]),
        ("gpu", 9, 2, [1, 2, 4, 5]),
    ],
)
def test_widths_are_powers_of_two_and_all_that_a_device_has(platform, members, rows, expected):
    device = SimpleNamespace(platform=platform)
    mesh = SimpleNamespace(devices=np.asarray([[device]] * rows))
    assert slice_widths(members, mesh) == expected  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("platform", "devices", "members", "batch_devices", "expected"),
    [
        ("cpu", 1, 1, 1, (1, 1)),
        ("cpu", 2, 1, 1, (2, 1)),
        ("cpu", 2, 3, 1, (2, 1)),
        ("cpu", 2, 1, 2, (1, 2)),
        ("cpu", 8, 1, 1, (2, 1)),
        ("cpu", 8, 3, 1, (3, 1)),
        ("cpu", 8, 1, 3, (1, 3)),
        ("cpu", 8, 9, 4, (2, 4)),
        ("gpu", 8, 1, 1, (1, 1)),
        ("gpu", 8, 3, 2, (3, 2)),
    ],
)
def test_a_member_alone_on_a_cpu_has_the_program_of_several_devices(
    monkeypatch, platform, devices, members, batch_devices, expected
):
    """Bitwise what it is in a group: XLA may round otherwise in a program for one device."""
    pretend(monkeypatch, devices, platform)
    monkeypatch.setattr("seqexp.training.mesh.Mesh", lambda grid, _: SimpleNamespace(devices=grid))
    assert group_mesh(members, batch_devices).devices.shape == expected


@pytest.mark.parametrize(
    ("platform", "devices", "cores", "asked", "expected"),
    [
        ("cpu", 2, 1, None, 1),
        ("cpu", 2, 4, None, 2),
        ("cpu", 4, 4, None, 4),
        ("cpu", 2, 1, "2", 2),
        ("gpu", 8, 4, None, 8),
    ],
)
def test_no_more_cpu_devices_work_than_there_are_cores_unless_asked(
    monkeypatch, platform, devices, cores, asked, expected
):
    pretend(monkeypatch, devices, platform)
    monkeypatch.setattr("seqexp.training.mesh.usable_cores", lambda: cores)
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    if asked is not None:
        monkeypatch.setenv("JAX_NUM_CPU_DEVICES", asked)
    assert devices_at_work() == expected
    if platform == "cpu":
        with pytest.raises(SeqexpError, match=f"this machine has {expected} cpu device"):
            group_mesh(1, expected + 1)


def rows(states) -> list[list[int]]:
    """The steps that each row of the mesh has taken, by slice."""
    return [np.asarray(state.step).tolist() for state in states]


def test_the_second_device_of_a_member_alone_rests(setting):
    small, splits, (states, _, _) = setting
    alone = Program.of(small, splits, HYPERS[:1], group_mesh(1, 1))
    begun, _ = alone.advance(alone.init(), np.asarray([3]))
    assert rows(begun) == [[3, 0]]
    kept = alone.keep_best(begun, np.asarray([True]))
    best, trained_to = (jax.tree.leaves(tree) for tree in (kept[0].best_params, begun[0].params))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(best, trained_to, strict=True))
    first = jax.tree.leaves(alone.init()[0].best_params)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(best, first, strict=True))


def test_a_device_that_rests_plans_nothing_where_that_is_a_question_of_numbers():
    """Keys have no zeros: a plan that holds one is made all the same."""
    key, order = jax.random.key(3), jnp.arange(1, 4)
    made = jax.jit(_if_working, static_argnums=1)
    for works, expected in ((True, order), (False, jnp.zeros(3, jnp.int32))):
        assert made(works, lambda: order).tolist() == expected.tolist()
        plan = made(works, lambda: {"key": key, "order": order})
        assert plan["key"] == key and plan["order"].tolist() == order.tolist()


def test_on_a_single_core_members_train_one_after_the_other(setting, monkeypatch):
    """Bitwise as on two, and one working set at a time."""
    small, splits, (states, records, _) = setting
    monkeypatch.setattr("seqexp.training.mesh.devices_at_work", lambda: 1)
    group = Program.of(small, splits, HYPERS, group_mesh(3, 1))
    assert (group.mesh.devices.shape, group.slices.size, group.slices.count) == ((2, 1), 1, 3)
    begun, _ = group.advance(group.init(), np.asarray([1, 2, 3]))
    assert rows(begun) == [[1, 0], [2, 0], [3, 0]]
    one_by_one, their_records, _ = trained(group)
    assert_bitwise(one_by_one, states)
    assert their_records == records


@pytest.fixture(scope="module")
def setting():
    """An experiment, its data, and what three members give one by one."""
    small = experiment(digits())
    splits = small.task.load()
    return small, splits, trained(Program.of(small, splits, HYPERS, group_mesh(3, 1)))


@pytest.mark.full
@pytest.mark.parametrize(("devices", "width"), [full(1, 2), full(1, 3), (2, 2)])
def test_side_by_side_is_one_by_one_to_rounding(setting, devices, width):
    """Two slices of which the second is half empty; one slice of all; one over two devices."""
    small, splits, (states, records, _) = setting
    group = Program.of(small, splits, HYPERS, row_of(devices), slice_width=width)
    assert group.slices.size == devices * width
    together, together_records, _ = trained(group)
    for ours, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(states), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(together_records, records, strict=True):
        for m in range(3):
            assert ours[m].keys() == theirs[m].keys()
            np.testing.assert_allclose(
                list(ours[m].values()), list(theirs[m].values()), rtol=1e-4, atol=1e-6
            )


@pytest.mark.full
def test_who_diverges_beside_others_stops_alone(setting):
    small, splits, (states, _, _) = setting
    wild = Hyper(0, 1e38, 0.0, float("inf"))
    group = Program.of(small, splits, [*HYPERS[:2], wild], row_of(1), slice_width=3)
    together, _, _ = trained(group)
    assert [bool(state.alive) for state in together] == [True, True, False]
    for ours, theirs in zip(
        jax.tree.leaves(together[:2]), jax.tree.leaves(states[:2]), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.full
def test_another_width_of_a_program_is_that_program_built_anew(setting):
    small, splits, (states, _, _) = setting
    mesh = row_of(2)
    wide = Program.of(small, splits, HYPERS, mesh, slice_width=3)
    assert_bitwise(trained(wide.at_width(1))[0], states)
    assert wide.slices.width == 3
    assert_bitwise(
        trained(Program.of(small, splits, HYPERS, mesh).at_width(3))[0], trained(wide)[0]
    )


@pytest.mark.full
def test_the_first_slice_holds_its_members_alone(setting):
    small, splits, (states, _, _) = setting
    group = Program.of(small, splits, HYPERS, group_mesh(2, 1))
    first = group.first_slice()
    assert (first.members, group.members) == (2, 3)
    assert_bitwise(trained(first)[0], states[:2])
    assert_bitwise(trained(group)[0], states)


def test_what_devices_sum_at_once_is_what_they_sum_one_by_one():
    tree = {
        "a": jnp.arange(12.0).reshape(2, 2, 3),
        "b": jnp.asarray([2**24 + 1, 2**24 + 3]),
        "c": (jnp.asarray([0.5, 0.25]), jnp.zeros((2, 0))),
    }
    mesh = group_mesh(1, 2)
    spec = PartitionSpec(BATCH)

    def on_a_device(tree):
        own = jax.tree.map(lambda a: a[0], tree)
        one_by_one = jax.tree.map(lambda a: jax.lax.psum(a, BATCH), own)
        return summed(own, BATCH), one_by_one

    ours, theirs = jax.shard_map(
        on_a_device, mesh=mesh, in_specs=spec, out_specs=PartitionSpec(), check_vma=False
    )(tree)
    assert_bitwise(ours, theirs)
    assert [(a.shape, a.dtype) for a in jax.tree.leaves(ours)] == [
        (a.shape[1:], a.dtype) for a in jax.tree.leaves(tree)
    ]
    assert ours["b"] == 2**25 + 4
