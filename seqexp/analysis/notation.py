"""How numbers are written: three digits that mean something, and a mean with its interval."""

from __future__ import annotations

import math

NOTHING = "–"
PREFIXES = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: float) -> str:
    """Whole numbers with separators: 17,153. Millions and more are shortened: 1.23 M."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}" if abs(value) < 1e6 else shortened(value)


def shortened(value: float) -> str:
    """Three digits and a prefix: 52.1 k, 1.23 M; plain below a thousand."""
    if not math.isfinite(value):
        return NOTHING
    for unit, prefix in PREFIXES:
        if abs(value) >= 0.9995 * unit:  # 999,600 is 1.00 M, not 1,000 k
            return digits(value / unit) + prefix
    return f"{value:.0f}" if value == int(value) else digits(value)


def digits(value: float) -> str:
    """Three significant digits, without an exponent: 4.21, 0.0123, 1,520."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:,.{_decimals(value, 3)}f}"


def interval(mean: float, half: float) -> str:
    """A mean with the half-width of its interval: 0.0123 ± 0.0011, or (3.10 ± 0.40)·10⁻⁷.

    Two digits of the half-width are shown, and at least two and at most six of the mean. Without an
    interval (NaN) the mean stands alone with four digits.
    """
    if not math.isfinite(mean):
        return NOTHING
    # Of a mean of 0 the half-width tells the scale.
    size = abs(mean) or (half if half > 0 else 1.0)
    exponent = math.floor(math.log10(size))
    if not -3 <= exponent < 6:
        scaled = interval(mean / 10.0**exponent, half / 10.0**exponent)
        bracketed = f"({scaled})" if "±" in scaled else scaled
        return f"{bracketed}·{_power_of_ten(exponent)}"
    if math.isnan(half) or half == 0:
        alone = f"{mean:,.{_decimals(mean, 4)}f}"
        return alone if math.isnan(half) else f"{alone} ± 0"
    places = max(_decimals(half, 2), _decimals(size, 2))
    places = min(places, _decimals(size, 6))
    return f"{mean:,.{places}f} ± {half:,.{places}f}"


def tick(value: float) -> str:
    """A number beside an axis: 0, 0.25, 10 k, 2·10⁻⁵."""
    size = abs(value)
    for unit, prefix in PREFIXES:
        if size >= unit:
            return f"{value / unit:g}{prefix}"
    if 0 < size < 1e-3:
        exponent = math.floor(math.log10(size) + 1e-9)
        mantissa = f"{value / 10.0**exponent:.3g}"
        return ("" if mantissa == "1" else f"{mantissa}·") + _power_of_ten(exponent)
    return f"{value:g}"


def percent(probability: float) -> str:
    """Whole percent; what is not certain is not called so: > 99 %, < 1 %."""
    if not math.isfinite(probability):
        return NOTHING
    if 0.995 <= probability < 1:
        return "> 99 %"
    return "< 1 %" if 0 < probability <= 0.005 else f"{100 * probability:.0f} %"


def spoken(name: str) -> str:
    """The name of a metric in a sentence: bits_per_character is bits per character."""
    return name.replace("_", " ")


def _power_of_ten(exponent: int) -> str:
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def _decimals(value: float, significant: int) -> int:
    """How many decimals show `significant` digits of a value."""
    if value == 0:
        return 0
    # log10 of the value as it will be rounded: 0.9999 is to be written as 1.000, not 1.0000
    exponent = math.floor(math.log10(float(f"{abs(value):.{significant - 1}e}")))
    return max(0, significant - 1 - exponent)
