"""The contract of a recurrent cell, and the arithmetic that all cells share.

A cell is a frozen dataclass without arrays: the maths and nothing else. Its `step` is the composition

    p = cell.project(params, x)             # all that needs no carry, so that it can leave the time loop
    g = cell.gates(params, carry, p)        # a dict by gate name
    carry, y = cell.combine(carry, g)

Three types meet in a step: `dtype`, in which matrices are multiplied and outputs are given; the type
in which products are accumulated and gates evaluated, float32 or wider; and `carry_dtype`. A carry in
bfloat16 would lose slow units: z = .99 kept for 300 steps gives .836 instead of .985.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp

from gru_research.types import Array, Carry, DType, Params, PRNGKey

from .initializers import resolve

NOTHING_FIXED: Mapping[str, Array] = MappingProxyType({})
MULTIPLY_ADD_LIMIT = 2
"""Up to so many input features a product with the kernel is cheaper as multiply and add than as a matmul."""

CellT = TypeVar("CellT")


class Cell(Protocol):
    """What `unroll` and the layers ask of a cell. `x [..., I]`, `carry` and `y [..., H]`, any batch axes."""

    @property
    def hidden_size(self) -> int: ...
    @property
    def dtype(self) -> DType | None: ...
    @property
    def carry_dtype(self) -> DType | None: ...

    def init(self, key: PRNGKey, input_size: int) -> Params: ...
    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry: ...
    def project(self, params: Params, x: Array) -> Mapping[str, Array]: ...
    def gates(
        self, params: Params, carry: Carry, p: Mapping[str, Array], fixed: Mapping[str, Array] = NOTHING_FIXED
    ) -> dict[str, Array]: ...
    def combine(self, carry: Carry, g: Mapping[str, Array]) -> tuple[Carry, Array]: ...
    def step(self, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]: ...
    def hidden(self, carry: Carry) -> Array: ...


def check_fields(cell: Any) -> None:
    """Validates the fields that all cells have and makes them hashable; called by `__post_init__`."""
    if not isinstance(cell.hidden_size, int) or isinstance(cell.hidden_size, bool) or cell.hidden_size < 1:
        raise ValueError(f"hidden_size={cell.hidden_size!r} must be a whole number, at least 1")
    for field in ("kernel_init", "recurrent_init", "bias_init"):
        object.__setattr__(cell, field, resolve(field, getattr(cell, field)))
    for field in ("param_dtype", "dtype", "carry_dtype"):
        object.__setattr__(cell, field, float_dtype(field, getattr(cell, field)))


def float_dtype(field: str, value: Any) -> DType | None:
    """`value` as a numpy dtype, None as None; raises ValueError where it isn't a floating-point type."""
    if value is None:
        return None
    try:
        dtype = jnp.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{field}={value!r} must be a floating-point type: float32, bfloat16, float16 or float64")
    return dtype


def one_of(field: str, value: Any, choices: Sequence[str]) -> None:
    """Raises ValueError where `value` is none of `choices`."""
    if value not in choices:
        raise ValueError(f"{field}={value!r} is unknown; choose from {', '.join(choices)}")


def init_gates(cell: Any, key: PRNGKey, input_size: int, gates: Sequence[str]) -> dict[str, Array]:
    """`W_g (I, H)`, `U_g (H, H)` and `b_g (H,)` for each gate g, every kernel drawn on its own.

    Drawing gate by gate is what keeps each recurrent kernel orthogonal: one draw of shape (H, 3H)
    has orthonormal rows, and its three square blocks don't.
    """
    if input_size < 1:
        raise ValueError(f"input_size={input_size!r} must be at least 1")
    params: dict[str, Array] = {}
    for gate, gate_key in zip(gates, jax.random.split(key, len(gates)), strict=True):
        kernel_key, recurrent_key, bias_key = jax.random.split(gate_key, 3)
        size = cell.hidden_size
        params[f"W_{gate}"] = cell.kernel_init(kernel_key, (input_size, size), cell.param_dtype)
        params[f"U_{gate}"] = cell.recurrent_init(recurrent_key, (size, size), cell.param_dtype)
        params[f"b_{gate}"] = cell.bias_init(bias_key, (size,), cell.param_dtype)
    return params


def init_initial_state(cell: Any, names: Sequence[str]) -> dict[str, Array]:
    """The learned first carry, `names` as parameters `(H,)` that start at 0; none where it isn't learned."""
    return {n: jnp.zeros(cell.hidden_size, cell.param_dtype) for n in names if cell.learn_initial_carry}


def initial_state(cell: Any, params: Params, name: str, batch: Sequence[int]) -> Array:
    """Zeros `[*batch, H]` in the carry's type, or the learned parameter `name`, broadcast."""
    shape = (*batch, cell.hidden_size)
    wanted = cell.carry_dtype or accumulation_dtype(cell.dtype or cell.param_dtype)
    if cell.learn_initial_carry:
        return jnp.broadcast_to(params[name].astype(wanted), shape)
    return jnp.zeros(shape, wanted)


def step(cell: Cell, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
    """One step of any cell: `carry, y [..., H]` from `carry, x [..., I]`."""
    cell = with_dtypes(cell, params, x)
    carry = cast_carry(cell, carry)
    return cell.combine(carry, cell.gates(params, carry, cell.project(params, x)))


def with_dtypes(cell: CellT, params: Params, x: Array) -> CellT:
    """The cell with the types that None stands for filled in: `dtype` is the promotion of parameters
    and input, `carry_dtype` is float32 or wider."""
    dtype = cell.dtype or jnp.result_type(x, *jax.tree.leaves(params))  # type: ignore[attr-defined]
    carry_dtype = cell.carry_dtype or accumulation_dtype(dtype)  # type: ignore[attr-defined]
    return dataclasses.replace(cell, dtype=dtype, carry_dtype=carry_dtype)  # type: ignore[type-var]


def accumulation_dtype(dtype: DType) -> DType:
    """float32, or `dtype` where that is wider."""
    return jnp.promote_types(dtype, jnp.float32)


def cast_carry(cell: Cell, carry: Carry) -> Carry:
    """`carry` in the cell's `carry_dtype`."""
    return jax.tree.map(lambda a: jnp.asarray(a, cell.carry_dtype), carry)


def product(a: Array, kernel: Array, dtype: DType) -> Array:
    """`a [..., K] @ kernel [K, H]` in `dtype`, accumulated and returned in float32 or wider."""
    wide = accumulation_dtype(dtype)
    a, kernel = a.astype(dtype), kernel.astype(dtype)
    if kernel.shape[0] <= MULTIPLY_ADD_LIMIT:
        # XLA writes the result of a matmul to memory; these products fuse into what comes after.
        columns = [a[..., k, None].astype(wide) * kernel[k].astype(wide) for k in range(kernel.shape[0])]
        return columns[0] if len(columns) == 1 else columns[0] + columns[1]
    return jnp.matmul(a, kernel, preferred_element_type=wide)


def project_gates(cell: Cell, params: Params, x: Array, gates: Sequence[str]) -> dict[str, Array]:
    """`x W_g + b_g [..., H]` for each gate."""
    dtype = cell.dtype or jnp.result_type(x, *jax.tree.leaves(params))
    return {g: product(x, params[f"W_{g}"], dtype) + params[f"b_{g}"] for g in gates}


def recurrent(cell: Cell, params: Params, h: Array, gate: str) -> Array:
    """`h U_g [..., H]`."""
    kernel = params[f"U_{gate}"]
    return product(h, kernel, cell.dtype or jnp.result_type(h, kernel))


def output(cell: Cell, h: Array) -> Array:
    """`h` in the type in which the cell gives its outputs."""
    return h if cell.dtype is None else h.astype(cell.dtype)


def check_fixed(fixed: Mapping[str, Array], gates: Sequence[str]) -> None:
    """Raises ValueError where `fixed` names no gate of the cell."""
    for name in fixed:
        one_of("fixed", name, gates)
