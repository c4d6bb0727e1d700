"""`seqexp cost`: what models cost, and how it grows with the length of sequences and the width."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from seqexp.analysis.growth import aligned, exponents, growth_figures, to_text
from seqexp.analysis.looks import looks
from seqexp.analysis.measured import FOLDER, FORMAT
from seqexp.analysis.notation import NOTHING, count, shortened
from seqexp.commands.composition import points_of
from seqexp.commands.options import parse
from seqexp.commands.overrides import Asked, asked, config_options
from seqexp.runs.naming import Label
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from seqexp.costs import CostLedger
    from seqexp.sweeps import Point

USAGE = """\
usage: seqexp cost [--lengths T,T,...] [--widths H,H,...] [--name NAME] [OVERRIDE ...]

  seqexp cost model=lstm task=adding
  seqexp cost model=rnn,lstm,gru task=adding --lengths 64,128,256,512 --widths 32,64,128

Measures, on this machine, what models cost to train and to run on random sequences of the form that
a task has: time, memory, FLOPs. Lengths are tried at the config's own width (model.features), and
widths at the task's own length; for each cost the exponent of its growth is fitted.

Overrides and --config-dir are those of seqexp sweep, whose --help lists the menu; what differs in
seeds and rates only costs the same, and is measured once. Everything goes to
runs_dir/STUDY/cost/NAME: cost.json (all figures, each with its method), cost.csv, and TASK-growth
as SVG and PDF. Where study=STUDY is that of a sweep, its next report shows the growth beside the
runs. NAME is made of the models and tasks unless it is given; what is there is replaced.
"""


OURS = ("cost.json", "cost.csv", "*growth.svg", "*growth.pdf")
"""The files that the command writes."""


@dataclass(frozen=True)
class Options:
    """What the command was asked for, beside overrides."""

    lengths: list[int]
    widths: list[int]
    name: str | None


def main(arguments: list[str]) -> int:
    """Measure, print, and write."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options, configs = _parse(arguments)
    points = _labelled(_compose(configs))
    measured = _measure(points, options)
    table = pd.DataFrame([row for row, _ in measured])
    fits = exponents(table.loc[table["varied"] != ""])
    folder = _folder(points, options)
    print(_ledger_table({_called(row): ledger for row, ledger in measured if not row["varied"]}))
    if len(fits):
        print(f"\n{to_text(fits)}")
    _write(folder, points, measured, table, fits)
    print(f"\ncosts: {folder}")
    return 0


def _parse(arguments: Sequence[str]) -> tuple[Options, Asked]:
    parser = argparse.ArgumentParser(
        parents=[config_options()], add_help=False, allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument("--lengths", type=_sizes("--lengths"), default=[])
    parser.add_argument("--widths", type=_sizes("--widths"), default=[])
    parser.add_argument("--name")
    found, words = parse(parser, arguments, "cost")
    if found.name is not None and not _is_name(found.name):
        raise SeqexpError(f"--name must be one name, for a folder, not {found.name!r}")
    return Options(found.lengths, found.widths, found.name), asked(found, words)


def _sizes(option: str) -> Callable[[str], list[int]]:
    def sizes_in(text: str) -> list[int]:
        try:
            sizes = sorted({int(size) for size in text.split(",")})
        except ValueError:
            sizes = []
        if len(sizes) < 2 or sizes[0] < 1:
            raise SeqexpError(
                f"{option} must be two or more whole numbers of at least 1, separated by commas "
                f"(64,128,256), not {text!r}"
            )
        return sizes

    return sizes_in


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and Path(text).name == text


def _compose(asked: Asked) -> list[Point]:
    """The points of all combinations, their widths matched, each program once."""
    from seqexp.runs.identity import canonical
    from seqexp.sweeps.data import Data
    from seqexp.sweeps.widths import match_widths
    from seqexp.training.start import start_jax

    start_jax()
    # Seeds and rates are values that a program is given: they cost the same.
    programs: dict[str, Point] = {}
    for point in points_of(asked):
        key = canonical([point.shared_config(), point.config.get("match")])
        programs.setdefault(key, point)
    return match_widths(list(programs.values()), Data())


def _labelled(points: Sequence[Point]) -> dict[Label, Point]:
    """The points by what their models and tasks are called."""
    from seqexp.sweeps.names import labels_of, result_of

    return dict(zip(labels_of(points, result_of), points, strict=True))


def _called(row: Mapping[str, Any]) -> str:
    return f"{row['label']} on {row['task']}"


def _measure(
    points: Mapping[Label, Point], options: Options
) -> list[tuple[dict[str, Any], CostLedger]]:
    """What was measured, as rows of cost.csv, and the ledgers that they come from.

    The first of a model is that of its config, with nothing varied.
    """
    from seqexp.costs.measure import not_known
    from seqexp.sweeps.random_costs import cost_at, with_peak_resident

    measured = []
    for label, point in points.items():
        known: dict[tuple[int, int], CostLedger] = {}
        for varied, length, width in _sizes_of(point, options):
            at = point if width == point.config["model"].get("features") else point.at_width(width)
            ledger = known.get((length, width))
            row = {"task": label.task, "label": label.whole, "model": point.model}
            row |= {"varied": varied, "length": length, "width": width}
            if ledger is None:
                print(f"{_called(row)}: T={length} H={width}", file=sys.stderr)
                ledger = known[length, width] = cost_at(at, length)
            if not varied:
                ledger = with_peak_resident(ledger, at, length)
                for line in not_known(ledger):
                    print(f"{_called(row)}: {line}", file=sys.stderr)
            measured.append((row | _numbers(ledger), ledger))
    return measured


def _sizes_of(point: Point, options: Options) -> Iterator[tuple[str, int, Any]]:
    """What is varied, the length and the width, of each measurement of a model."""
    length, width = point.build().task.spec.usual_length, point.config["model"].get("features")
    if options.widths and width is None:
        raise SeqexpError(f"{point.model} has no `features` to vary: leave --widths out")
    yield "", length, width
    yield from (("length", each, width) for each in options.lengths)
    yield from (("width", length, each) for each in options.widths)


def _numbers(ledger: CostLedger) -> dict[str, Any]:
    return {k: v for k, v in ledger.to_json().items() if not isinstance(v, Mapping)}


def _ledger_table(ledgers: Mapping[str, CostLedger]) -> str:
    """Every figure of each model as its config has it; a column a model."""
    columns = [_numbers(ledger) for ledger in ledgers.values()]
    rows = [[name, *(_shown(column[name]) for column in columns)] for name in columns[0]]
    return aligned([["", *ledgers], *rows])


def _shown(value: float | None) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return count(value)
    return shortened(value) if value >= 1000 else f"{value:.3g}"


def _folder(points: Mapping[Label, Point], options: Options) -> Path:
    parts = [[p.model for p in points.values()], [p.task for p in points.values()]]
    name = options.name or "-".join(name for part in parts for name in dict.fromkeys(part))
    config = next(iter(points.values())).config
    return Path(config["runs_dir"]) / config["study"] / FOLDER / name


def _write(
    folder: Path,
    points: Mapping[Label, Point],
    measured: Sequence[tuple[dict[str, Any], CostLedger]],
    table: pd.DataFrame,
    fits: pd.DataFrame,
) -> None:
    from seqexp.runs.manifest import manifest
    from seqexp.runs.redaction import redact
    from seqexp.runs.replacing import replaced
    from seqexp.runs.store import dumps
    from seqexp.sweeps.groups import device_kind

    places = ("task", "label", "model", "varied", "length", "width")
    record = {
        "format": FORMAT,
        "manifest": manifest(device_kind(), {}),
        "configs": [
            {"task": label.task, "label": label.whole, "config": redact(point.config)}
            for label, point in points.items()
        ],
        "measured": [
            {place: row[place] for place in places} | {"cost": ledger.to_json()}
            for row, ledger in measured
        ],
        "growth": fits.to_dict("records"),
    }
    varied = table.loc[table["varied"] != ""]
    look = looks(varied.assign(model_label=varied["label"]))
    with replaced(folder, OURS, "choose another folder with runs_dir=...") as new:
        (new / "cost.json").write_text(f"{dumps(record, indent=2)}\n", encoding="utf-8")
        (new / "cost.csv").write_text(table.to_csv(index=False), encoding="utf-8")
        for figure in growth_figures(varied, fits, look):
            (new / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
            (new / f"{figure.name}.pdf").write_bytes(figure.pdf)
