"""Skip connections around a layer: none, residual, or highway."""

import jax
import jax.numpy as jnp

from gru_research.cells.base import product, promote_rank
from gru_research.cells.dtypes import accumulation_dtype
from gru_research.cells.initializers import GlorotUniform
from gru_research.types import Array, DType, Params, PRNGKey

CONNECTIONS = ("plain", "residual", "highway")


def init_highway(key: PRNGKey, size: int, bias: float, dtype: DType) -> dict[str, Array]:
    """`W_t (H, H)` and `b_t (H,)`, every entry `bias`."""
    return {"W_t": GlorotUniform()(key, (size, size), dtype), "b_t": jnp.full(size, bias, dtype)}


def connect(kind: str, highway: Params | None, x: Array, y: Array) -> Array:
    """Combines a layer's input and output `[..., H]`, in the type of y; 0 where both are 0, as at unreal steps.

    plain: `y`; residual: `x + y`; highway: `t * y + (1 - t) * x` with `t = sigmoid(x W_t + b_t)`
    (Srivastava, Greff and Schmidhuber 2015, arXiv 1505.00387).
    """
    if kind == "plain":
        return y
    wide = accumulation_dtype(y.dtype)
    x_wide, y_wide = x.astype(wide), y.astype(wide)
    if kind == "residual":
        return (x_wide + y_wide).astype(y.dtype)
    assert highway is not None
    t = jax.nn.sigmoid(product(x, highway["W_t"], y.dtype) + promote_rank(highway["b_t"].astype(wide), y))
    return (t * y_wide + (1 - t) * x_wide).astype(y.dtype)
