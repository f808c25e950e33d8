"""Arithmetic of the sequence gradients that cells write by hand: products with transposed kernels, and cotangents."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params

from .base import MULTIPLY_ADD_LIMIT, product, widen
from .dtypes import accumulation_dtype


def transpose_kernels(params: Params, dtype: DType, rows: int) -> dict[str, Any]:
    """Casts the recurrent kernels to `dtype` and transposes them once, before the loop, for `product_back`.

    For a single row they aren't transposed: the product reads the kernel once, along its rows, either way.
    """
    kernels = {name: a.astype(dtype) for name, a in params.items() if name.startswith("U_")}
    return {name: (a, 1) if rows == 1 else (a.T, 0) for name, a in kernels.items()}


def product_back(d: Array, transposed: Mapping[str, Any], gate: str) -> Array:
    """`d U_g^T [..., H]`: the cotangent of h in `recurrent`, from the kernel after `transpose_kernels`."""
    kernel, axis = transposed[f"U_{gate}"]
    return jax.lax.dot_general(
        d.astype(kernel.dtype),
        kernel,
        (((d.ndim - 1,), (axis,)), ((), ())),
        preferred_element_type=accumulation_dtype(kernel.dtype),
    )


def rows(a: Array) -> Array:
    """Reshapes `[..., N]` to `[rows, N]`: XLA is slower at contracting several axes than one."""
    return a.reshape(-1, a.shape[-1])


def flatten_transpose(a: Array, dtype: DType) -> Array:
    """Reshapes and transposes `[..., K]` to `[K, rows]` in `dtype`, for `kernel_cotangent`.

    On a CPU the barrier makes XLA write it to memory once. Otherwise XLA would transpose it again, more slowly, for
    every product that takes it. On an accelerator the transpose is part of the product.
    """
    transposed = rows(a.astype(dtype)).T
    return jax.lax.optimization_barrier(transposed) if jax.default_backend() == "cpu" else transposed


def kernel_cotangent(left: Array, d: Array) -> Array:
    """The cotangent of the kernel in `product`, from its left operand after `flatten_transpose` and `d [..., H]`.

    In float32 or wider: it is summed over chunks before it is cast to the parameter's type.
    """
    return jnp.matmul(left, rows(d.astype(left.dtype)), preferred_element_type=accumulation_dtype(left.dtype))


def bias_cotangent(d: Array) -> Array:
    """`d` summed over all axes but the last, in float32 or wider."""
    return rows(widen(d)).sum(0)


def projection_cotangents(params: Params, xs: Array, d_p: Arrays, dtype: DType) -> tuple[dict[str, Array], Array]:
    """The cotangents of `W_g` and `b_g` in `project_gates`, in float32 or wider, and of `xs`."""
    wide = accumulation_dtype(dtype)
    d_params = {}
    d_xs = jnp.zeros((), wide)
    few = xs.shape[-1] <= MULTIPLY_ADD_LIMIT
    # With few features a column of ones among them gives the biases' gradients in the same pass over d.
    left = flatten_transpose(jnp.concatenate([xs, jnp.ones((*xs.shape[:-1], 1), xs.dtype)], -1) if few else xs, dtype)
    for gate, d in d_p.items():
        d_kernel = kernel_cotangent(left, d)
        d_params[f"W_{gate}"] = d_kernel[:-1] if few else d_kernel
        d_params[f"b_{gate}"] = d_kernel[-1] if few else bias_cotangent(d)
        d_xs = d_xs + product(d, params[f"W_{gate}"].T, dtype)
    return d_params, d_xs.astype(xs.dtype)
