"""Attention: a query is compared with every step of a memory, and reads the weighted mean of the steps."""

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gru_research.cells.arguments import check_inputs, split
from gru_research.cells.base import product, promote_rank, widen
from gru_research.cells.checks import float_dtype, one_of, whole
from gru_research.cells.containers import plain
from gru_research.cells.dtypes import accumulation_dtype, promoted
from gru_research.cells.initializers import GlorotUniform, Initializer, resolve
from gru_research.cells.shape_checks import check_tree
from gru_research.time_loop.masks import check_stream
from gru_research.time_loop.sharding import alike
from gru_research.types import Array, ArrayLike, DType, Params, PRNGKey

SCORES = ("general", "dot")


class Memory(NamedTuple):
    """A sequence prepared for queries; a pytree with a leading batch axis.

    Attributes:
      values: the vectors that are averaged, `[..., T, E]`, 0 at padding.
      keys: the vectors that the query is compared with, `[..., T, A]`.
      real: `[..., T]`, True at a real step; None: all are.
    """

    values: Array
    keys: Array
    real: Array | None


class Attention(Protocol):
    """The methods that models call."""

    def init(self, key: PRNGKey, query_size: int, memory_size: int) -> dict[str, Array]: ...
    def prepare(self, params: Params, memory: ArrayLike, real: ArrayLike | None = None) -> Memory: ...
    def apply(self, params: Params, query: ArrayLike, memory: Memory) -> tuple[Array, Array]: ...


@dataclasses.dataclass(frozen=True)
class Bahdanau:
    """Additive attention (Bahdanau, Cho and Bengio 2015, arXiv 1409.0473, section A.1.2):

        score_t = v . tanh(q W_q + m_t W_m)
        weights = softmax of the scores over the real steps
        context = sum_t weights_t m_t

    Attributes:
      size: A, the number of hidden units that compare the query q with the memory's step m_t.
      kernel_init: of `W_q`, `W_m` and `v`.
      param_dtype: the type of the parameters.
    """

    size: int
    kernel_init: Initializer = GlorotUniform()
    param_dtype: DType = jnp.float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("size", self.size, 1))
        _check_fields(self)

    def init(self, key: PRNGKey, query_size: int, memory_size: int) -> dict[str, Array]:
        """`W_q (H, A)`, `W_m (E, A)`, `v (A,)`."""
        query_size, memory_size = _check_sizes(query_size, memory_size)
        query_key, memory_key, v_key = split(key, 3)
        return {
            "W_q": self.kernel_init(query_key, (query_size, self.size), self.param_dtype),
            "W_m": self.kernel_init(memory_key, (memory_size, self.size), self.param_dtype),
            "v": self.kernel_init(v_key, (self.size, 1), self.param_dtype)[:, 0],
        }

    def prepare(self, params: Params, memory: ArrayLike, real: ArrayLike | None = None) -> Memory:
        """The projection of `memory [..., T, E]`, of which `real [..., T]` (boolean) marks the steps that count."""
        params = plain(params)
        values, real = _check_memory(memory, real, params.get("W_m"))
        return Memory(values, product(values, params["W_m"], promoted(values, params["W_m"])), real)

    def apply(self, params: Params, query: ArrayLike, memory: Memory) -> tuple[Array, Array]:
        """From `query [..., H]` to the context `[..., E]` and the weights `[..., T]`; or, from many queries of each
        sequence at once, `[..., U, H]`, to `[..., U, E]` and `[..., U, T]`.

        Padding has weight 0. A row without a real step has the context 0.
        """
        params = plain(params)
        query, many = _check_query(query, memory)
        sizes = {"W_q": (query.shape[-1], self.size), "W_m": (memory.values.shape[-1], self.size), "v": (self.size,)}
        check_tree("params", sizes, params)
        query = product(query, params["W_q"], promoted(query, params["W_q"]))
        keys = jnp.expand_dims(memory.keys, -3) if many else memory.keys
        units = jnp.tanh(query[..., None, :] + keys.astype(query.dtype))
        return _read((units * promote_rank(widen(params["v"]), units)).sum(-1), memory, many)


@dataclasses.dataclass(frozen=True)
class Luong:
    """Multiplicative attention (Luong, Pham and Manning 2015, arXiv 1508.04025, section 3.1, "global"):

        general   score_t = q . (m_t W)
        dot       score_t = q . m_t

    with the weights and the context of `Bahdanau`.

    Attributes:
      score: "general"; or "dot", for a memory of as many features as the query has, without parameters.
      kernel_init: of `W`.
      param_dtype: the type of the parameters.
    """

    score: str = "general"
    kernel_init: Initializer = GlorotUniform()
    param_dtype: DType = jnp.float32

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        _check_fields(self)

    def init(self, key: PRNGKey, query_size: int, memory_size: int) -> dict[str, Array]:
        """`W (E, H)` with "general"; nothing with "dot", which raises ValueError for sizes that differ."""
        query_size, memory_size = _check_sizes(query_size, memory_size)
        if self.score == "general":
            return {"W": self.kernel_init(key, (memory_size, query_size), self.param_dtype)}
        _check_dot(query_size, memory_size)
        return {}

    def prepare(self, params: Params, memory: ArrayLike, real: ArrayLike | None = None) -> Memory:
        """As `Bahdanau.prepare`; with "dot" the keys are the memory itself."""
        params = plain(params)
        values, real = _check_memory(memory, real, params.get("W"))
        keys = values if self.score == "dot" else product(values, params["W"], promoted(values, params["W"]))
        return Memory(values, keys, real)

    def apply(self, params: Params, query: ArrayLike, memory: Memory) -> tuple[Array, Array]:
        """As `Bahdanau.apply`."""
        query, many = _check_query(query, memory)
        sizes = query.shape[-1], memory.values.shape[-1]
        check_tree("params", {"W": sizes[::-1]} if self.score == "general" else {}, plain(params))
        if self.score == "dot":
            _check_dot(*sizes)
        dtype = promoted(query, memory.keys)
        equation = "...uh,...th->...ut" if many else "...h,...th->...t"
        return _read(_sums(equation, query.astype(dtype), memory.keys.astype(dtype)), memory, many)


def _read(scores: Array, memory: Memory, many: bool) -> tuple[Array, Array]:
    """The context in the memory's type and the weights in float32 or wider, from scores `[..., T]`, `[..., U, T]`."""
    weights = masked_softmax(scores, memory.real if memory.real is None or not many else memory.real[..., None, :])
    equation = "...ut,...te->...ue" if many else "...t,...te->...e"
    dtype = memory.values.dtype
    return _sums(equation, weights.astype(dtype), memory.values).astype(dtype), weights


def _sums(equation: str, a: Array, b: Array) -> Array:
    """`einsum` of two arrays of one type, summed in float32 or wider."""
    return jnp.einsum(equation, a, b, preferred_element_type=accumulation_dtype(a.dtype))


def masked_softmax(scores: Array, real: Array | None) -> Array:
    """The softmax over the last axis where `real`, else 0; all 0 where no step is real, with gradients of 0."""
    if real is None:
        return jax.nn.softmax(scores)
    # The least number rather than -inf: a row of -inf alone gives NaN.
    least = jnp.finfo(scores.dtype).min
    return jnp.where(real, jax.nn.softmax(jnp.where(real, scores, least)), 0)


def _check_fields(attention: Any) -> None:
    object.__setattr__(attention, "kernel_init", resolve("kernel_init", attention.kernel_init))
    object.__setattr__(attention, "param_dtype", float_dtype("param_dtype", attention.param_dtype))


def _check_sizes(query_size: Any, memory_size: Any) -> tuple[int, int]:
    return whole("query_size", query_size, 1), whole("memory_size", memory_size, 1)


def _check_dot(query_size: int, memory_size: int) -> None:
    if query_size != memory_size:
        raise ValueError(
            f"score='dot' needs queries and a memory of one size; theirs are {query_size} and {memory_size}: "
            "score='general' has a kernel between them"
        )


def _check_memory(memory: ArrayLike, real: ArrayLike | None, kernel: Any) -> tuple[Array, Array | None]:
    """The memory with 0 at padding, before any arithmetic, and the real steps; `kernel (E, ...)` or None is its own."""
    values = check_inputs("memory", memory)
    if values.ndim < 2:
        raise ValueError(f"memory has the shape {values.shape}; it must have a time and a feature axis, [..., T, E]")
    if kernel is not None and kernel.shape[0] != values.shape[-1]:
        size = kernel.shape[0]
        raise ValueError(
            f"memory has the shape {values.shape}; its last axis must be {size}, as the parameters have it"
        )
    real = check_stream("real", real, values.shape[:-1])
    if real is None:
        return values, None
    (condition,) = alike([real[..., None]], values)
    return jnp.where(condition, values, 0), condition[..., 0]


def _check_query(query: ArrayLike, memory: Memory) -> tuple[Array, bool]:
    """The queries, and whether they are many of each sequence."""
    query, batch = check_inputs("query", query), memory.values.shape[:-2]
    many = query.ndim == len(batch) + 2
    if query.shape[: len(batch)] != batch or query.ndim not in (len(batch) + 1, len(batch) + 2):
        raise ValueError(
            f"query has the shape {query.shape}; with a memory of {memory.values.shape} it must begin with {batch}, "
            "and have one more axis, or two for many queries"
        )
    return query, many
