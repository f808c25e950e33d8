"""Initialisers of parameters: frozen dataclasses, so that two equal ones compare equal and nothing recompiles.

Each is called as `init(key, shape, dtype)`. Numbers are drawn in float32 or wider and cast at the end,
so that 16-bit parameters work too. `shape` of a kernel is (in, out).
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gru_research.types import Array, DType, PRNGKey

from .checks import number, whole


class Initializer(Protocol):
    """Anything hashable that makes an array of the given shape and dtype."""

    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array: ...


def _wide(dtype: DType) -> DType:
    return jnp.promote_types(dtype, jnp.float32)


def _traced_once(draw: Callable[..., Array]) -> Callable[..., Array]:
    """Makes an initialiser's `__call__` be traced once for each shape, since a cell draws several kernels of one shape.

    Outside a trace every operation runs by itself: a compiled initialiser would round differently.
    """
    traced = jax.jit(draw, static_argnums=(0, 2, 3))

    @functools.wraps(draw)
    def call(self: Initializer, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return (traced if isinstance(key, Tracer) else draw)(self, key, tuple(shape), dtype)

    return call


@dataclasses.dataclass(frozen=True)
class Zeros:
    """All zeros."""

    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return jnp.zeros(shape, dtype)


@dataclasses.dataclass(frozen=True)
class Constant:
    """Every entry is `value`."""

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", number("value", self.value))

    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return jnp.full(shape, self.value, dtype)


@dataclasses.dataclass(frozen=True)
class Identity:
    """`scale` times the identity, as for the relu RNN of Le, Jaitly and Hinton (arXiv 1504.00941)."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", number("scale", self.scale))

    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return self.scale * jnp.eye(*shape, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class Orthogonal:
    """`scale` times a matrix drawn uniformly (Haar) from those with orthonormal rows or columns.

    The QR decomposition of a Gaussian matrix, with the signs of R's diagonal moved into Q
    (Mezzadri, arXiv math-ph/0609050). For a square shape all singular values are `scale`.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", number("scale", self.scale))

    @_traced_once
    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        rows, columns = shape
        tall = (max(rows, columns), min(rows, columns))
        q, r = jnp.linalg.qr(jax.random.normal(key, tall, _wide(dtype)))
        q = q * jnp.sign(jnp.diagonal(r))[None]
        return (self.scale * (q if rows >= columns else q.T)).astype(dtype)


@dataclasses.dataclass(frozen=True)
class GlorotUniform:
    """Uniform with variance 2 / (in + out) (Glorot and Bengio 2010)."""

    @_traced_once
    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        bound = math.sqrt(6 / (shape[0] + shape[1]))
        return jax.random.uniform(key, shape, _wide(dtype), -bound, bound).astype(dtype)


@dataclasses.dataclass(frozen=True)
class LecunNormal:
    """Normal with variance 1 / in (LeCun et al. 1998)."""

    @_traced_once
    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return (jax.random.normal(key, shape, _wide(dtype)) / math.sqrt(shape[0])).astype(dtype)


@dataclasses.dataclass(frozen=True)
class Chrono:
    """Biases for a gate `sigmoid(a)` that keeps the old state: log(u), u uniform in [1, longest - 1].

    Chrono initialisation (Tallec and Ollivier, arXiv 1804.11188). With all else 0 such a unit forgets over
    1 / (1 - sigmoid(b)) = 1 + u steps, uniform in [2, longest]. `longest` is the longest dependency in steps.
    Cells draw so with their field `chrono`, in the direction of their own gates.
    """

    longest: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", whole("longest", self.longest, 2, "a whole number of steps"))

    @_traced_once
    def __call__(self, key: PRNGKey, shape: Sequence[int], dtype: DType) -> Array:
        return jnp.log(jax.random.uniform(key, shape, _wide(dtype), 1, self.longest - 1)).astype(dtype)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": Zeros(),
    "identity": Identity(),
    "orthogonal": Orthogonal(),
    "glorot_uniform": GlorotUniform(),
    "lecun_normal": LecunNormal(),
}
"""What a config may name."""


def resolve(field: str, value: str | Initializer) -> Initializer:
    """The initialiser called `value`; what can be called as one is one already."""
    if isinstance(value, str) and value in INITIALIZERS:
        return INITIALIZERS[value]
    if isinstance(value, str) or not callable(value):
        raise ValueError(f"{field}={value!r} is unknown; choose from {', '.join(INITIALIZERS)}, or give an initialiser")
    return value
