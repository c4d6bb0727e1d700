"""Exponents of growth: known power laws, what is no power law, and what is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seqexp.analysis.axes import GROWING
from seqexp.analysis.growth import exponents, fit_growth, growth_figures, to_text
from seqexp.analysis.looks import looks

SIZES = np.array([64.0, 128, 256, 512, 1024, 2048, 4096])


def test_a_power_law_has_its_exponent():
    fit = fit_growth(SIZES, 3e-6 * SIZES**1.5)
    assert fit is not None
    assert fit.exponent == pytest.approx(1.5) and fit.scale == pytest.approx(3e-6)
    assert fit.half == pytest.approx(0, abs=1e-6) and fit.r_squared == pytest.approx(1)


def test_the_upper_half_of_the_range_is_fitted():
    """Overhead of 100 steps beside the steps: at small sizes the cost hardly grows."""
    fit = fit_growth(SIZES, 100 + SIZES)
    assert fit is not None
    assert (fit.smallest, fit.largest, fit.n) == (512, 4096, 4)
    by_hand = np.polyfit(np.log(SIZES[3:]), np.log(100 + SIZES[3:]), 1)
    assert fit.exponent == pytest.approx(by_hand[0])
    assert fit.scale == pytest.approx(np.exp(by_hand[1]))


def test_few_sizes_are_all_fitted():
    fit = fit_growth(SIZES[:6], SIZES[:6] ** 2)
    assert fit is not None and (fit.smallest, fit.n) == (64, 6)
    two = fit_growth(SIZES[:2], SIZES[:2] ** 2)
    assert two is not None and two.exponent == pytest.approx(2) and np.isnan(two.half)
    assert fit_growth(SIZES[:1], SIZES[:1]) is None
    assert fit_growth(SIZES[:0], SIZES[:0]) is None


@pytest.mark.full
def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    sizes, covered = 2.0 ** np.arange(12, 18), []
    for _ in range(1000):
        fit = fit_growth(sizes, sizes * np.exp(rng.normal(0, 0.1, len(sizes))))
        assert fit is not None and fit.n == 6
        covered.append(abs(fit.exponent - 1) <= fit.half)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_a_cost_that_stays_does_not_grow():
    fit = fit_growth(SIZES, np.full(7, 260.0))
    assert fit is not None
    assert fit.exponent == 0 and fit.half == 0 and np.isnan(fit.r_squared)


def test_what_is_no_cost_is_left_out():
    costs = SIZES**2
    costs[[0, 4]] = np.nan, 0
    fit = fit_growth(SIZES, costs)
    assert fit is not None and fit.exponent == pytest.approx(2)
    assert (fit.smallest, fit.n) == (128, 5)  # too few in the upper half


def measurements() -> pd.DataFrame:
    """Two models: quadratic and linear in the width, linear in the length; one cannot decode."""
    rows = []
    for label, power in (("rnn", 1), ("lstm $a$", 2)):
        for varied in ("length", "width"):
            for size in (32, 64, 128, 256):
                length, width = (size, 50) if varied == "length" else (100, size)
                row: dict[str, Any] = {"task": "adding", "label": label, "model": label}
                row |= {"varied": varied, "length": length, "width": width}
                row |= {axis.key: 1e-6 * length * width**power for axis in GROWING}
                row["decode_seconds_per_token"] = 1e-6 * width**power if power == 1 else None
                rows.append(row)
    return pd.DataFrame(rows)


def test_each_cost_of_each_model_has_its_exponent():
    rows = exponents(measurements()).to_dict("records")
    fits = {(row["varied"], row["label"], row["cost"]): row["exponent"] for row in rows}
    assert len(rows) == len(fits) == 2 * 2 * len(GROWING) - 2
    for label, power in (("rnn", 1), ("lstm $a$", 2)):
        assert fits["length", label, "step_seconds"] == pytest.approx(1)
        assert fits["width", label, "step_seconds"] == pytest.approx(power)
    assert fits["length", "rnn", "decode_seconds_per_token"] == 0
    assert ("width", "lstm $a$", "decode_seconds_per_token") not in fits


def test_exponents_as_text():
    text = to_text(exponents(measurements()))
    first, second = text.split("\n\n")
    assert "cost ~ length^e" in first and "cost ~ width^e, fitted from 32 to 256" in second
    rnn, lstm = (line.split("  ") for line in second.splitlines()[-2:])
    assert [cell.strip() for cell in rnn if cell] == ["rnn", *["1.00 ± 0.00"] * 5]
    cells = [cell.strip() for cell in lstm if cell]
    assert cells == ["lstm $a$", *["2.00 ± 0.00"] * 2, "–", *["2.00 ± 0.00"] * 2]
    assert "0.00 ± 0.00" in first and "-0.00" not in text
    assert first.startswith("adding: exponent e")


def test_tasks_are_fitted_and_drawn_apart():
    """The same model, whose costs grow linearly on one task and with the square on the other."""
    table = measurements()
    table = pd.concat(
        [
            table.loc[table["label"] == label].assign(label="rnn", task=task)
            for label, task in (("rnn", "adding"), ("lstm $a$", "digits $b$"))
        ]
    )
    fits = exponents(table)
    steps = fits.loc[(fits["varied"] == "width") & (fits["cost"] == "step_seconds")]
    assert dict(zip(steps["task"], steps["exponent"], strict=True)) == pytest.approx(
        {"adding": 1, "digits $b$": 2}
    )
    figures = growth_figures(table, fits, looks(table.assign(model_label=table["label"])))
    assert [figure.name for figure in figures] == ["adding-growth", "digits-b-growth"]
    assert "2.00 ± 0.00" not in figures[0].svg and "2.00 ± 0.00" in figures[1].svg


def test_the_figure_has_a_panel_a_cost():
    table = measurements()
    fits = exponents(table)
    look = looks(table.assign(model_label=table["label"]))
    [figure] = growth_figures(table, fits, look)
    for axis in GROWING:
        assert figure.svg.count(axis.label) == 2
    assert figure.svg.count("2.00 ± 0.00") == len(GROWING) - 1
    assert "lstm $a$" in figure.svg
    assert "sequence length T" in figure.svg and "width H" in figure.svg
    assert figure.pdf.startswith(b"%PDF")


def test_the_figure_of_lengths_alone_and_the_same_again():
    table = measurements()
    table = table.loc[(table["varied"] == "length") & (table["label"] == "lstm $a$")]
    look = looks(table.assign(model_label=table["label"]))
    [figure] = growth_figures(table, exponents(table), look)
    assert "width H" not in figure.svg and "decoding" not in figure.svg
    assert [figure] == growth_figures(table, exponents(table), look)
