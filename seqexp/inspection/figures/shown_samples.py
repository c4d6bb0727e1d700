"""What a run showed in the course of training: its texts and its pictures, as parts of a page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from seqexp.analysis.notation import spoken
from seqexp.analysis.page import paragraph, preformatted
from seqexp.analysis.records import read_lines
from seqexp.inspection.figures.thinning import thinned
from seqexp.runs.schema import SAMPLES

MOST = 5
"""The samples of so many steps are shown; of more some are left out, but neither the first nor the
last."""


def sample_parts(run_directory: Path) -> list[str]:
    """The texts and pictures of `samples.jsonl`, each with its step; nothing where there is none.

    Pictures are a part of the page. One whose file is missing or can't be read is named.

    Args:
        run_directory: of the run.
    """
    lines, complaints = read_lines(run_directory / SAMPLES)
    lines = [line for line in lines if _texts(line) or _pictures(line)]
    parts = [paragraph(f"{SAMPLES}: {what}.", "note") for what in complaints]
    if not lines and not parts:
        return []
    told = "What the model wrote, decoded or forecast in the course of training."
    shown = thinned(lines, MOST)
    if len(shown) < len(lines):
        told += f" {len(shown)} of {len(lines)} steps are shown."
    parts.append(paragraph(told, "note"))
    for line in shown:
        parts += [f"<h3>Training step {line['step']:,}</h3>", *map(preformatted, _texts(line))]
        legends = line.get("legends")
        legends = legends if isinstance(legends, dict) else {}
        pictures = [
            _figure(run_directory, line["step"], name, path, str(legends.get(name, "")))
            for name, path in _pictures(line).items()
        ]
        if pictures:
            parts.append('<div class="figures narrow">\n' + "\n".join(pictures) + "\n</div>")
    return ["<h2>Samples</h2>", *parts]


def _texts(line: Mapping[str, Any]) -> Sequence[str]:
    texts = line.get("texts")
    return [str(text) for text in texts] if isinstance(texts, list) else []


def _pictures(line: Mapping[str, Any]) -> Mapping[str, str]:
    pictures = line.get("pictures")
    return pictures if isinstance(pictures, dict) else {}


def _figure(run_directory: Path, step: int, name: str, path: str, legend: str) -> str:
    caption = f"{spoken(name).capitalize()}, training step {step:,}"
    try:
        content = (run_directory / path).read_bytes()
    except OSError as error:
        return paragraph(f"{caption}: {path} can't be read ({error.strerror}).", "note")
    data = base64.b64encode(content).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(caption)}" '
        'style="width: 100%; image-rendering: pixelated">'
        f"<figcaption>{escape(f'{caption}. {legend}' if legend else caption)}</figcaption></figure>"
    )
