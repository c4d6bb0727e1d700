"""JAX's settings: what changes results is in the identity, what doesn't is not, 64 bits refused."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import pytest

from seqexp.commands.main import main
from seqexp.sweeps.groups import plan
from seqexp.training.settings import DEFAULTS, changed_settings, refuse_settings
from seqexp.training.start import start_jax
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY
from tests.test_configs import point


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    """No settings but those of the test, which end with it."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    before = dict(jax.config.values)
    yield
    for name, value in before.items():
        if jax.config.values[name] != value:
            jax.config.update(name, value)


def test_the_defaults_are_those_of_this_jax():
    assert changed_settings() == {}
    assert len(DEFAULTS.keys() & jax.config.values.keys()) > 10


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("jax_default_matmul_precision", "bfloat16", "bfloat16"),
        ("jax_default_prng_impl", "rbg", "rbg"),
        ("jax_threefry_partitionable", False, "False"),
        ("jax_random_seed_offset", 3, "3"),
        ("jax_debug_nans", True, "True"),
    ],
)
def test_what_changes_results_is_told(name, value, shown):
    jax.config.update(name, value)
    assert changed_settings() == {f"setting {name}": shown}


def test_what_changes_no_result_is_left_out(monkeypatch):
    monkeypatch.setenv(
        "XLA_FLAGS", "--xla_force_host_platform_device_count=2 --xla_dump_to=/home/alice/dump"
    )
    monkeypatch.setenv("JAX_LOG_COMPILES", "1")
    jax.config.update("jax_log_compiles", True)
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 7.0)
    assert changed_settings() == {}


def test_a_setting_that_is_not_known_counts_where_it_is_set(monkeypatch):
    assert "jax_bcoo_cusparse_lowering" not in DEFAULTS
    monkeypatch.setenv("JAX_BCOO_CUSPARSE_LOWERING", "0")
    assert changed_settings() == {"setting jax_bcoo_cusparse_lowering": "False"}


def test_flags_of_xla(monkeypatch, tmp_path):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math --xla_a=/home/alice/b")
    found = changed_settings()
    assert found["setting xla_cpu_enable_fast_math"] == "true"
    assert len(found["setting xla_a"]) == 64, "a path is hashed"
    (tmp_path / "flags").write_text("--xla_cpu_enable_fast_math=true\n--xla_dump_to=x\n")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "flags"))
    assert changed_settings() == {"setting xla_cpu_enable_fast_math": "true"}


@pytest.mark.parametrize("name", ["jax_enable_x64", "jax_disable_jit"])
def test_what_no_run_can_be_made_with_is_refused(name, capsys, tmp_path):
    jax.config.update(name, True)
    with pytest.raises(SeqexpError, match=name.upper()):
        refuse_settings()
    assert main(["run", "task=adding", "model=rnn", f"runs_dir={tmp_path}"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and name.upper() in err and "unset" in err
    assert not list(tmp_path.iterdir())


def test_a_changed_setting_makes_another_run():
    """It was skipped as the same run before, with another result."""
    one = point("model=rnn", *TINY)

    def planned() -> tuple[str, str, Mapping[str, str]]:
        ((group,), (run_id,)) = plan([one])
        return run_id, group.members[0].info.group, group.members[0].data_hashes

    usual = planned()
    jax.config.update("jax_default_prng_impl", "rbg")
    other = planned()
    assert other[0] != usual[0] and other[1] != usual[1], "neither the run nor a seed of it"
    assert other[2]["setting jax_default_prng_impl"] == "rbg", "it is in the manifest"
    jax.config.update("jax_default_prng_impl", "threefry2x32")
    assert planned() == usual


def test_strict_promotion_is_pinned_to_what_our_code_is_written_for():
    jax.config.update("jax_numpy_rank_promotion", "raise")
    start_jax()
    assert jax.config.values["jax_numpy_rank_promotion"] == "allow"
    assert changed_settings() == {}


def test_the_users_cache_wins_over_ours(monkeypatch, tmp_path):
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        monkeypatch.delenv(name, raising=False)
    start_jax()
    assert "seqexp" in jax.config.values["jax_compilation_cache_dir"]
    assert jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "5")
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 5)
    start_jax()
    assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path)
    assert jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 5
