"""Reading the equations of a jaxpr: what goes in, what comes out, what is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend import core


def operands(eqn: core.JaxprEqn) -> list[Any]:
    """Shapes and dtypes of what an equation reads."""
    return [v.aval for v in eqn.invars]


def result(eqn: core.JaxprEqn) -> Any:
    """Shape and dtype of the first thing that an equation gives."""
    return eqn.outvars[0].aval


def subjaxprs(params: dict[str, Any]) -> Iterator[core.Jaxpr | core.ClosedJaxpr]:
    """The jaxprs among an equation's parameters."""
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, core.Jaxpr | core.ClosedJaxpr):
                yield item


def called(eqn: core.JaxprEqn) -> core.Jaxpr | core.ClosedJaxpr | None:
    """The jaxpr that a call runs, once, on its own operands: jit, remat, custom_vjp.

    What carries a jaxpr in another way (a reducer, a solver, a kernel over a grid) may run it any
    number of times; it is no call, and neither is what carries none.
    """
    match list(subjaxprs(eqn.params)):
        case [jaxpr] if _signature(jaxpr.in_avals, jaxpr.out_avals) == _signature(
            operands(eqn), [v.aval for v in eqn.outvars]
        ):
            return jaxpr
    return None


def _signature(inputs: list[Any], outputs: list[Any]) -> list[Any]:
    return [[(a.shape, a.dtype) for a in side] for side in (inputs, outputs)]
