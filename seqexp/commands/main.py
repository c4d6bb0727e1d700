"""`seqexp`: the console script. Picks a command, and turns errors into one line."""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from seqexp.commands.interrupts import Interrupts

USAGE = """\
usage: seqexp COMMAND ...

  sweep   model=rnn,lstm task=adding seed=0,1   train every combination, then report
  run     model=gru task=digits                 train one point
  cost    model=lstm --lengths 64,128,256       what a model costs, and how that grows
  check   model=mgu --config-dir FOLDER         do models and tasks, your own too, keep the laws?
  conform mamba                                 does an architecture, your own too, keep the laws?
  report  runs/STUDY [...] [--wandb]            table, figures and page from the records
  inspect runs/STUDY[/RUN] [level=light]        look into models: states, gradients, memory
  status  runs/STUDY [--all] [--json]           what of a sweep is done, trains, waits, failed
  watch   runs/STUDY [--port PORT]              a page that follows a sweep while it trains
  data    list|fetch|verify|path [NAME ...]     data sets: what there is, download, check, where
  doctor                                        does what a run needs work on this machine?
  --version

run, sweep, check, conform and cost take Hydra overrides; `seqexp run --help` lists the menu,
`--cfg job` prints the config. Commands that were interrupted go on where they were when started
again.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 if something failed, 2 for a mistaken call.

    It is 130, 143 or 129 for a command that SIGINT, SIGTERM or SIGHUP ended. Without arguments
    those of the process are meant, and it ends with the command.
    """
    if arguments is not None:
        with Interrupts() as interrupts:
            return _interruptible(arguments, interrupts)
    # Never left: a signal may come while Python ends. So that none comes behind its threads, it
    # ends here.
    interrupts = Interrupts()
    code = _interruptible(sys.argv[1:], interrupts, interrupts.__enter__)
    with suppress(SystemExit):
        sys.exit(code)  # wandb watches it for the exit code of runs that are still open
    endings = sys.modules.get("seqexp.runs.endings")
    if endings is None or not endings.is_sudden():
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # closed, or never open
            stream.flush()
    os._exit(code)


def _interruptible(
    arguments: Sequence[str], interrupts: Interrupts, begin: Callable[[], object] = lambda: None
) -> int:
    code = 0
    try:
        begin()
        code = _with_output(list(arguments), interrupts)
        interrupts.notice()
    except BaseException:
        # With a signal under way, whatever was raised comes of it: an import that was cut short
        # may raise anything, or nothing.
        interrupts.notice()
        if interrupts.number is None:
            raise
    if interrupts.number is None:
        return code
    interrupts.say()
    return interrupts.exit_code


def _with_output(arguments: list[str], interrupts: Interrupts) -> int:
    from seqexp.commands.output import forgiving_output

    with forgiving_output() as output:
        code = _main(arguments, interrupts)
    if output.lost:
        print(f"seqexp: error: cannot write to stdout ({output.lost})", file=sys.stderr)
        return code or 1
    return code


def _main(arguments: list[str], interrupts: Interrupts) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] in ("--version", "-V"):
        from importlib.metadata import version

        print(f"seqexp {version('seqexp')}")
        return 0
    try:
        command = _command(arguments[0])
    except ValueError as error:
        if not _of_setting(error):
            raise
        # JAX reads its settings when it is imported.
        print(f"seqexp: error: {error}: mend or unset it in the environment", file=sys.stderr)
        return 2
    if command is None:
        print(f"seqexp: no command {arguments[0]!r}; seqexp --help lists them", file=sys.stderr)
        return 2
    # With it Hydra hands its exceptions on, for one line of ours instead of its own report.
    debug = os.environ.setdefault("HYDRA_FULL_ERROR", "1") == "full"
    try:
        return command(arguments[1:])
    except Exception as error:
        if debug or interrupts.number is not None or not _expected(error):
            raise
        print(f"seqexp: error: {_one_line(error)}", file=sys.stderr)
        return 2


def _of_setting(error: ValueError) -> bool:
    """Whether JAX raised it, and it names a variable of the environment ("for JAX flag jax_x")."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    module = "" if frame is None else frame.tb_frame.f_globals.get("__name__", "")
    named = re.findall(r"\bjax_\w+", str(error), re.IGNORECASE)
    return module.partition(".")[0] == "jax" and any(n.upper() in os.environ for n in named)


def _command(name: str) -> Callable[[list[str]], int] | None:
    """The function of a command; imports only what that command needs."""
    if name in ("run", "sweep"):
        from seqexp.commands import train

        return getattr(train, name)
    others = ("check", "conform", "cost", "report", "inspect", "status", "watch", "data", "doctor")
    if name in others:
        import importlib

        return importlib.import_module(f"seqexp.commands.{name}").main
    return None


def _expected(error: Exception) -> bool:
    """Whether an error is the user's to mend; all others keep their traceback."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from seqexp.types import SeqexpError

    return isinstance(error, SeqexpError | HydraException | OmegaConfBaseException)


def _one_line(error: Exception) -> str:
    from seqexp.commands.mistakes import plain

    return plain(error)
