"""How numbers are written."""

from __future__ import annotations

from math import inf, nan

import pytest

from seqexp.analysis.notation import count, digits, interval, shortened, tick


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.012345, 0.00123, "0.0123 ± 0.0012"),
        (0.98, 0.004, "0.9800 ± 0.0040"),
        (0.98, nan, "0.9800"),
        (1.0, 0.0, "1.000 ± 0"),
        (0.0021, 0.5, "0.0021 ± 0.5000"),
        (3.1e-7, 4e-8, "(3.10 ± 0.40)·10⁻⁷"),
        (3.1e-7, nan, "3.100·10⁻⁷"),
        (123.4, 5.6, "123.4 ± 5.6"),
        (-1.5, 0.25, "-1.50 ± 0.25"),
        (0.00021, nan, "2.100·10⁻⁴"),
        (0.0, nan, "0"),
        (0.0, 0.0, "0 ± 0"),
        (0.0, 0.0354, "0.000 ± 0.035"),
        (0.0, 3e-5, "(0.0 ± 3.0)·10⁻⁵"),
        (nan, nan, "–"),
        (0.5, 1e-9, "0.500000 ± 0.000000"),
    ],
)
def test_interval(mean, half, text):
    assert interval(mean, half) == text


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (count, 17153.0, "17,153"),
        (count, 1_234_567, "1.23 M"),
        (count, nan, "–"),
        (shortened, 52_123, "52.1 k"),
        (shortened, 999_600, "1.00 M"),
        (shortened, 128.0, "128"),
        (shortened, inf, "–"),
        (digits, 4.2149, "4.21"),
        (digits, 0.99951, "1.00"),
        (digits, 1523.4, "1,523"),
        (digits, 0.0, "0"),
        (tick, 0.0, "0"),
        (tick, 0.25, "0.25"),
        (tick, 20_000, "20 k"),
        (tick, 0.0001, "10⁻⁴"),
        (tick, 0.00002, "2·10⁻⁵"),
        (tick, 0.1 + 0.2, "0.3"),
    ],
)
def test_single_numbers(write, value, text):
    assert write(value) == text
