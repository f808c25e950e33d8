"""The contract of a recurrent cell, and the arithmetic that all cells share.

A cell is a frozen dataclass without arrays. It holds the maths and nothing else. Its `step` is the composition

    p = cell.project(params, x)             # all that needs no carry, so that it can leave the time loop
    g = cell.gates(params, carry, p)        # a dict by gate name
    carry, y = cell.combine(carry, g)

A cell with a hand-written sequence gradient has `has_vjp` True and four more methods for `time_loop.vjp`, which use the
functions in `gradients.py`. `d` is the cotangent of the carry after a step.

    next_carry, s = cell.advance(params, previous_carry, p)     # one step, and what its gradient needs
    f = cell.factors(params, previous_carry, next_carry, s)     # factors of `d`, for many steps, before the loop
    d_previous, k = cell.backward(transposed, f, d)             # one step back: products with recurrent kernels
    d_params, d_xs = cell.cotangents(params, xs, previous_carry, next_carry, s, f, k)   # many steps, after the loop

`transposed` holds the recurrent kernels after `transpose_kernels`, and `k` is a dict of the cotangents that
`cotangents` needs. `d_params` are float32 or wider, as they are summed over chunks.

A step uses three types. Matrices are multiplied in `dtype`, which projections, gates and outputs have too. Products are
accumulated and gates evaluated in float32 or wider. The carry has `carry_type`: a carry in bfloat16 would lose slow
units. With z = .99 (in bfloat16 .988), n = 1 and h = .5 at first, h after 300 steps is .836 instead of .985.

A cell whose carry is one array h that is also its output, and whose gates don't depend on h, may have a method
`linear(g, dtype) -> (a, b)` with `h = a * h_prev + b`, each `[..., H]` in `dtype`. Its states are then computed for all
steps together (`time_loop/parallel.py`).

Both serve only the class that wrote them. A cell that a subclass or an instance has changed runs without them
(`overrides.py`). What a cell may say of its gates is in `gate_roles.py`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from gru_research.types import Array, Arrays, Carry, DType, Params, PRNGKey

from .arguments import check_batch, check_inputs, split
from .checks import boolean, float_dtype, number, one_of, whole
from .containers import plain
from .dtypes import CONFIG, accumulation_dtype, carry_type, cast, cast_carry, compute_dtype, in_types_of
from .initializers import Chrono, resolve
from .shape_checks import check_carry, check_cell, check_parameters, describe
from .wide_params import uncast

NOTHING_FIXED: Arrays = MappingProxyType({})
MULTIPLY_ADD_LIMIT = 2
"""Up to this number of input features, multiply and add is cheaper than a matmul with the kernel."""
SHORTEST_CHRONO = 3
"""The least `chrono`: with 2 every bias would be 0."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_tanh": jax.nn.hard_tanh,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "identity": lambda a: a,
}
"""The gate and activation functions that a config can name."""


class Cell(Protocol):
    """The methods that `unroll` and the layers call. `x [..., I]`, `carry` and `y [..., H]`, any batch axes."""

    @property
    def hidden_size(self) -> int: ...
    @property
    def dtype(self) -> DType | None: ...
    @property
    def carry_dtype(self) -> DType | None: ...

    def init(self, key: PRNGKey, input_size: int) -> Params: ...
    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry: ...
    def project(self, params: Params, x: Array) -> Arrays: ...
    def gates(self, params: Params, carry: Carry, p: Arrays, fixed: Arrays = NOTHING_FIXED) -> dict[str, Array]: ...
    def combine(self, carry: Carry, g: Arrays) -> tuple[Carry, Array]: ...
    def step(self, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]: ...
    def hidden(self, carry: Carry) -> Array: ...


def check_fields(cell: Any) -> None:
    """Validates the fields that cells share, as far as this one has them, and makes them hashable.

    `__post_init__` calls it.
    """
    fields = {field.name for field in dataclasses.fields(cell)}
    for field in ("gate", "activation"):
        if field in fields:
            object.__setattr__(cell, field, activation_name(field, getattr(cell, field)))
    object.__setattr__(cell, "hidden_size", whole("hidden_size", cell.hidden_size, 1))
    for field in ("kernel_init", "recurrent_init", "bias_init"):
        if hasattr(cell, field):
            object.__setattr__(cell, field, resolve(field, getattr(cell, field)))
    object.__setattr__(cell, "learn_initial_carry", boolean("learn_initial_carry", cell.learn_initial_carry))
    object.__setattr__(cell, "param_dtype", float_dtype("param_dtype", cell.param_dtype))
    for field in ("dtype", "carry_dtype"):
        if getattr(cell, field) is not None:
            object.__setattr__(cell, field, float_dtype(field, getattr(cell, field)))


def check_memory(cell: Any, field: str) -> None:
    """Validates `chrono` and the bias `field` that it replaces. Raises ValueError where both are set."""
    bias = number(field, getattr(cell, field))
    object.__setattr__(cell, field, bias)
    if cell.chrono is None:
        return
    longest = whole("chrono", cell.chrono, SHORTEST_CHRONO, "None or a whole number of steps")
    object.__setattr__(cell, "chrono", longest)
    default = next(f.default for f in dataclasses.fields(cell) if f.name == field)
    if bias != default:
        raise ValueError(f"chrono={longest} and {field}={bias!r} exclude each other: chrono takes the place of {field}")


def activation_name(field: str, value: str | Callable[[Array], Array]) -> str | Callable[[Array], Array]:
    """Returns the name of a function in `ACTIVATIONS`, so that equal cells compare equal; others as given."""
    for name, function in ACTIVATIONS.items():
        if value is function:
            return name
    if not callable(value):
        one_of(field, value, tuple(ACTIVATIONS))
    return value


def activate(value: str | Callable[[Array], Array], a: Array) -> Array:
    """Applies `value`, a function or its name in `ACTIVATIONS`, to `a`."""
    return (ACTIVATIONS[value] if isinstance(value, str) else value)(a)


def init_gates(
    cell: Any, key: PRNGKey, input_size: int, gates: Sequence[str], heads: int | None = None
) -> dict[str, Array]:
    """`W_g (I, H)`, `U_g (H, H)` and `b_g (H,)` for each gate g, every kernel drawn on its own.

    A draw for each gate keeps each recurrent kernel orthogonal: a single draw of shape (H, 3H) has orthonormal rows,
    but its three square blocks don't. With `heads` the recurrent kernels are blocks `(heads, H / heads, H / heads)`,
    each drawn on its own too. A cell without `recurrent_init` has none.
    """
    input_size = whole("input_size", input_size, 1)
    params: dict[str, Array] = {}
    for gate, gate_key in zip(gates, split(key, len(gates)), strict=True):
        kernel_key, recurrent_key, bias_key = jax.random.split(gate_key, 3)
        size = cell.hidden_size
        params[f"W_{gate}"] = cell.kernel_init(kernel_key, (input_size, size), cell.param_dtype)
        if hasattr(cell, "recurrent_init"):
            params[f"U_{gate}"] = _recurrent_kernel(cell, recurrent_key, heads)
        params[f"b_{gate}"] = cell.bias_init(bias_key, (size,), cell.param_dtype)
    return params


def _recurrent_kernel(cell: Any, key: PRNGKey, heads: int | None) -> Array:
    size = cell.hidden_size // (heads or 1)
    if heads is None:
        return cell.recurrent_init(key, (size, size), cell.param_dtype)
    keys = jax.random.split(key, heads)
    return jnp.stack([cell.recurrent_init(k, (size, size), cell.param_dtype) for k in keys])


def init_memory(cell: Any, key: PRNGKey, bias: Array, added: float) -> Array:
    """The bias `(H,)` of a gate that keeps the old state: `bias + added`, or with `cell.chrono` drawn by `Chrono`."""
    if cell.chrono is None:
        return bias + jnp.asarray(added, bias.dtype)
    return Chrono(cell.chrono)(key, bias.shape, bias.dtype)


def init_initial_state(cell: Any, names: Sequence[str]) -> dict[str, Array]:
    """Returns the learned initial carry: parameters `names` `(H,)`, 0 at first; nothing where it isn't learned."""
    return {n: jnp.zeros(cell.hidden_size, cell.param_dtype) for n in names if cell.learn_initial_carry}


def initial_state(cell: Any, params: Params, name: str, batch: Sequence[int]) -> Array:
    """Zeros `[*batch, H]` in the carry's type, or the learned parameter `name`, broadcast."""
    shape = (*check_batch(batch), cell.hidden_size)
    wanted = carry_type(cell, params)
    if cell.learn_initial_carry:
        if name not in params:
            raise ValueError(f"params has no {name}, the learned first carry ({cell.hidden_size},) of {describe(cell)}")
        value = jnp.asarray(plain(params[name]))  # broadcast in float32 or wider, as its gradient is a sum over rows
        return jnp.broadcast_to(value.astype(accumulation_dtype(jnp.promote_types(value.dtype, wanted))), shape).astype(
            wanted
        )
    return jnp.zeros(shape, wanted)


def initial_h(cell: Any, params: Params, batch: Sequence[int]) -> Array:
    """`h [*batch, H]`: `initial_carry` of a cell whose carry is h alone."""
    return initial_state(cell, params, "h_0", batch)


def whole_carry(cell: Any, carry: Array) -> Array:
    """The carry itself: `hidden` of a cell whose carry is h alone."""
    del cell
    return carry


def step(cell: Cell, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
    """One step: the new carry and the output `y [..., H]` from `carry` and `x [..., I]`."""
    check_cell(cell)
    params = plain(params)
    x = check_inputs("x", x, cell)
    if not x.ndim:
        raise ValueError("x has the shape (); it must have a feature axis, [..., I]")
    check_parameters(cell, params, x.shape, field="x")
    carry = cast_carry(cell, params, check_carry(cell, params, carry, x))
    new, y = cell.combine(carry, cell.gates(params, carry, cell.project(params, x)))
    return in_types_of(carry, new), y


def product(a: Array, kernel: Array, dtype: DType) -> Array:
    """`a [..., K] @ kernel [K, H]` in `dtype`, accumulated and returned in float32 or wider.

    A kernel `[heads, K / heads, H / heads]` is the blocks of a block-diagonal one.
    """
    wide = accumulation_dtype(dtype)
    a, kernel = cast(a, dtype), cast(uncast(kernel), dtype)
    if kernel.ndim == 3:
        heads, inner, outer = kernel.shape
        blocks = a.reshape(*a.shape[:-1], heads, inner)
        blocks = jnp.einsum("...nk,nkh->...nh", blocks, kernel, preferred_element_type=wide)
        return blocks.reshape(*a.shape[:-1], heads * outer)
    if kernel.shape[0] <= MULTIPLY_ADD_LIMIT:
        # XLA writes the result of a matmul to memory; these products fuse into what comes after.
        columns = [cast(a[..., k, None], wide) * promote_rank(cast(kernel[k], wide), a) for k in range(kernel.shape[0])]
        return columns[0] if len(columns) == 1 else columns[0] + columns[1]
    return jnp.matmul(a, kernel, preferred_element_type=wide)


def project_gates(cell: Cell, params: Params, x: Array, gates: Sequence[str]) -> dict[str, Array]:
    """`x W_g + b_g [..., H]` for each gate, in the cell's compute type."""
    dtype = compute_dtype(cell, params, x)
    check_input(x, params[f"W_{gates[0]}"])
    return {g: cast(product(x, params[f"W_{g}"], dtype) + promote_rank(params[f"b_{g}"], x), dtype) for g in gates}


def check_input(x: Array, kernel: Array) -> None:
    """Raises ValueError where `x [..., I]` has another number of features than `kernel (I, H)`."""
    if x.shape[-1:] != kernel.shape[:1]:
        size = kernel.shape[0]
        raise ValueError(f"x has the shape {x.shape}; its last axis must be {size}, as the parameters have it")


def recurrent(params: Params, h: Array, p: Arrays, gate: str) -> Array:
    """`h U_g [..., H]`, multiplied in the type of the projections, in float32 or wider."""
    return product(h, params[f"U_{gate}"], p[gate].dtype)


def widen(a: Array) -> Array:
    """Casts `a` to float32 or wider; for a parameter in a time loop, returns its wide original (`wide_params.py`)."""
    return cast(uncast(a), accumulation_dtype(a.dtype))


def promote_rank(vector: Array, like: Array) -> Array:
    """Widens a parameter `(H,)` and adds leading axes up to the rank of `like [..., N]`."""
    vector = widen(vector)
    if CONFIG.jax_numpy_rank_promotion == "allow":  # JAX broadcasts it in the operation that follows
        return vector
    return jnp.expand_dims(vector, tuple(range(like.ndim - vector.ndim)))


def interpolate(carry: Array, z: Array, n: Array) -> tuple[Array, Array]:
    """`h = z * carry + (1 - z) * n` in the carry's type, as carry and, in the type of `n`, as output."""
    keep, new = cast(z, carry.dtype), cast(n, carry.dtype)
    h = keep * carry + (1 - keep) * new
    return h, cast(h, n.dtype)


def narrow(g: Arrays, p: Arrays) -> dict[str, Array]:
    """Casts gates to the type of their projections."""
    return {
        name: cast(a, p[name].dtype) if isinstance(a, jax.Array) else jnp.asarray(a, p[name].dtype)
        for name, a in g.items()
    }


def check_fixed(fixed: Arrays, gates: Sequence[str]) -> None:
    """Raises ValueError where `fixed` names no gate of the cell."""
    for name in fixed:
        one_of("fixed", name, gates)
