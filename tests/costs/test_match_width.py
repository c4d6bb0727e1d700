import math

import pytest

from seqexp.costs import Match, match_width
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


def test_a_count_that_does_not_grow_is_an_error():
    with pytest.raises(SeqexpError, match="stays at 500 from width 1 to 16, .*depends on"):
        match_width(lambda w: 500, 1000, multiple=1, tolerance=0.1)
    with pytest.raises(SeqexpError, match="stays at 64 from width 64 to 1024"):
        match_width(lambda w: min(w, 64), 1000, multiple=1, tolerance=0.1)


@pytest.mark.parametrize(("budget", "multiple"), [(0, 8), (100, 0)])
def test_impossible_arguments_are_errors(budget, multiple):
    with pytest.raises(SeqexpError, match="at least 1"):
        match_width(lstm, budget, multiple=multiple, tolerance=0.1)


@pytest.mark.parametrize("multiple", [1, 16])
@pytest.mark.parametrize("width", [1, 17, 512, 4001])
def test_few_calls_and_none_repeated(multiple, width):
    asked = []

    def slow(width):
        asked.append(width)
        return lstm(width)

    match_width(slow, lstm(width * multiple), multiple=multiple, tolerance=0)
    assert len(asked) == len(set(asked)) <= 2 * math.ceil(math.log2(max(width, 2))) + 1
    assert max(asked) < 2 * max(width, 1) * multiple + 1
