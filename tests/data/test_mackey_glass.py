"""The Mackey-Glass series: closed forms, order of convergence, SciPy, and when it is chaos."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from seqexp.data.mackey_glass import mackey_glass, mackey_glass_path
from seqexp.types import SeqexpError


def production(x):
    return 0.2 * x / (1 + x**10)


def by_steps(start: float, tau: int, delays: int) -> list:
    """The solution on each delay, by SciPy: there the past is known."""
    pasts = [lambda t: start + 0 * t]
    for number in range(delays):

        def slope(t, x, past=pasts[-1]):
            return production(past(t - tau)) - 0.1 * x

        span = (number * tau, (number + 1) * tau)
        first = [float(pasts[-1](span[0]))]
        solved = solve_ivp(slope, span, first, "DOP853", dense_output=True, rtol=1e-11, atol=1e-12)
        pasts.append(lambda t, solution=solved.sol: solution(t)[0])
    return pasts[1:]


@pytest.mark.parametrize("start", [0.5, 1.2])
def test_the_first_delay_has_a_closed_form(start):
    """There x(t - tau) = x_0, so x = c / 0.1 + (x_0 - c / 0.1) e^(-0.1 t) with c the production."""
    path = mackey_glass_path(start, 17, 17, substeps=10)
    rest = production(start) / 0.1
    t = np.arange(171) / 10
    np.testing.assert_allclose(path, rest + (start - rest) * np.exp(-0.1 * t), rtol=1e-9)


def test_one_is_a_fixed_point():
    np.testing.assert_array_equal(mackey_glass_path(1.0, 60, 17, 4), 1)


@pytest.mark.parametrize("tau", [17, 30])
def test_the_order_of_convergence_is_4(tau):
    """Against SciPy, delay by delay; half the step, a sixteenth of the error."""
    reference = by_steps(1.2, tau, 4)
    t = np.arange(1, 4 * tau + 1)
    exact = [float(reference[(k - 1) // tau](k)) for k in t]
    errors = []
    for substeps in (1, 2, 4):
        found = mackey_glass_path(1.2, 4 * tau, tau, substeps)[substeps::substeps]
        errors.append(np.abs(found - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 3.5) and errors[-1] < 1e-5, (errors, orders)


def maxima(series: np.ndarray) -> np.ndarray:
    inner = series[1:-1]
    return inner[(inner > series[:-2]) & (inner > series[2:])]


def test_it_rests_swings_or_is_chaos_by_its_delay():
    """Farmer 1982, "Chaotic attractors of an infinite-dimensional dynamical system",
    https://doi.org/10.1016/0167-2789(82)90042-2: a fixed point up to a delay of 4.53, a limit cycle
    up to 13.3, and chaos from 16.8."""
    tails = {tau: mackey_glass_path(0.8, 3000, tau, 10)[-6000:] for tau in (4, 8, 17, 30)}
    np.testing.assert_allclose(tails[4], 1, atol=1e-6)
    assert np.ptp(maxima(tails[8])) < 1e-3 < np.ptp(tails[8])
    for tau in (17, 30):
        assert np.ptp(maxima(tails[tau])) > 0.2
    assert 0.4 < tails[17].min() and tails[17].max() < 1.35
    assert 0.2 < tails[30].min() < 0.4 and tails[30].max() < 1.45


def test_nearby_starts_part_in_chaos_alone():
    far = [
        np.abs(np.subtract(*(mackey_glass_path(x, 3000, tau, 10)[-2000:] for x in (0.8, 0.801))))
        for tau in (4, 17)
    ]
    assert far[0].max() < 1e-6 and far[1].max() > 0.1


def test_a_series_is_of_its_seed():
    one = mackey_glass(seed=3, steps=300)
    assert one.shape == (300,) and one.dtype == np.float64
    np.testing.assert_array_equal(one, mackey_glass(seed=3, steps=300))
    np.testing.assert_array_equal(one[:20], mackey_glass(seed=3, steps=20))
    assert np.abs(one - mackey_glass(seed=4, steps=300)).max() > 0.1
    path = mackey_glass_path(0.5 + np.random.default_rng(3).random(), 1300, 17, 10)
    np.testing.assert_array_equal(one, path[10_010::10])


def test_the_mean_and_deviation_at_17_are_the_known_ones():
    """About 0.93 and 0.23, whatever the start."""
    series = mackey_glass(seed=0, steps=5000)
    np.testing.assert_allclose([series.mean(), series.std()], [0.93, 0.227], atol=0.01)


@pytest.mark.parametrize("options", [{"steps": 0}, {"tau": 0}, {"substeps": 0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(SeqexpError, match="at least 1"):
        mackey_glass(**{"seed": 0, "steps": 5, **options})
