"""How every command starts JAX: cores as devices, compiled programs kept, mistakes in one line."""

from __future__ import annotations

import gc
import logging
import os

import jax
import platformdirs

from seqexp.training.mesh import expose_cores, lacks_devices
from seqexp.training.settings import PINNED, refuse_settings
from seqexp.types import SeqexpError

OURS = {
    "jax_compilation_cache_dir": platformdirs.user_cache_dir("seqexp/xla"),
    "jax_persistent_cache_min_compile_time_secs": 0,
}


def start_jax() -> None:
    """Start JAX with our settings, where the environment doesn't say otherwise.

    What a process has by then, modules above all, is not looked through again at each collection of
    garbage, which would take a quarter of a second each time.

    Raises:
        SeqexpError: if a setting is refused, JAX has no such platform here, or a single CPU device.
    """
    logging.getLogger("jax").setLevel(logging.WARNING)
    refuse_settings()
    for name, value in PINNED.items():
        jax.config.update(name, value)
    expose_cores()
    for name, value in OURS.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        platforms = jax.config.values["jax_platforms"]
        said = (str(error).splitlines() or ["it is not there"])[0].partition(" (set JAX_")[0]
        asked = f"JAX_PLATFORMS={platforms}" if platforms else "its devices"
        raise SeqexpError(
            f"JAX doesn't start with {asked}: {said.rstrip('.')}; unset JAX_PLATFORMS, or install "
            "the JAX of that device (jax[cuda13], jax[tpu])"
        ) from error
    if lacks_devices():
        raise SeqexpError(
            "a single CPU device (JAX_NUM_CPU_DEVICES=1, or a flag in XLA_FLAGS) rounds otherwise "
            "than several, on which all runs are made: unset it; to keep to one core, start the "
            "command by taskset -c 0, or let executor=processes share the cores out"
        )
    if not gc.get_freeze_count():  # Once a process: what comes later may become garbage.
        gc.collect()
        gc.freeze()
