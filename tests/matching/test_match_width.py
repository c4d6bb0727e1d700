import math

import numpy as np
import pytest

from seqexp.matching import Match, match_width
from seqexp.matching.search import match_measured
from seqexp.types import SeqexpError


def lstm(width, inputs=2):
    return 4 * width * (inputs + width + 1)


@pytest.mark.parametrize("multiple", [1, 8, 10])
@pytest.mark.parametrize("budget", [70_000, 16_000, 1_000_000])
def test_the_width_is_the_nearest_of_all(multiple, budget):
    match = match_width(lstm, budget, multiple=multiple, tolerance=1)
    widths = range(multiple, 1000, multiple)
    nearest = min(widths, key=lambda width: abs(lstm(width) - budget))
    assert match == Match(nearest, lstm(nearest))


@pytest.mark.parametrize("width", [1, 2, 3, 64, 65, 127, 128])
def test_an_exact_hit_needs_no_tolerance(width):
    assert match_width(lstm, lstm(width), multiple=1, tolerance=0) == (width, lstm(width))


def test_costs_need_not_be_whole_numbers():
    match = match_width(lambda w: 1e-3 * w**1.5, 1.0, multiple=4, tolerance=0)
    assert match == (100, pytest.approx(1.0))


def test_of_two_equally_near_the_smaller():
    assert match_width(lambda w: 10 * w, 45, multiple=1, tolerance=0.2) == (4, 40)


def test_widths_rounded_to_whole_heads_are_no_obstacle():
    def heads(width):
        return 100 * math.ceil(width / 3)

    assert match_width(heads, 700, multiple=1, tolerance=0).reached == 700


def test_tolerance_is_relative_to_the_budget():
    assert match_width(lambda w: 100 * w, 1040, multiple=1, tolerance=0.04) == (10, 1000)
    with pytest.raises(SeqexpError, match="1,040 is 1,000 at width 10, 3.8% off.*3.0% is allowed"):
        match_width(lambda w: 100 * w, 1040, multiple=1, tolerance=0.03)


def test_a_budget_below_the_smallest_width_is_an_error_that_says_what_to_do():
    with pytest.raises(SeqexpError, match="1,248 at width 16.*use a multiple below 16, another"):
        match_width(lambda w: 78 * w, 500, multiple=16, tolerance=0.1)
    with pytest.raises(SeqexpError, match="use another budget or a wider"):
        match_width(lambda w: 1000 * w, 500, multiple=1, tolerance=0.1)


def test_a_cost_that_does_not_grow_is_an_error():
    with pytest.raises(SeqexpError, match="stays at 500 from width 1 to 16, .*depends on"):
        match_width(lambda w: 500, 1000, multiple=1, tolerance=0.1)
    with pytest.raises(SeqexpError, match="stays at 64 from width 64 to 1024"):
        match_width(lambda w: min(w, 64), 1000, multiple=1, tolerance=0.1)


def test_a_budget_beyond_any_width_is_an_error():
    asked = []

    def cost(width):
        asked.append(width)
        return width

    with pytest.raises(SeqexpError, match=r"1,048,576 is still at 1,048,576.*lower the budget"):
        match_width(cost, 1e12, multiple=4, tolerance=0.1)
    assert max(asked) <= 2**22


@pytest.mark.parametrize("solve", [match_width, match_measured])
@pytest.mark.parametrize(
    ("budget", "multiple"), [(0, 8), (-1, 8), (math.nan, 8), (math.inf, 8), (100, 0)]
)
def test_impossible_arguments_are_errors(solve, budget, multiple):
    with pytest.raises(SeqexpError, match="a budget above 0 and a multiple of at least 1"):
        solve(lstm, budget, multiple=multiple, tolerance=0.1)


@pytest.mark.parametrize("multiple", [1, 16])
@pytest.mark.parametrize("width", [1, 17, 512, 4001])
def test_few_calls_and_none_repeated(multiple, width):
    asked = []

    def slow(width):
        asked.append(width)
        return lstm(width)

    match_width(slow, lstm(width * multiple), multiple=multiple, tolerance=0)
    assert len(asked) == len(set(asked)) <= 3 + math.ceil(math.log2(width + 1))
    assert max(asked) <= 4 * width * multiple


class Timer:
    """Stands for timing a step: the time of a width by a formula, times noise, asked one by one."""

    def __init__(self, seconds, noise=lambda n: 1.0):
        self.seconds, self.noise, self.asked = seconds, noise, []

    def __call__(self, width):
        self.asked.append(width)
        return self.seconds(width) * self.noise(len(self.asked))


def step(width):
    """Milliseconds: 1 of overhead, then vector work, then matrix products."""
    return 1 + 0.004 * width + 1e-4 * width**2


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("width", [8, 16, 24, 32, 72, 200, 512, 1024])
def test_smooth_times_take_few_measurements_and_the_width_is_measured_twice(width, multiple):
    timer = Timer(step)
    match = match_measured(timer, step(width), multiple=multiple, tolerance=0.05)
    assert match.width % multiple == 0
    assert match.reached == step(match.width) == pytest.approx(step(width), rel=0.05)
    assert timer.asked.count(match.width) == 2
    assert len(timer.asked) <= 10


def symmetric(random):
    return random.lognormal(0, 0.04, 100)


def disturbed(random):
    """Every other measurement takes longer, by 10 % on average."""
    return 1 + (random.random(100) < 0.5) * random.exponential(0.1, 100)


@pytest.mark.parametrize("noise", [symmetric, disturbed])
@pytest.mark.parametrize("seed", range(40))
def test_noise_does_not_lead_astray(seed, noise):
    """It is the true time of the width that counts."""
    draws = noise(np.random.default_rng(seed))
    width = [40, 88, 160, 320][seed % 4]
    timer = Timer(step, lambda n: draws[n])
    match = match_measured(timer, step(width), multiple=8, tolerance=0.1)
    assert step(match.width) == pytest.approx(step(width), rel=0.2)
    assert match.reached == pytest.approx(step(width), rel=0.1)
    assert len(timer.asked) <= 12


@pytest.mark.parametrize("wrong", range(1, 7))
@pytest.mark.parametrize("factor", [1.3, 4.0])
def test_one_disturbed_measurement_is_found_out(wrong, factor):
    timer = Timer(step, lambda n: factor if n == wrong else 1.0)
    match = match_measured(timer, step(160), multiple=8, tolerance=0.1)
    assert step(match.width) == pytest.approx(step(160), rel=0.1)


@pytest.mark.parametrize("budget", [2.1, 3.0, 5.0, 8.0, 11.0])
def test_a_wider_model_may_be_faster(budget):
    """Widths that are no multiple of 32 take 40 % longer: the times go up and down."""

    def sawtooth(width):
        return (1 + (width / 64) ** 2) * (1.0 if width % 32 == 0 else 1.4)

    match = match_measured(Timer(sawtooth), budget, multiple=8, tolerance=0.1)
    assert sawtooth(match.width) == match.reached == pytest.approx(budget, rel=0.1)


def test_where_overhead_hides_the_width_the_model_is_as_wide_as_is_free():
    """Up to 256 units a step takes 1 ms, so a narrow model is not what the budget buys."""
    match = match_measured(
        Timer(lambda w: max(1.0, (w / 256) ** 2)), 1.1, multiple=8, tolerance=0.05
    )
    assert 248 <= match.width <= 272


def test_a_budget_below_the_overhead_is_refused_with_the_nearest():
    timer = Timer(step)
    with pytest.raises(SeqexpError, match="0.5 is 1.038 at width 8, 107.7% off.*multiple below 8"):
        match_measured(timer, 0.5, multiple=8, tolerance=0.1)
    assert len(timer.asked) <= 6


def test_a_budget_beyond_any_width_is_refused_before_the_steps_take_minutes():
    timer = Timer(lambda width: 1e-3)
    with pytest.raises(SeqexpError, match="4,096 is still at 0.001, short of.*lower the budget"):
        match_measured(timer, 5, multiple=8, tolerance=0.1)
    assert max(timer.asked) == 4096


def test_a_budget_between_two_neighbours_is_refused():
    timer = Timer(lambda width: 1.0 if width <= 40 else 3.0)
    with pytest.raises(SeqexpError, match=r"50.0% off where 10.0% is allowed"):
        match_measured(timer, 2.0, multiple=8, tolerance=0.1)
    assert len(timer.asked) <= 16


def test_a_width_is_found_on_its_second_look_or_not_at_all():
    """The second measurement took twice as long as the first: a third decides."""
    draws = iter([1.01, 2.0, 0.99])
    timer = Timer(lambda width: next(draws))
    assert match_measured(timer, 1.0, multiple=8, tolerance=0.1) == Match(32, 0.99)
    assert timer.asked == [32, 32, 32]
    draws = iter([1.0, 0.5, 0.5, 2.0])
    with pytest.raises(SeqexpError, match="4 measurements settled on no width.*an idle machine"):
        match_measured(lambda width: next(draws), 1.0, multiple=8, tolerance=0.1, most=4)


def test_a_budget_just_above_or_below_all_times_is_met_within_tolerance():
    assert match_measured(step, 1.0, multiple=8, tolerance=0.1).width == 8


def test_messages_are_in_the_costs_unit():
    with pytest.raises(SeqexpError, match="budget of 2 ms is 3 ms at width 1"):
        match_measured(
            lambda w: 0.003, 0.002, multiple=1, tolerance=0.1, shown=lambda s: f"{1e3 * s:g} ms"
        )
