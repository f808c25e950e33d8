"""Parameters of 16 bits whose gradient is added up in float32, while JAX differentiates a time loop.

The cotangent of a bfloat16 array is bfloat16. So the loop holds parameters in float32, and a step that it traces reads
them cast to their own type, in which they are what the caller gave. Where the arithmetic of `base` takes a parameter in
float32 anyway, it takes the one that the loop holds: the same number, whose cotangent isn't rounded at every step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

from gru_research.types import Array

_HELD: ContextVar[dict[int, tuple[Any, Any]]] = ContextVar("held", default={})  # noqa: B039 (never written to)
"""By the id of an array that a step reads: that array, which keeps the id its own, and the one that the loop holds."""


@contextmanager
def remember_casts(own: Any, wide: Any) -> Iterator[None]:
    """While a step is traced that reads the tree `own`, cast from the tree `wide`."""
    pairs = zip(jax.tree.leaves(own), jax.tree.leaves(wide), strict=True)
    token = _HELD.set(_HELD.get() | {id(a): (a, w) for a, w in pairs if a is not w})
    try:
        yield
    finally:
        _HELD.reset(token)


def uncast(a: Array) -> Array:
    """The wider array that `a` was cast from for the step being traced; `a` itself where there is none."""
    return _HELD.get().get(id(a), (a, a))[1]
