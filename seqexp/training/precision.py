"""Products in bfloat16, everything else in float32: a function's matrix products, rewritten."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from seqexp.types import Array, SeqexpError

Precision = Literal["float32", "bfloat16"]

PRECISIONS = get_args(Precision)

PRODUCTS = ("dot_general", "conv_general_dilated")
"""JAX's names of the operations that multiply."""
RECURRENT_KERNELS = ("rnn_fwd", "rnn_bwd")
"""Those of cuDNN's recurrent layers, which multiply in float32."""


@cache
def fast_products() -> str | None:
    """By what the devices that train multiply bfloat16: "AMX", "GPU" or "TPU"; None for nothing
    that is faster than float32."""
    platform = jax.default_backend()
    if platform != "cpu":
        return platform.upper()
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
    return "AMX" if re.search(r"^flags\s*:.*\bamx_bf16\b", told, re.MULTILINE) else None


def with_products_in(
    precision: Precision, function: Callable[..., Any], static: Sequence[int] = ()
) -> Callable[..., Any]:
    """The same function, its matrix products and convolutions taken in a precision.

        x W  ->  float32(sum over k of bfloat16(x_k) * bfloat16(W_k))

    Operands are rounded to bfloat16, which has float32's range and 8 bits of precision; products
    are summed in float32, and results are float32. All else stays as it is: parameters, carries,
    gates, norms, sums, losses. So does a product that asks for `jax.lax.Precision.HIGHEST`, as one
    does in which rounding would change what a layer is, such as a matrix exponential.

    On a processor that has no such products (see `fast_products`) the operands are rounded all the
    same, and multiplied in float32: the same numbers but for the order of sums, and no faster.

    The rewritten function is not differentiable: rewrite one that computes gradients already.

    Args:
        precision: "float32" leaves the function alone on a CPU. Elsewhere it asks for products that
            are no less: GPUs would take them in TF32, of 11 bits, unless JAX's setting
            `jax_default_matmul_precision` says what is wanted, which is part of a run's identity.
        function: pure, of pytrees of arrays.
        static: the places of those of its arguments that are no arrays.

    Source:
        Micikevicius et al. 2018, "Mixed precision training", https://arxiv.org/abs/1710.03740;
        Kalamkar et al. 2019, "A study of bfloat16 for deep learning training",
        https://arxiv.org/abs/1905.12322.
    """
    if precision == "float32":
        return _no_less(function)

    @wraps(function)
    def rewritten(*arguments: Any) -> Any:
        trace = jax.make_jaxpr(function, static_argnums=tuple(static), return_shape=True)
        closed, shapes = trace(*arguments)
        arrays = [each for place, each in enumerate(arguments) if place not in static]
        outputs = core.jaxpr_as_fun(_lowered(closed))(*jax.tree.leaves(arrays))
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    return rewritten


def _no_less(function: Callable[..., Any]) -> Callable[..., Any]:
    asked = jax.config.values["jax_default_matmul_precision"]
    if jax.default_backend() == "cpu" or asked is not None:
        return function

    @wraps(function)
    def asking(*arguments: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return asking


def _lowered(value: Any) -> Any:
    """A jaxpr with its products in bfloat16; so are those among the parameters of an equation."""
    # From JAX 0.12 on the two are one class, whose consts are kept.
    if isinstance(value, core.Jaxpr):
        return value.replace(eqns=[_equation(eqn) for eqn in value.eqns])
    if isinstance(value, core.ClosedJaxpr):
        return core.ClosedJaxpr(_lowered(value.jaxpr), value.consts)
    if isinstance(value, tuple):
        items = [_lowered(item) for item in value]
        if any(a is not b for a, b in zip(items, value, strict=True)):
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _equation(eqn: core.JaxprEqn) -> core.JaxprEqn:
    if eqn.primitive.name in RECURRENT_KERNELS:
        raise SeqexpError(
            "trainer.precision=bfloat16 and model.cell.implementation=cudnn, which multiplies in "
            "float32: leave one of them out"
        )
    if eqn.primitive.name not in PRODUCTS:
        return eqn.replace(params={name: _lowered(value) for name, value in eqn.params.items()})
    if not _is_lowered(eqn):
        return eqn

    def product(*operands: Array) -> Array:
        params = {**eqn.params, "preferred_element_type": jnp.float32}
        return eqn.primitive.bind(*rounded(*operands), **params)

    rounded = _in_bfloat16 if _is_fast(eqn) else _rounded
    # Its one equation, a call, takes this one's place.
    (call,) = jax.make_jaxpr(jax.jit(product))(*(atom.aval for atom in eqn.invars)).eqns
    return call.replace(invars=eqn.invars, outvars=eqn.outvars)


def _in_bfloat16(*operands: Array) -> list[Array]:
    return [operand.astype(jnp.bfloat16) for operand in operands]


def _rounded(*operands: Array) -> list[Array]:
    """The same numbers, in float32."""
    return [lax.reduce_precision(each, exponent_bits=8, mantissa_bits=7) for each in operands]


def _is_fast(eqn: core.JaxprEqn) -> bool:
    """Whether XLA multiplies bfloat16 here: on a CPU it fails for all but two matrices."""
    operands: list[Any] = [atom.aval for atom in eqn.invars]
    matrices = eqn.primitive.name == "dot_general" and all(each.ndim == 2 for each in operands)
    return fast_products() is not None and (matrices or jax.default_backend() != "cpu")


def _is_lowered(eqn: core.JaxprEqn) -> bool:
    operands: list[Any] = [atom.aval for atom in eqn.invars]
    floats = all(each.dtype == jnp.float32 for each in operands)
    highest = lax.Precision.HIGHEST
    return floats and eqn.params["precision"] not in (highest, (highest, highest))
