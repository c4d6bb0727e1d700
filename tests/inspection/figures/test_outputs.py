"""Figures of what a model gives: predictions, confusion, attention, saliency."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from seqexp.inspection.figures.outputs import (
    WORDS,
    draw_attention,
    draw_confusion,
    draw_predictions,
    draw_saliency,
)
from seqexp.inspection.figures.panel import FRAME, panel
from seqexp.inspection.figures.pictures import pictures
from seqexp.inspection.figures.shared import shared
from tests.inspection.figures.drawn import shown, x_of, y_of


@pytest.fixture(scope="module", autouse=True)
def style():
    with matplotlib.rc_context(FRAME):
        yield


def test_a_confusion_matrix_has_its_counts_and_classes_without_examples_are_blank():
    _, ax = panel()
    draw_confusion(ax, np.array([[3.0, 1.0], [0.0, 0.0]]), 7)
    [image] = ax.images
    np.testing.assert_array_equal(shown(image), [[0.75, 0.25], [np.nan, np.nan]])
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "0"]
    assert "75 % right" in ax.get_title("left")


def test_saliency_has_zero_in_the_middle_of_its_colours_and_no_padding():
    _, ax = panel()
    mask = np.array([[True, True], [True, False]])
    draw_saliency(ax, np.array([[0.5, -2.0], [1.0, 9.0]]), mask, 0)
    [image] = ax.images
    assert image.get_clim() == (-2.0, 2.0)
    np.testing.assert_array_equal(shown(image), [[0.5, -2.0], [1.0, np.nan]])
    _, ax = panel()  # What no example has is not drawn.
    wide = np.pad(mask, [(0, 0), (0, 3)])
    draw_saliency(ax, np.ones((2, 5)), wide, 0)
    assert shown(ax.images[0]).shape == (2, 2) and ax.get_xlim() == (0.5, 2.5)


def test_attention_is_named_by_tokens_where_they_are_known_and_few():
    def names(axis):
        return [label.get_text() for label in axis.get_ticklabels()]

    weights = np.pad(np.eye(2), [(0, 1), (0, 1)])  # the last step of both is padding
    _, ax = panel()
    draw_attention(ax, weights, 0, (["▁ein", "▁Hund"], ["▁a", "▁dog"]))
    assert names(ax.xaxis) == ["ein", "Hund"] and names(ax.yaxis) == ["a", "dog"]
    assert shown(ax.images[0]).shape == (2, 2)
    for steps, tokens in ((WORDS, True), (WORDS + 1, True), (2, False)):
        said = [f"word {n}" for n in range(steps)]
        _, ax = panel()
        draw_attention(ax, np.eye(steps), 0, (said, said) if tokens else None)
        for axis in (ax.xaxis, ax.yaxis):
            if tokens and steps <= WORDS:
                assert names(axis) == said
            else:
                assert all(float(tick).is_integer() for tick in axis.get_ticklocs())
                assert not set(names(axis)) & set(said)


@pytest.mark.parametrize("value", [1e9, 0.0])
@pytest.mark.parametrize("spread", [0, 1])
def test_outputs_that_are_all_but_the_same_are_drawn(value, spread):
    """What a model gives whose readout heeds no input."""
    outputs = np.full(4, value, np.float32)
    if spread:
        outputs[1:] = np.nextafter(outputs[1:], np.float32(np.inf))
    _, ax = panel()
    handles = draw_predictions(ax, outputs, np.array([0.0, 1.0, 1.0, 0.0], np.float32), 0)
    for handle in handles.values():
        assert handle.get_data().values.sum() == pytest.approx(1)


def test_predictions_stand_over_their_targets_and_nan_is_left_out():
    _, ax = panel()
    draw_predictions(ax, np.array([1.0, np.nan, 3.0]), np.array([2.0, 2.0, 4.0]), 0)
    points = ax.lines[-1]
    assert x_of(points) == [2.0, 4.0] and y_of(points) == [1.0, 3.0]


def test_predictions_are_of_true_steps_alone(tmp_path):
    arrays = {
        "inputs": np.ones((2, 3, 1), np.float32),
        "lengths": np.array([3, 1], np.int32),
        "outputs": np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]], np.float32)[..., None],
        "targets": np.array([[1.5, 2.5, 3.5], [4.5, 0.0, 0.0]], np.float32)[..., None],
    }
    with matplotlib.rc_context(FRAME):
        [picture] = pictures(arrays, {"step": 1}, shared(tmp_path), ["predictions"])
    points = picture.figure.axes[0].lines[-1]
    assert x_of(points) == [1.5, 2.5, 3.5, 4.5] and y_of(points) == [1.0, 2.0, 3.0, 4.0]


def test_an_attention_map_has_the_tokens_of_its_inspection(tmp_path):
    arrays = {"attention": np.eye(2, dtype=np.float32)[None]}
    line = {"step": 1, "attention_tokens": [["ein", "Hund"], ["a", "dog"]]}
    with matplotlib.rc_context(FRAME):
        [picture] = pictures(arrays, line, shared(tmp_path), ["attention"])
    ax = picture.figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["ein", "Hund"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "dog"]


def test_outputs_of_keys_are_shares_of_those_that_are_off_and_on():
    _, ax = panel()
    outputs, targets = np.array([-2.0, -2.0, 2.0, 2.0, np.nan]), np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    handles = draw_predictions(ax, outputs, targets, 0)
    assert list(handles) == ["target 0 (3)", "target 1 (1)"]
    off, on = (handle.get_data().values for handle in handles.values())
    assert (
        off[0] == pytest.approx(2 / 3) and off[-1] == pytest.approx(1 / 3) and off[1:-1].sum() == 0
    )
    assert on[-1] == 1 and on[:-1].sum() == 0
    assert ax.get_ylabel() == "share of the outputs at a target"
