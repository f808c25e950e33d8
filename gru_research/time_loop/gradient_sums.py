"""Sums the gradients of a loop's constants in float32 or wider.

Where JAX differentiates a scan, the cotangents of what all steps read, the parameters and the initial carry, are summed
step by step in their own type. In bfloat16, with 8 bits, such a sum stops growing after some hundred steps. So the loop
holds them in float32, which is exact, and each step reads them in their own type (`cells/wide_params.py`). The step
computes the same, and its cotangents are summed in float32.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells.dtypes import accumulation_dtype
from gru_research.types import Carry, DType, Params


@dataclasses.dataclass(frozen=True)
class CastBack:
    """Casts the parameters and `reset_carry` that a loop holds to their own types, in which a step reads them."""

    types: tuple[DType, ...]

    def __call__(self, params: Params, reset_carry: Carry) -> tuple[Params, Carry]:
        leaves, tree = jax.tree.flatten((params, reset_carry))
        return jax.tree.unflatten(tree, [_cast(a, dtype) for a, dtype in zip(leaves, self.types, strict=True)])


def widen_constants(params: Params, reset_carry: Carry) -> tuple[Params, Carry, CastBack]:
    """Widens `params` and `reset_carry` to float32, integers and booleans excepted; also returns the cast back."""
    types = tuple(jnp.result_type(a) for a in jax.tree.leaves((params, reset_carry)))
    return *CastBack(tuple(accumulation_dtype(dtype) for dtype in types))(params, reset_carry), CastBack(types)


def _cast(a: Any, dtype: DType) -> Any:
    given = jnp.result_type(a)
    return jnp.asarray(a, dtype) if jnp.issubdtype(given, jnp.floating) and given != dtype else a
