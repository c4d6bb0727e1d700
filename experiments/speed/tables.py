"""The README's tables, made from results.json.

python experiments/speed/tables.py prints them; --readme writes them into the README.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from aims import AIMS, Row, met, reached
from rows import FOLDER, load

README = FOLDER / "README.md"
START, END = "<!-- tables: written by tables.py -->", "<!-- end of tables -->"
CELLS = ("LSTM", "GRU", "GRU before", "RNN")
NONE = "–"


def page(results: dict[str, Any]) -> str:
    """Everything between the README's markers."""
    return "\n\n".join([aims_table(results["rows"]), *_sections(results), _machine(results)])


def aims_table(rows: Sequence[Row]) -> str:
    """Each aim beside what was reached."""
    lines = [
        "| what | aim at worst | reached | where | aim on average | reached | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for aim in AIMS:
        found = reached(aim, rows)
        cells = [NONE] * 3
        if found is not None:
            where = f"{found.where['cell']} {_shape(found.where)}" if found.count > 1 else ""
            cells = [f"{found.worst:.2f}", where, f"{found.mean:.2f}"]
        verdict = NONE if found is None else ("yes" if met(aim, found) else "no")
        wanted = [NONE if value is None else f"{value:g}" for value in (aim.worst, aim.mean)]
        lines.append(_line([aim.what, wanted[0], *cells[:2], wanted[1], cells[2], verdict]))
    return "\n".join(lines)


def cell_table(rows: Sequence[Row]) -> str:
    """A line a shape; for each cell our time, how many times it each opponent takes, the limit.

    In brackets: the devices that share the batch.
    """
    cells = [cell for cell in CELLS if any(row["cell"] == cell for row in rows)]
    opponents = {
        cell: list(dict.fromkeys(row["opponent"] for row in rows if row["cell"] == cell))
        for cell in cells
    }
    limited = any(row["roofline_fraction"] is not None for row in rows)
    heads = ["shape"]
    for cell in cells:
        heads += [f"{cell}, ms", *opponents[cell], *(["limit"] if limited else [])]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for shape in dict.fromkeys(_shape(row) for row in rows):
        entries = [shape]
        for cell in cells:
            own = {r["opponent"]: r for r in rows if r["cell"] == cell and _shape(r) == shape}
            first = next(iter(own.values()), None)
            entries.append(NONE if first is None else _time(first))
            entries += [f"{own[o]['ratio']:.2f}" if o in own else NONE for o in opponents[cell]]
            if limited:
                fraction = first and first["roofline_fraction"]
                entries.append(NONE if fraction is None else f"{fraction:.2f}")
        lines.append(_line(entries))
    return "\n".join(lines)


def loop_table(rows: Sequence[Row]) -> str:
    """A line a cell and opponent: milliseconds of a training step of one member."""
    lines = [
        "| cell | members | against | ours, ms | theirs, ms | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = f"{row['ours_ms']:.3g} ({row['ours_how']})"
        theirs = f"{row['theirs_ms']:.3g} ({row['theirs_how']})"
        lines.append(
            _line(
                [
                    row["cell"],
                    str(row["members"]),
                    row["opponent"],
                    ours,
                    theirs,
                    f"{row['ratio']:.2f}",
                ]
            )
        )
    return "\n".join(lines)


def write(results: dict[str, Any], readme: Path = README) -> None:
    """Put the tables between the README's markers."""
    before, rest = readme.read_text().split(START)
    _, after = rest.split(END)
    readme.write_text(f"{before}{START}\n\n{page(results)}\n\n{END}{after}")


def _sections(results: dict[str, Any]) -> Iterator[str]:
    rows = results["rows"]
    loops = [row for row in rows if row["level"] == "loop"]
    if loops:
        yield "### A training step of one member, adding problem, (32, 100, 2, 64)"
        yield loop_table(loops)
    kinds: list[tuple[str, Callable[[Row], bool]]] = [
        ("", lambda r: not (r["ragged"] or r["layers"] > 1 or r["bidirectional"])),
        (", ragged lengths", lambda r: r["ragged"]),
        (", two layers", lambda r: r["layers"] > 1),
        (", both directions", lambda r: r["bidirectional"]),
    ]
    measured = [row for row in rows if row["level"] == "cell"]
    for threads in sorted({row["threads"] for row in measured}, reverse=True):
        for title, kind in kinds:
            for passes in ("forward+backward", "forward"):
                some = [
                    row
                    for row in measured
                    if row["threads"] == threads and row["pass"] == passes and kind(row)
                ]
                if some:
                    count = f"{threads} thread" + "s" * (threads > 1)
                    yield f"### {passes.replace('+', ' and ').capitalize()}{title}, {count}"
                    yield cell_table(some)
    if any(row["level"] == "sweep" for row in rows):
        yield "### Time against length and width"
        yield "![Time of forward and backward against length and width](speed.png)"


def _machine(results: dict[str, Any]) -> str:
    header = results["header"]
    machine = header["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    lines = [
        f"Measured {header['date']} by `{header['command']}` in {header['minutes']:.0f} minutes, "
        f"on {machine['cores']} cores of {machine['cpu']} ({machine['system']}).",
        f"Versions: {versions}.",
    ]
    lines += [f"Left out: {reason}." for reason in header["left_out"]]
    lines += [f"Failed: {reason}." for reason in header["failures"]]
    return "\n".join(lines)


def _time(row: Row) -> str:
    return f"{row['ours_ms']:.3g} ({row['ours_devices']})"


def _shape(row: Row) -> str:
    return f"({', '.join(map(str, row['shape']))})"


def _line(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"


def main(arguments: list[str]) -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write them into the README")
    if parser.parse_args(arguments).readme:
        write(load())
    else:
        print(page(load()))


if __name__ == "__main__":
    main(sys.argv[1:])
