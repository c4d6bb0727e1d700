"""JAX's settings that change what a run computes: refused, or part of its identity.

JAX and XLA are also set by environment variables, which no config shows. Precision, random numbers
and what the compiler may rearrange change results; where programs are kept and what is logged do
not, nor does the number of CPU devices, but for a single one, with which nothing is trained. A
setting that is not known to be harmless counts as one that changes results.
"""

from __future__ import annotations

import enum
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import jax

from seqexp.types import SeqexpError

REFUSED = {
    "jax_enable_x64": "runs are in 32 bits, and their records would be taken for those of others",
    "jax_disable_jit": "a group trains as one compiled program",
}
"""Switches that must be off, and why."""

PINNED = {"jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow"}
"""Settings that change no result, but whose strict forms refuse operations of ours and of Flax."""

DEFAULTS: dict[str, Any] = {
    "jax_allow_f16_reductions": True,
    "jax_compiler_enable_remat_pass": True,
    "jax_debug_infs": False,
    "jax_debug_nans": False,
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_most_optimizations": False,
    "jax_enable_custom_prng": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_memory_fitting_effort": 0.0,
    "jax_memory_fitting_level": "O2",
    "jax_optimization_level": "UNKNOWN",
    "jax_random_seed_offset": 0,
    "jax_softmax_custom_jvp": False,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_threefry_partitionable": True,
    "jax_use_direct_linearize": True,
    "jax_use_shardy_partitioner": True,
}
"""Settings that may change results, as JAX has them by itself. One that isn't here counts as
changed where its environment variable is set."""

HARMLESS = re.compile(
    "jax_(platforms|platform_name|xla_backend|backend_target|num_cpu_devices|.*_visible_devices"
    "|default_device|.*cache.*|logging_level|log_.*|.*_logging.*|explain_.*|debug_log_modules"
    "|debug_leaked.*|debug_key_reuse|dump_.*|.*traceback.*|.*debug_info.*|source_.*|hlo_source.*"
    "|check_.*|enable_checks|mutable_array_checks|captured_constants.*|transfer_guard.*"
    "|thread_guard|array_garbage.*|distributed_.*|.*timeout.*|mtls_.*|cross_host_.*|share_binary.*"
    "|export_.*|serialization_version|pprint_.*|.*_preemption_service|enable_recoverability"
    "|xla_profile_version|include_.*|pallas_verbose_errors|tracer_error.*)"
)
HARMLESS_FLAGS = re.compile(
    "--xla_(force_host_platform_device_count|dump_.*|gpu_cuda_data_dir|slow_.*|hlo_profile)"
)
WORD = re.compile(r"[\w.+-]{1,40}")
ALSO = ("LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
"""Environment variables beside JAX's and XLA's own that change results on accelerators."""


def refuse_settings() -> None:
    """Refuse what no run can be made with.

    Raises:
        SeqexpError: naming the setting.
    """
    for name, why in REFUSED.items():
        if jax.config.values.get(name):
            raise SeqexpError(f"{name.upper()} is set, and {why}: unset it")


def changed_settings() -> dict[str, str]:
    """JAX's and XLA's settings of this process that may change results and are not the usual ones.

    They stand beside the data's hashes in a run's identity and manifest. What is no plain word is
    hashed too: a path says much about its owner and nothing about the result.

    Example:
        {"setting jax_default_matmul_precision": "bfloat16",
         "setting xla_cpu_enable_fast_math": "true"}
    """
    changed = {}
    for name, value in jax.config.values.items():
        if HARMLESS.fullmatch(name) or name in REFUSED | PINNED:
            continue
        shown = str(value.value if isinstance(value, enum.Enum) else value)
        known = name in DEFAULTS
        if shown != str(DEFAULTS[name]) if known else name.upper() in os.environ:
            changed[name] = shown
    for flag in _xla_flags():
        if not HARMLESS_FLAGS.fullmatch(flag.partition("=")[0]):
            name, _, value = flag.removeprefix("--").partition("=")
            changed[name] = value or "true"
    changed |= {name: os.environ[name] for name in ALSO if name in os.environ}
    return {f"setting {name}": _plain(value) for name, value in sorted(changed.items())}


def _plain(value: str) -> str:
    return value if WORD.fullmatch(value) else hashlib.sha256(value.encode()).hexdigest()


def _xla_flags() -> list[str]:
    text = os.environ.get("XLA_FLAGS", "").strip()
    if text and not text.startswith("-"):  # The name of a file that holds them.
        try:
            text = Path(text).read_text()
        except OSError:
            return []
    return text.split()
