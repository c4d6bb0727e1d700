"""Two CPU devices, set before jax starts, so that the laws of groups and meshes are tested."""

import os
from pathlib import Path

import pytest

flags = ["--xla_force_host_platform_device_count=2"]
if not os.environ.get("SEQEXP_TEST_AS_USERS_COMPILE"):
    # Small programs compile in half the time so; `make test-full` compiles as users do.
    flags += ["--xla_cpu_use_fusion_emitters=false", "--xla_backend_optimization_level=1"]
os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()

# Many tests build the same small programs: compile each of them once.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "xla")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


@pytest.fixture
def unknown_to_wandb(tmp_path_factory, monkeypatch):
    """A wandb that knows nothing of this user, and whose server can't be reached."""
    from tests.runs.offline_wandb import unknown_user  # imports jax, which needs the flags above

    with unknown_user(tmp_path_factory.mktemp("wandb"), monkeypatch):
        yield
