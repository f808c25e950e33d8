"""Parameters of 16 bits whose gradient is added up in float32, while JAX differentiates a time loop.

The cotangent of a bfloat16 array is bfloat16. So the loop holds parameters in float32, and each step reads them cast to
their own type. Where the arithmetic of `base` needs a parameter in float32, it takes the loop's float32 array: the
number is the same, and its cotangent isn't rounded at every step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

from gru_research.types import Array

_HELD: ContextVar[dict[int, tuple[Any, Any]]] = ContextVar("held", default={})  # noqa: B039 (never written to)
"""From the id of a cast array to that array, which keeps its id in use, and the wide one."""


@contextmanager
def remember_casts(own: Any, wide: Any) -> Iterator[None]:
    """Lets `uncast` find the leaves of `wide` from which the leaves of `own` were cast, while a step is traced."""
    pairs = zip(jax.tree.leaves(own), jax.tree.leaves(wide), strict=True)
    token = _HELD.set(_HELD.get() | {id(a): (a, w) for a, w in pairs if a is not w})
    try:
        yield
    finally:
        _HELD.reset(token)


def uncast(a: Array) -> Array:
    """Returns the wide array that `a` was cast from in the step being traced; `a` itself where there is none."""
    return _HELD.get().get(id(a), (a, a))[1]
