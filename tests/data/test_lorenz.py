"""The Lorenz system: SciPy, order of convergence, fixed points and its attractor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from seqexp.data.lorenz import lorenz, lorenz_path
from seqexp.types import SeqexpError

FIRST = np.array([1.0, -0.5, 20.0])


def slope(t, state):
    x, y, z = state
    return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]


@pytest.fixture(scope="module")
def exact():
    t = np.linspace(0, 2, 21)
    return solve_ivp(slope, (0, 2), FIRST, "DOP853", t, rtol=1e-12, atol=1e-12).y.T


def test_it_is_the_solution_of_scipy(exact):
    np.testing.assert_allclose(lorenz_path(FIRST, 2000, 0.001)[::100], exact, atol=1e-6)


def test_the_order_of_convergence_is_4(exact):
    errors = [np.abs(lorenz_path(FIRST, 20 * n, 0.1 / n)[::n] - exact).max() for n in (20, 40, 80)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(abs(orders - 4) < 0.4), (errors, orders)


@pytest.mark.parametrize("sign", [-1, 1])
def test_its_fixed_points_stay(sign):
    corner = sign * np.sqrt(8 / 3 * 27)
    fixed = np.array([corner, corner, 27.0])
    np.testing.assert_allclose(lorenz_path(fixed, 100, 0.01), np.tile(fixed, (101, 1)), rtol=1e-9)
    np.testing.assert_array_equal(lorenz_path(np.zeros(3), 10, 0.01), 0)


def test_it_is_symmetric():
    """(x, y, z) to (-x, -y, z), bit for bit."""
    turn = np.array([-1, -1, 1])
    np.testing.assert_array_equal(
        lorenz_path(FIRST * turn, 500, 0.01), lorenz_path(FIRST, 500, 0.01) * turn
    )


def test_its_attractor_is_the_known_one():
    """A mean of z of 23.55, two wings, and states that part at a rate of 0.906 a unit of time
    (Sprott 2003, "Chaos and Time-Series Analysis")."""
    series = lorenz(seed=0, steps=20_000)
    np.testing.assert_allclose(series[:, 2].mean(), 23.55, atol=0.1)
    np.testing.assert_allclose((series[:, 0] > 0).mean(), 0.5, atol=0.1)
    assert np.abs(series[:, 0]).max() < 20 and 0 < series[:, 2].min() and series[:, 2].max() < 49
    rates = []
    for first in series[::1000]:
        pair = (lorenz_path(first + shift, 1000, 0.01) for shift in (0, 1e-8))
        distance = np.linalg.norm(np.subtract(*pair), axis=1)
        rates.append(np.log(distance[-1] / distance[100]) / 9)
    np.testing.assert_allclose(np.mean(rates), 0.906, atol=0.2)


def test_a_series_is_of_its_seed():
    one = lorenz(seed=3, steps=100)
    assert one.shape == (100, 3) and one.dtype == np.float64
    np.testing.assert_array_equal(one, lorenz(seed=3, steps=100))
    np.testing.assert_array_equal(one[:7], lorenz(seed=3, steps=7))
    assert np.abs(one - lorenz(seed=4, steps=100)).max() > 1
    path = lorenz_path(0.5 + np.random.default_rng(3).random(3), 2200, 0.01)
    np.testing.assert_array_equal(one, path[2002::2])


@pytest.mark.parametrize(
    "options, said",
    [
        ({"steps": 0}, "at least 1"),
        ({"substeps": 0}, "at least 1"),
        ({"interval": 0.5}, "raise substeps"),
        ({"interval": 0.0}, "steps above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, said):
    with pytest.raises(SeqexpError, match=said):
        lorenz(**{"seed": 0, "steps": 5, **options})
