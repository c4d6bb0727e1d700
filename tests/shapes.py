"""What `--shapes` checks at each call: the shapes and dtypes of annotated arrays."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, get_args, get_origin

from beartype import beartype
from jaxtyping import AbstractArray


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, checking its arrays alone: tests pass impossible options on purpose."""
    hints = function.__annotations__
    function.__annotations__ = {name: of_any_kind(hint) for name, hint in hints.items()}
    return beartype(function)


def of_any_kind(hint: Any) -> Any:
    """A hint for arrays of numpy, parameters and shapes alone too; Any for what is no array.

    >>> from jaxtyping import Float, Int
    >>> import jax
    >>> of_any_kind(tuple[Float[jax.Array, "T B"], int] | None)
    tuple[jaxtyping.Float[Any, 'T B'], typing.Any] | None
    """
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return hint.dtype[Any, hint.dim_str]
    parts = [of_any_kind(part) for part in get_args(hint)]
    if get_origin(hint) is tuple:
        return tuple[*parts]
    if isinstance(hint, types.UnionType) and Any not in parts:
        return reduce(or_, parts)
    return hint if hint in (None, type(None), ...) else Any
