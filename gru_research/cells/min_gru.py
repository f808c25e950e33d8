"""minGRU: a GRU whose gates don't see the state (Feng et al. 2024, arXiv 2410.01201)."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base
from .arguments import split
from .initializers import GlorotUniform, Initializer, Zeros

GATES = ("z", "n")


@dataclasses.dataclass(frozen=True)
class MinGRU:
    """A GRU without recurrent kernels, so that all steps of a sequence can be computed together.

        z = sigmoid(x W_z + b_z)                           the update gate
        n = x W_n + b_n                                    the candidate
        h = z * h_prev + (1 - z) * n

    z near 1 keeps the old state, as in `GRU`; the paper's z is ours taken from 1 (its h is
    `(1 - z) * h_prev + z * n`), which turns the signs of `W_z` and `b_z`. The paper's second form, for a
    scan over logarithms, keeps n above 0 by an activation; the scan here needs no such thing, and states
    may have any sign.

    Attributes:
      hidden_size: H, the number of units.
      update_bias, chrono: what `b_z` is initialised with, as in `GRU`.
      gate, activation: the functions of z and of n, names in `base.ACTIVATIONS` or functions.
      kernel_init, bias_init, learn_initial_carry, param_dtype, dtype, carry_dtype: as in `GRU`.
    """

    hidden_size: int
    update_bias: float = 0.0
    chrono: int | None = None
    gate: str | Callable[[Array], Array] = "sigmoid"
    activation: str | Callable[[Array], Array] = "identity"
    kernel_init: str | Initializer = GlorotUniform()
    bias_init: str | Initializer = Zeros()
    learn_initial_carry: bool = False
    param_dtype: DType = jnp.float32
    dtype: DType | None = None
    carry_dtype: DType | None = None

    def __post_init__(self) -> None:
        base.check_memory(self, "update_bias")
        base.check_fields(self)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `b_g (H,)` for the gates z, n."""
        gates_key, memory_key = split(key)
        params = base.init_gates(self, gates_key, input_size, GATES)
        params["b_z"] = base.init_memory(self, memory_key, params["b_z"], self.update_bias)
        return params | base.init_initial_state(self, ("h_0",))

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return base.project_gates(self, params, x, GATES)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates z, n `[..., H]`, whatever the carry; those in `fixed` have the values given there."""
        base.check_fixed(fixed, GATES)
        g = dict(fixed)
        for gate, function in (("z", self.gate), ("n", self.activation)):
            if gate not in g:
                g[gate] = base.activate(function, base.widen(p[gate]))
        return base.narrow(g, p)

    def linear(self, g: Arrays, dtype: DType) -> tuple[Array, Array]:
        """`a, b [..., H]` of `h = a * h_prev + b`."""
        z, n = g["z"].astype(dtype), g["n"].astype(dtype)
        return z, (1 - z) * n

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """`h = z * h_prev + (1 - z) * n`, as carry and, in the gates' type, as output."""
        a, b = self.linear(g, carry.dtype)
        h = a * carry + b
        return h, h.astype(g["n"].dtype)

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: z."""
        return g["z"]

    step = base.step
    hidden = base.whole_carry
