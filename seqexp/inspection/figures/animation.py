"""An animation over training: hidden states, their paths and the gradient against the lag."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from seqexp.analysis.canvas import POINTS_PER_INCH
from seqexp.inspection.figures.drawing import inspections
from seqexp.inspection.figures.gradients import draw_gradient
from seqexp.inspection.figures.panel import FRAME, SIZE
from seqexp.inspection.figures.shared import Shared, projected, shared, true_steps
from seqexp.inspection.figures.states import draw_paths, draw_states
from seqexp.inspection.figures.thinning import thinned
from seqexp.runs.inspections import ANIMATION, FOLDER, numbers, of_kind, read_arrays
from seqexp.runs.store import write_atomic
from seqexp.types import SeqexpError

MOST = 60
"""So many steps have a frame; of more some are left out."""

FRAME_SECONDS, LAST_SECONDS = 0.6, 2.0
PIXELS_PER_INCH = 100

Arrays = Mapping[str, np.ndarray]


def animate(run_directory: Path) -> Path:
    """Write the animation of a run's inspections, a frame an inspection, over and over.

    Of the bottom layer it shows the hidden states of the first validation example, the paths of all
    examples on the axes of the last inspection, and the gradient norm against the lag, each where
    it was recorded, on axes that stay the same.

    Args:
        run_directory: of a run that was inspected.

    Returns:
        `inspection/animation.gif`.

    Raises:
        SeqexpError: the run was not inspected, or there is nothing of this to draw, or a file can't
            be read or written.
    """
    lines = thinned(inspections(run_directory), MOST)
    with matplotlib.rc_context(FRAME):
        frames = list(_frames(run_directory, lines, shared(run_directory)))
    if not frames:
        raise SeqexpError(
            f"{run_directory} has neither hidden states nor gradients to animate; "
            "seqexp inspect RUN level=full records them"
        )
    path = run_directory / FOLDER / ANIMATION
    file = io.BytesIO()
    durations = [round(1000 * FRAME_SECONDS)] * (len(frames) - 1) + [round(1000 * LAST_SECONDS)]
    first, *rest = frames
    first.save(file, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, file.getvalue())
    except OSError as error:
        raise SeqexpError(f"cannot write {path} ({error.strerror}); make room there") from error
    return path


def _frames(run: Path, lines: Sequence[Mapping[str, Any]], common: Shared) -> Iterator[Image.Image]:
    layer = next(iter(common.layers), None)
    chain = next(iter(common.gradients), None)
    kinds = ("hidden", "gradient_by_lag", "pascanu_bound", "lengths", "inputs")
    panels = (layer is not None) + (_has_paths(common, layer)) + (chain is not None)
    for line in lines if panels else ():
        arrays = read_arrays(run, line["step"], *kinds)
        width, height = panels * SIZE[0] / POINTS_PER_INCH, SIZE[1] / POINTS_PER_INCH
        figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout="constrained")
        axes = iter(figure.subplots(1, panels, squeeze=False)[0])
        if layer is not None:
            _draw_layer(axes, arrays, common, layer, line["step"])
        if chain is not None:
            _draw_chain(next(axes), arrays, common, chain, line)
        yield _image(figure)


def _has_paths(common: Shared, layer: str | None) -> bool:
    return layer is not None and common.layers[layer].components is not None


def _draw_layer(
    axes: Iterator[Axes], arrays: Arrays, common: Shared, layer: str, step: int
) -> None:
    own, name = common.layers[layer], f"hidden/{layer}"
    left = next(axes)
    right = next(axes) if own.components is not None else None
    if name not in arrays:  # of another level than the other inspections
        return
    states, mask = arrays[name], true_steps(arrays, name)
    draw_states(left, states[0], mask[0], own, layer, step)
    if right is not None and own.components is not None:
        points = projected(own.components, states, mask)
        time = np.broadcast_to(1 + np.arange(states.shape[1]), mask.shape)
        draw_paths(right, points, time, "time step", own, layer, step)


def _draw_chain(
    ax: Axes, arrays: Arrays, common: Shared, chain: str, line: Mapping[str, Any]
) -> None:
    quartiles = of_kind(arrays, "gradient_by_lag").get(chain)
    if quartiles is None:
        return
    bound = arrays.get(f"pascanu_bound/{chain}")
    half_life = numbers(line, "half_life").get(chain)
    limits = common.gradients[chain]
    handles = draw_gradient(ax, quartiles, half_life, bound, limits, chain, line["step"])
    ax.legend(list(handles.values()), list(handles), loc="upper right", fontsize=7)


def _image(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(128)
