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


class QuickJit:
    """`jax.jit` with `fast_options`, for which JAX is asked at the first call or `lower`.

    Args:
        function: to compile.
        options: of `jax.jit`.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        functools.update_wrapper(self, function)
        self._function, self._options = function, options

    @functools.cached_property
    def _compiled(self) -> Any:
        return jax.jit(self._function, compiler_options=fast_options(), **self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(*args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> jax.stages.Lowered:
        """As of a function that `jax.jit` gives."""
        return self._compiled.lower(*args, **kwargs)


quick_jit = QuickJit
"""As a decorator, and for a function that is given."""


def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value})()
    except jax.errors.JaxRuntimeError:
        return False
    return True
