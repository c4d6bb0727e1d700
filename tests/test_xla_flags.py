"""The suite's XLA flags are tried before they are set."""

from __future__ import annotations

from tests.xla_flags import refused


def test_an_unknown_flag_is_named_with_what_xla_says_of_it(tmp_path):
    """Set in the environment it would end pytest without a word."""
    flags = ["--xla_no_such_flag=true", "--xla_backend_optimization_level=1"]
    found = refused(flags, tmp_path)
    assert list(found) == ["--xla_no_such_flag=true"]
    assert "Unknown flag" in found["--xla_no_such_flag=true"]
    assert refused(flags, tmp_path) == found, "the answers are kept"
