"""From tokens to vectors and from a sequence of states to outputs."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells.checks import float_dtype, number, one_of, rate, whole
from gru_research.cells.containers import plain
from gru_research.cells.initializers import GlorotUniform, Initializer, resolve
from gru_research.masks import length_mask
from gru_research.time_loop.sharding import divided_rows
from gru_research.types import Array, ArrayLike, DType, Params, PRNGKey

from .noisy_cells import keep
from .pooling import AttentionPooling

READOUTS = ("last", "mean", "attention", "every")


@dataclasses.dataclass(frozen=True)
class Embedding:
    """Token numbers `[...]` in 0 .. vocabulary - 1 to vectors `[..., E]`, drawn from a normal distribution with the
    standard deviation `scale`. A small one suits large vocabularies: the vector of a rare word is hardly trained."""

    vocabulary: int
    size: int
    param_dtype: DType = jnp.float32
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", number("scale", self.scale, "a standard deviation: above 0", above=0))
        for field in ("vocabulary", "size"):
            object.__setattr__(self, field, whole(field, getattr(self, field), 1))
        object.__setattr__(self, "param_dtype", float_dtype("param_dtype", self.param_dtype))

    def init(self, key: PRNGKey) -> dict[str, Array]:
        """`E (V, size)`."""
        drawn = jax.random.normal(key, (self.vocabulary, self.size), self.param_dtype)
        return {"E": drawn if self.scale == 1 else drawn * jnp.asarray(self.scale, self.param_dtype)}

    def apply(self, params: Params, tokens: ArrayLike) -> Array:
        params, tokens = plain(params), jnp.asarray(tokens)
        rows = divided_rows([(tokens, 0)], tokens.ndim, others=params)
        if rows is None:
            return _look_up(params["E"], tokens)
        return rows.map(_look_up, (None, 0), 0)(rows.whole(params["E"]), rows.place(tokens))


@dataclasses.dataclass(frozen=True)
class OneHot:
    """Token numbers `[...]` in 0 .. vocabulary - 1 to vectors `[..., V]` of zeros and one 1; no parameters."""

    vocabulary: int
    dtype: DType = jnp.float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", whole("vocabulary", self.vocabulary, 1))
        object.__setattr__(self, "dtype", float_dtype("dtype", self.dtype))

    @property
    def size(self) -> int:
        return self.vocabulary

    def init(self, key: PRNGKey) -> dict[str, Array]:
        """Nothing."""
        del key
        return {}

    def apply(self, params: Params, tokens: ArrayLike) -> Array:
        del params
        return jax.nn.one_hot(jnp.asarray(tokens), self.vocabulary, dtype=self.dtype)


@dataclasses.dataclass(frozen=True)
class Readout:
    """A linear map from states to `size` outputs: of the last real step, of the mean over real steps, of their mean
    weighted by attention, or of every step.

    Attributes:
      size: C, the number of outputs.
      mode: "last", "mean" or "attention", outputs `[..., C]`; or "every", outputs `[..., T, C]`.
      dropout: the rate at which the states that the linear map reads are dropped.
      pooling: the weights of "attention"; None: `AttentionPooling(64)`.
    """

    size: int
    mode: str = "last"
    kernel_init: Initializer = GlorotUniform()
    param_dtype: DType = jnp.float32
    dropout: float = 0.0
    pooling: AttentionPooling | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("size", self.size, 1))
        object.__setattr__(self, "dropout", rate("dropout", self.dropout))
        one_of("mode", self.mode, READOUTS)
        if self.mode == "attention" and self.pooling is None:
            object.__setattr__(self, "pooling", AttentionPooling(64, param_dtype=self.param_dtype))
        if self.mode != "attention" and self.pooling is not None:
            raise ValueError(f"pooling={self.pooling!r} is for mode='attention', here mode={self.mode!r}")
        object.__setattr__(self, "kernel_init", resolve("kernel_init", self.kernel_init))
        object.__setattr__(self, "param_dtype", float_dtype("param_dtype", self.param_dtype))

    @property
    def outputs(self) -> str:
        """`UnrollOptions.outputs` of the layer below."""
        return "none" if self.mode == "last" else "all"

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Any]:
        """`W (H, C)`, `b (C,)`; with "attention" also `attention`, the parameters of `pooling`."""
        kernel = self.kernel_init(key, (input_size, self.size), self.param_dtype)
        params = {"W": kernel, "b": jnp.zeros(self.size, self.param_dtype)}
        if self.pooling is None:
            return params
        return params | {"attention": self.pooling.init(jax.random.fold_in(key, 1), input_size)}

    def apply(
        self, params: Params, last: Array, ys: Array | None, real: Array | None = None, key: PRNGKey | None = None
    ) -> Array:
        """Outputs from the state after the last real step `[..., H]` and all states `ys [..., T, H]`.

        `real [..., T]` marks the real steps for the means; `ys` is 0 at the others, as `unroll` leaves it. `key` draws
        the dropout of training; None is evaluation.
        """
        params = plain(params)
        if self.pooling is None:
            states = read_states(self.mode, last, ys, real)
        else:
            states, _ = self.pooling.apply(params["attention"], _all_steps(self.mode, ys), real)
        if self.dropout and key is not None:
            states = keep(states, jax.random.bernoulli(key, 1 - self.dropout, states.shape), self.dropout)
        kernel, bias = params["W"], params["b"]
        return states @ kernel + jnp.expand_dims(bias, tuple(range(states.ndim - 1)))


def read_states(mode: str, last: Array, ys: Array | None, real: Array | None = None) -> Array:
    """The states that a readout of a mode reads, `[..., H]` or `[..., T, H]`; arguments as in `Readout.apply`."""
    if mode == "last":
        return last
    ys = _all_steps(mode, ys)
    if mode == "every" or real is None:
        return ys if mode == "every" else ys.mean(-2)
    return ys.sum(-2) / jnp.maximum(real.sum(-1), 1)[..., None].astype(ys.dtype)


def _all_steps(mode: str, ys: Array | None) -> Array:
    if ys is None:
        raise ValueError(f"mode={mode!r} needs every step's state")
    return ys


def real_steps(steps: int, lengths: ArrayLike | None, mask: ArrayLike | None) -> Array | None:
    """`[..., T]`, True at the steps that `lengths [...]` and `mask [..., T]` both count; None without either."""
    real = None if lengths is None else length_mask(lengths, steps)
    if mask is None:
        return real
    return jnp.asarray(mask) if real is None else real & mask


def _look_up(table: Array, tokens: Array) -> Array:
    return jnp.take(table, tokens, axis=0)
