"""Every figure has its title, its axes with units, and shows the arrays as they are."""

from __future__ import annotations

import functools
import io
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from seqexp.inspection.figures import draw, draw_step
from seqexp.inspection.figures.gates import Gate, draw_saturation, draw_time_constants
from seqexp.inspection.figures.gradients import draw_gradient, draw_jacobians
from seqexp.inspection.figures.panel import FRAME, panel
from seqexp.inspection.figures.pictures import pictures, training_pictures
from seqexp.inspection.figures.shared import shared
from seqexp.inspection.figures.training import draw_over_training
from seqexp.runs.inspections import read_arrays, read_inspections
from seqexp.types import SeqexpError
from tests.inspection.figures import recorded
from tests.inspection.figures.drawn import shown, x_of, y_of

EVERY = {
    *("hidden-layer-1", "paths-time-layer-1", "paths-target-layer-1", "paths-input-layer-1"),
    *("gate-forget-layer-1", "gate-candidate-layer-1", "saturation-layer-1"),
    *("time-constants-layer-1", "gradient-layer-1", "jacobian-layer-1", "lyapunov-layer-1"),
}
EVERY |= {name.replace("layer-1", "layer-2-forward") for name in EVERY}
LAYERS = ("layer-1", "layer-2-forward")
EVERY |= {"memory", "perturbation", "confusion", "saliency", "attention"}


@pytest.fixture(scope="module", autouse=True)
def style():
    with matplotlib.rc_context(FRAME):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return recorded.write(tmp_path_factory.mktemp("run"))


@functools.cache
def drawn(run, step):
    """The pictures of a step by name."""
    [line] = [line for line in read_inspections(run) if line["step"] == step]
    found = list(pictures(read_arrays(run, step), line, shared(run)))
    assert len({picture.name for picture in found}) == len(found)
    return {picture.name: picture for picture in found}


def title_of(ax):
    """The title at the left as an artist."""
    return ax._left_title


def principal(states):
    """The mean of rows and their first two principal axes, the largest number positive."""
    mean = states.mean(0)
    axes = np.linalg.svd(states - mean)[2][:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return mean, axes * np.sign(largest)


def test_all_that_was_recorded_is_drawn_with_its_title_and_axes(run):
    found = drawn(run, 100)
    assert set(found) == EVERY
    for name, picture in found.items():
        ax = picture.figure.axes[0]
        what, where = ax.get_title("left").split("\n", 1)
        assert what and "training step 100" in where, name
        assert ax.get_xlabel() and ax.get_ylabel(), name
        assert all(bar.get_ylabel() for bar in picture.figure.axes[1:]), name
        if "layer-2" in name:
            assert "layer_2/forward" in where


@pytest.mark.full
def test_the_main_figures_of_a_step_are_drawn_as_png(run):
    layers = {f"{kind}-{of}" for kind in ("hidden", "gradient") for of in LAYERS}
    found = draw_step(run, 100)
    assert set(found) == layers | {"memory", "confusion", "saliency", "attention"}
    for content in found.values():
        with Image.open(io.BytesIO(content)) as image:
            assert image.size[0] == 800 and image.size[1] >= 600
    with pytest.raises(SeqexpError, match="was not inspected at step 1;"):
        draw_step(run, 1)


def test_long_names_of_layers_take_another_line():
    figure, ax = panel()
    name = "encoder/layer_12/backward/of_a_wrapped_stack"
    draw_time_constants(ax, np.array([2.0, np.inf]), name, 123_000)
    figure.draw_without_rendering()
    assert ax.get_title("left").count("\n") == 2
    assert title_of(ax).get_window_extent().x1 < figure.bbox.x1


def test_nothing_is_clipped_by_the_edge_of_a_figure(run):
    """Text within the figure; of the axes' labels too, whatever the digits of the ticks."""
    for name, picture in drawn(run, 200).items():
        figure = picture.figure
        figure.draw_without_rendering()
        box = figure.bbox
        for ax in figure.axes:
            for text in (ax.xaxis.label, ax.yaxis.label, title_of(ax)):
                extent = text.get_window_extent()
                assert extent.x0 >= box.x0 - 1 and extent.x1 <= box.x1 + 1, (name, text)
                assert extent.y0 >= box.y0 - 1 and extent.y1 <= box.y1 + 1, (name, text)


def test_states_have_units_in_one_order_and_one_scale_at_all_steps(run):
    order = shared(run).layers["layer_1"].order
    scales = set()
    for step in (0, 200):
        [image] = drawn(run, step)["hidden-layer-1"].figure.axes[0].images
        states = recorded.arrays(step)["hidden/layer_1"][0]
        np.testing.assert_allclose(shown(image), states[:, order].T)
        scales.add(image.get_clim())
    real = np.arange(recorded.STEPS) < recorded.LENGTHS[:, None]
    every = [recorded.arrays(step)["hidden/layer_1"][real] for step in (0, 100, 200)]
    assert scales == {(np.min(every), np.max(every))}


def test_paths_of_all_steps_are_on_the_axes_of_the_last_one(run):
    last = recorded.arrays(200)["hidden/layer_1"]
    real = np.arange(recorded.STEPS) < recorded.LENGTHS[:, None]
    mean, axes = principal(last[real])
    limits = set()
    for step in (0, 100, 200):
        ax = drawn(run, step)["paths-time-layer-1"].figure.axes[0]
        points = (recorded.arrays(step)["hidden/layer_1"] - mean) @ axes.T
        [lines] = (one for one in ax.collections if isinstance(one, LineCollection))
        segments = [[points[i, t - 1], points[i, t]] for i in range(3) for t in range(1, 6)]
        within = [t < recorded.LENGTHS[i] for i in range(3) for t in range(1, 6)]
        np.testing.assert_allclose(lines.get_segments(), np.array(segments)[within], atol=1e-5)
        for (x0, x1), axis in ((ax.get_xlim(), 0), (ax.get_ylim(), 1)):
            assert x0 < points[real][:, axis].min() and points[real][:, axis].max() < x1
        limits.add((ax.get_xlim(), ax.get_ylim()))
    assert len(limits) == 1


def test_few_labels_have_a_colour_each(run):
    figure = drawn(run, 0)["paths-target-layer-1"].figure
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["target 0", "target 1"]
    [lines] = figure.axes[0].collections
    assert isinstance(lines, LineCollection)
    colours = np.asarray(lines.get_colors())
    # 5 segments of the first example, 3 and 1 of the others, which have another label.
    assert len({tuple(one) for one in colours[:5]}) == 1
    assert len({tuple(one) for one in colours[5:]}) == 1 and len(colours) == 9
    assert tuple(colours[0]) != tuple(colours[5])


def test_the_fit_has_the_half_life_and_the_bound_starts_at_the_first_norm():
    _, ax = panel()
    norms = 8 * 0.5 ** (np.arange(1, 11) / 2)  # halves every 2 steps
    bound = 0.9 ** np.arange(1.0, 11)
    draw_gradient(ax, np.stack([norms, norms, norms]), 2.0, bound, (0.1, 8), "layer_1", 0)
    median, fit, theory = (y_of(line) for line in ax.lines)
    np.testing.assert_allclose(median, norms)
    np.testing.assert_allclose(fit, norms)
    np.testing.assert_allclose(theory, norms[0] * 0.9 ** np.arange(10))
    assert ax.get_yscale() == "log"


def test_the_axis_of_lags_ends_with_what_is_known_and_keeps_zeros_in_sight():
    """A gradient that is 0 in float32 has vanished; one that no sequence is long enough for is not
    known."""
    median = np.array([1.0, 0.1, 0.0, 0.0, np.nan, np.nan])
    _, ax = panel()
    draw_gradient(ax, np.tile(median, (3, 1)), None, None, (1e-3, 1.0), "layer_1", 0)
    assert ax.get_xlim() == (0, 4.5)


def test_a_gradient_that_is_partly_unknown_or_does_not_decay_is_drawn():
    norms = np.array([np.nan, 4.0, np.nan, 0.0, 1.0])
    for half_life in (None, float("nan")):
        figure, ax = panel()
        handles = draw_gradient(ax, np.stack([norms] * 3), half_life, None, (1, 4), "l", 0)
        assert list(handles) == ["median, quartiles"]
        known = np.array([np.nan, 4.0, np.nan, np.nan, 1.0])
        np.testing.assert_array_equal(y_of(ax.lines[0]), known)
        figure.draw_without_rendering()
    figure, ax = panel()
    unknown = np.full((3, 4), np.nan)
    draw_gradient(ax, unknown, 3.0, np.ones(4), (1e-9, 1e-9), "l", 0)
    figure.draw_without_rendering()


def test_singular_values_stand_at_their_spans_and_zeros_are_left_out():
    _, ax = panel()
    draw_jacobians(ax, {4: np.array([2.0, 0.0]), 1: np.array([0.5, 0.25])}, "layer_1", 0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "4"]
    marks = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [y_of(line) for line in marks] == [[0.5, 0.25], [2.0]]
    medians = next(line for line in ax.lines if line.get_marker() == "_")
    assert y_of(medians) == [0.375, 2.0]


def test_saturation_counts_true_steps_at_the_bounds():
    """One unit that is always open, one that is closed half of the time; padding counts not."""
    _, ax = panel()
    values = np.array([[[0.99, 0.01], [0.97, 0.5], [0.5, 0.01]]])
    gate = Gate(values, np.array([[True, True, False]]), np.array([0.0, 1.0]))
    handles = draw_saturation(ax, {"forget": gate}, "layer_1", 0)
    assert list(handles) == ["forget gate"]
    assert x_of(ax.lines[0]) == [0.0, 0.5]
    assert y_of(ax.lines[0]) == [1.0, 0.0]


def test_units_that_keep_without_end_are_counted():
    figure, ax = panel()
    draw_time_constants(ax, np.array([2.0, np.inf, 30.0, np.nan]), "layer_1", 0)
    assert "1 without end" in ax.get_title("left")
    assert y_of(ax.lines[0]) == [30.0, 2.0]
    figure.draw_without_rendering()


def test_numbers_over_training_have_gaps_where_they_were_not_finite():
    _, ax = panel()
    curves = {"layer_1": [1.0, np.nan, 3.0], "readout": [2.0, 2.0, 2.0]}
    handles = draw_over_training(ax, "gradient_norm", [0, 10, 20], curves)
    assert list(handles) == ["layer_1", "readout"]
    np.testing.assert_array_equal(y_of(ax.lines[0]), curves["layer_1"])
    assert ax.get_xlabel() == "training step" and ax.get_ylabel() == "Euclidean norm"


def test_a_kind_that_was_never_finite_has_no_figure_over_training():
    found = training_pictures([{"step": 1, "half_life/layer_1": None, "dead/layer_1": 0.5}])
    assert [picture.name for picture in found] == ["training-dead"]


def test_files_are_the_same_byte_for_byte_and_earlier_ones_go(tmp_path):
    rest = "activation", "histogram", "hidden", "jacobian", "lyapunov", "time_constants"
    rest += "memory", "perturbation", "attention", "confusion", "outputs"
    first = recorded.write(tmp_path / "a", (0,), *rest)
    second = recorded.write(tmp_path / "b", (0,), *rest)
    old = first / "inspection" / "figures" / "hidden-layer-9.svg"
    old.parent.mkdir()
    old.write_text("old")
    paths = draw(first)
    assert paths and sorted(paths) == sorted(old.parent.iterdir())
    assert {path.suffix for path in paths} == {".svg", ".png"}
    assert [path.name for path in paths] == [path.name for path in draw(second)]
    for one in paths:
        other = second / one.relative_to(first)
        assert one.read_bytes() == other.read_bytes(), one.name
    svg = (old.parent / "gradient-layer-1.svg").read_text()
    words = set(re.findall(r">([^<>]+)</text>", svg))
    assert {"lag k, steps", "Gradient norm against the lag", "half-life 1.00 steps"} <= words


def test_states_that_are_not_finite_and_one_step_are_drawn(tmp_path):
    run = recorded.write(tmp_path, (5,))
    broken = recorded.arrays(5)
    broken["hidden/layer_1"][0, 1, 2] = np.nan
    broken["memory/layer_1"][:] = np.nan
    np.savez(run / "inspection" / "5.npz", allow_pickle=False, **broken)
    found = drawn(run, 5)
    assert EVERY - set(found) == {name for name in EVERY if re.match("paths-.*layer-1", name)}
    for name in ("hidden-layer-1", "memory"):
        found[name].figure.draw_without_rendering()


def test_lags_longer_than_every_sequence_stay_empty(tmp_path):
    """No product over 4 steps and no exponent is known of sequences of fewer steps."""
    run = recorded.write(tmp_path, (5,))
    short = recorded.arrays(5)
    short["jacobian/layer_1/4"][:] = np.nan
    short["lyapunov/layer_1"][:] = np.nan
    np.savez(run / "inspection" / "5.npz", allow_pickle=False, **short)
    found = drawn(run, 5)
    assert EVERY - set(found) == {"lyapunov-layer-1"}
    found["jacobian-layer-1"].figure.draw_without_rendering()


def test_a_run_without_inspections_is_told_what_to_do(tmp_path):
    with pytest.raises(SeqexpError, match="no inspection to draw; seqexp inspect RUN"):
        draw(tmp_path)
