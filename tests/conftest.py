"""Two CPU devices, set before jax starts, so that the laws of groups and meshes are tested."""

import gc
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xla_flags import refused

CACHE = Path(__file__).parents[1] / ".pytest_cache"

flags = ["--xla_force_host_platform_device_count=2"]
if not os.environ.get("SEQEXP_TEST_AS_USERS_COMPILE"):
    # Small programs compile in half the time so; what rounding can fail is compiled as users do.
    flags += ["--xla_cpu_use_fusion_emitters=false", "--xla_backend_optimization_level=1"]
UNKNOWN = refused(flags, CACHE)
given = os.environ.get("XLA_FLAGS", "").split()
if mistaken := refused(given, CACHE):
    raise pytest.UsageError(f"JAX doesn't start with XLA_FLAGS={' '.join(given)}: {mistaken}")
known = [flag for flag in flags if flag not in UNKNOWN and flag not in given]
os.environ["XLA_FLAGS"] = " ".join([*given, *known])

# Many tests build the same small programs: compile each of them once.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


ROUNDING = (
    "recurrences/",
    "training/test_compiled",
    "training/test_golden_step",
    "training/test_group_laws",
    "training/test_mesh",
    "training/test_precision",
    "training/test_stateful",
)
"""Tests of what a compiler's rounding can fail, bitwise or in float32: the exhaustive ones are
compiled as users compile, and CI tries the others on the newest JAX."""


CHECKED = ("types", "recurrences", "cells", "layers", "models")
"""Parts of the package whose annotated shapes `--shapes` checks at each call."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check the shapes in annotations")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--shapes"):
        from jaxtyping import install_import_hook

        loaded = [name for name in sys.modules if name.split(".")[0] == "seqexp"]
        assert not loaded, f"imported before their shapes could be checked: {loaded}"
        import tests.shapes  # the hook finds it there

        install_import_hook(
            [f"seqexp.{part}" for part in CHECKED], f"{tests.shapes.checked.__module__}.checked"
        )


FIRST = ("toys", "tests", "sweeps", "training", "commands")
"""Folders with the longest tests, which are tried first, so that no worker has to wait for one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from tests.full import LONG

    long = tuple(f"tests/{name}" for name in LONG)
    rounding = tuple(f"tests/{name}" for name in ROUNDING)

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=place)
    for item in items:
        if item.nodeid.startswith(long):
            item.add_marker(pytest.mark.full)
        if item.nodeid.startswith(rounding):
            item.add_marker(pytest.mark.rounding)


@pytest.fixture
def compiled() -> Iterator[Counter[str]]:
    """How often each program is compiled, by its name, or is read from the persistent cache."""
    import jax

    counts: Counter[str] = Counter()

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            counts[str(kwargs["fun_name"])] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield counts
    jax.monitoring.unregister_event_duration_listener(listen)


TESTS = itertools.count(1)


def pytest_runtest_teardown() -> None:
    """Programs of many tests together take more mappings of memory than Linux gives a process. To
    count them takes 10 ms where they are many, so every tenth test does."""
    if next(TESTS) % 10 == 0 and "jax" in sys.modules:
        from seqexp.training.compiled import MANY, drop_programs, mappings

        if mappings() > 2 * MANY:
            drop_programs()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_collected_twice():
    """What a file of tests leaves behind, jaxprs and compiled programs, is not looked through again
    at each later collection of garbage."""
    yield
    gc.collect()
    gc.freeze()


def pytest_report_header() -> list[str]:
    return [f"this JAX does not know {flag}: tested without it" for flag in UNKNOWN]


@pytest.fixture
def unknown_to_wandb(tmp_path_factory, monkeypatch):
    """A wandb that knows nothing of this user, and whose server can't be reached."""
    from tests.runs.offline_wandb import unknown_user  # imports jax, which needs the flags above

    with unknown_user(tmp_path_factory.mktemp("wandb"), monkeypatch):
        yield


@pytest.fixture(scope="session")
def require_files():
    """A function that skips the test where a task's files are not at hand without a download."""
    from seqexp.data.sources import SOURCES

    folder = Path(os.environ.get("SEQEXP_DATA_DIR", "unset"))

    def require(task) -> None:
        hashes = task.data_hashes()
        for source in SOURCES:
            # The files of an archive have one hash together.
            together = source.archive is not None and source.hashes().keys() & hashes
            for file in source.files:
                if (together or file.path in hashes) and not (folder / file.path).is_file():
                    pytest.skip(f"SEQEXP_DATA_DIR names no folder with {file.path}")

    return require
