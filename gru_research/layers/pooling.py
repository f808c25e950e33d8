"""Pools the states of a sequence into one, by weights that the states determine."""

import dataclasses

import jax.numpy as jnp

from gru_research.cells.arguments import split
from gru_research.cells.base import product
from gru_research.cells.checks import float_dtype, whole
from gru_research.cells.containers import plain
from gru_research.cells.dtypes import accumulation_dtype, promoted
from gru_research.cells.initializers import GlorotUniform, Initializer, resolve
from gru_research.types import Array, DType, Params, PRNGKey

from .attention import masked_softmax


@dataclasses.dataclass(frozen=True)
class AttentionPooling:
    """Attention without a query (Yang et al., NAACL 2016, equations 5 to 7):

        score_t = v . tanh(h_t W + b)
        weights = softmax of the scores over the real steps
        s = sum_t weights_t h_t

    Attributes:
      size: A, the number of hidden units that score the state h_t.
      kernel_init: of `W` and `v`.
      param_dtype: the type of the parameters.
    """

    size: int
    kernel_init: Initializer = GlorotUniform()
    param_dtype: DType = jnp.float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("size", self.size, 1))
        object.__setattr__(self, "kernel_init", resolve("kernel_init", self.kernel_init))
        object.__setattr__(self, "param_dtype", float_dtype("param_dtype", self.param_dtype))

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W (H, A)`, `b (A,)`, `v (A,)`."""
        kernel_key, v_key = split(key)
        return {
            "W": self.kernel_init(kernel_key, (input_size, self.size), self.param_dtype),
            "b": jnp.zeros(self.size, self.param_dtype),
            "v": self.kernel_init(v_key, (self.size, 1), self.param_dtype)[:, 0],
        }

    def apply(self, params: Params, ys: Array, real: Array | None = None) -> tuple[Array, Array]:
        """From all states `ys [..., T, H]` to the pooled state `[..., H]` and the weights `[..., T]`.

        `real [..., T]` marks the real steps; the others have weight 0. A row without a real step gives a state of 0.
        """
        params = plain(params)
        dtype = promoted(ys, params["W"])
        bias, v = (jnp.expand_dims(params[name], tuple(range(ys.ndim - 1))) for name in ("b", "v"))
        units = jnp.tanh(product(ys, params["W"], dtype) + bias)
        weights = masked_softmax((units * v).sum(-1), real)
        pooled = jnp.einsum(
            "...t,...th->...h", weights.astype(ys.dtype), ys, preferred_element_type=accumulation_dtype(ys.dtype)
        )
        return pooled.astype(ys.dtype), weights
