"""Compiling programs that run once or a few times: what is drawn, and laws that are tried."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

_OPTIONS = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_llvm_disable_expensive_passes": True,
}


@functools.cache
def fast_options() -> dict[str, Any]:
    """XLA options that compile small CPU programs several times faster; those that JAX knows."""
    return {name: value for name, value in _OPTIONS.items() if _known(name, value)}


def quick_jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`jax.jit` with `fast_options`, for which JAX is asked at the first call or `lower`."""

    @functools.cache
    def compiled() -> Any:
        return jax.jit(function, compiler_options=fast_options(), **options)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled()(*args, **kwargs)

    call.lower = lambda *args, **kwargs: compiled().lower(*args, **kwargs)  # type: ignore[attr-defined]
    return call


def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value})()
    except jax.errors.JaxRuntimeError:
        return False
    return True
