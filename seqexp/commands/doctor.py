"""`seqexp doctor`: does what a run needs work on this machine?"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seqexp.training.start import start_jax
from seqexp.types import reason

USAGE = """\
usage: seqexp doctor

Prints versions and devices, looks for known defects of JAX, and tries what a run needs: folders
that can be written, compiled programs kept and found again, wandb, a small sweep with its costs and
its report. What doesn't work is a line each, with what to do, and the exit code is 1.
"""

SWEEP = (
    *("task=adding", "task.length=6", "task.valid_examples=10", "task.test_examples=10"),
    *("model=gru", "model.features=4", "trainer.steps=4", "trainer.batch_size=4"),
    *("trainer.eval_every=2", "logger.mode=disabled", "study=doctor"),
)


def main(arguments: list[str]) -> int:
    """Print what there is and what is wrong; 1 if something is."""
    if arguments:
        print(USAGE, end="", file=sys.stdout if arguments[0] in ("-h", "--help") else sys.stderr)
        return 0 if arguments[0] in ("-h", "--help") else 2
    start_jax()
    _print_versions()
    wrong = [*_dead_canaries()]
    print("canaries: all alive" if not wrong else f"canaries: {len(wrong)} dead")
    for name, trial in {
        "folders": _folders,
        "compilation cache": _cache,
        "wandb": _wandb,
        "training, costs, report": _sweep,
    }.items():
        found = [*trial()]
        print(f"{name}: {'in order' if not found else 'WRONG'}")
        wrong += found
    for line in wrong:
        print(f"WRONG: {line}")
    return int(bool(wrong))


def _print_versions() -> None:
    import jax

    from seqexp.runs.manifest import PACKAGES, manifest
    from seqexp.training.mesh import devices_at_work
    from seqexp.training.precision import fast_products
    from seqexp.training.settings import changed_settings

    kind = jax.local_devices()[0].device_kind
    facts = manifest(kind, {})
    print(f"seqexp {facts['version']}, Python {facts['python']}, {facts['platform']}")
    print(", ".join(f"{name} {facts['packages'][name]}" for name in PACKAGES))
    print(f"{devices_at_work()} device(s): {kind}")
    how = fast_products()
    lacks = "no fast products here, trainer.precision=bfloat16 saves no time"
    print(f"bfloat16: {lacks if how is None else f'products by {how}'}")
    for setting, value in changed_settings().items():
        print(f"{setting} is {value}: runs made with it have identities of their own")


def _dead_canaries() -> list[str]:
    from seqexp.training.canary import canaries

    return canaries()


def _folders() -> Iterator[str]:
    """Where runs and wandb's files go, unless told otherwise."""
    runs = Path("runs").resolve()
    if not os.access(_nearest(runs), os.W_OK):
        yield f"cannot write to {runs}: go to another folder, or choose one with runs_dir=FOLDER"
    temporary = tempfile.gettempdir()
    if not os.access(temporary, os.W_OK):
        yield f"cannot write to {temporary}: set TMPDIR"


def _nearest(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def _cache() -> Iterator[str]:
    """A program is compiled, forgotten, and found again."""
    import jax
    import jax.numpy as jnp

    folder = jax.config.values["jax_compilation_cache_dir"]
    if not folder or not jax.config.values["jax_enable_compilation_cache"]:
        print("compilation cache: turned off by the environment; each process compiles anew")
        return
    found = []

    def listen(event: str, **_: str | int) -> None:
        if event.endswith("cache_hits"):
            found.append(event)

    jax.monitoring.register_event_listener(listen)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        for _ in range(2):
            jax.clear_caches()
            jax.block_until_ready(jax.jit(lambda x: jnp.tanh(3 * x) - 2)(jnp.ones(7)))
    except OSError as error:
        yield (
            f"cannot write to {folder} ({error.strerror}), so that each process compiles anew: set "
            "JAX_COMPILATION_CACHE_DIR to a folder of yours"
        )
        return
    finally:
        jax.monitoring.unregister_event_listener(listen)
    if not found and jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0:
        yield f"what was compiled is not found again in {folder}: remove that folder"


def _wandb() -> Iterator[str]:
    from seqexp.runs.wandb_session import why_not_loaded

    if (why := why_not_loaded()) is not None:
        yield f"wandb doesn't load ({why}): install it again, or set logger.mode=disabled"


def _sweep() -> Iterator[str]:
    from seqexp.commands import train
    from seqexp.costs import CostLedger
    from seqexp.costs.measure import not_known

    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                failed = train.sweep([*SWEEP, f"runs_dir='{folder}'"])
        except Exception as error:
            failed = reason(error)
        if failed:
            last = " ".join(said.getvalue().split())[-300:]
            yield f"a small sweep fails ({failed if failed != 1 else last}): report it with this"
            return
        for path in Path(folder).glob("doctor/*/cost.json"):
            for line in not_known(CostLedger.from_json(json.loads(path.read_text()))):
                print(line)
        if not (Path(folder) / "doctor" / "report" / "index.html").exists():
            yield "a small sweep leaves no report: report it with the versions above"
