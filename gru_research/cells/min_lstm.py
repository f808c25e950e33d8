"""minLSTM: an LSTM whose gates don't see the state (Feng et al. 2024, arXiv 2410.01201)."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base
from .arguments import split
from .initializers import GlorotUniform, Initializer, Zeros

GATES = ("i", "f", "g")


@dataclasses.dataclass(frozen=True)
class MinLSTM:
    """An LSTM without recurrent kernels and output gate, so that all steps can be computed together.

        i, f = i' / (f' + i'), f' / (f' + i')              the input and forget gates; they sum to 1
        i' = sigmoid(x W_i + b_i),  f' = sigmoid(x W_f + b_f)
        g = x W_g + b_g                                    the candidate
        h = f * h_prev + i * g                             the carry, an array as in `GRU`

    The quotient is evaluated as one sigmoid, of softplus(-a_i) - softplus(-a_f) for the arguments a of i'
    and f', which is exact where both sigmoids round to 0. In `gates` a fixed f leaves i as it is.

    Attributes:
      hidden_size: H, the number of units.
      forget_bias, chrono: what `b_f` and `b_i` are initialised with, as in `LSTM`.
      activation: the function of g, a name in `base.ACTIVATIONS` or a function.
      kernel_init, bias_init, learn_initial_carry, param_dtype, dtype, carry_dtype: as in `GRU`.
    """

    hidden_size: int
    forget_bias: float = 1.0
    chrono: int | None = None
    activation: str | Callable[[Array], Array] = "identity"
    kernel_init: str | Initializer = GlorotUniform()
    bias_init: str | Initializer = Zeros()
    learn_initial_carry: bool = False
    param_dtype: DType = jnp.float32
    dtype: DType | None = None
    carry_dtype: DType | None = None

    def __post_init__(self) -> None:
        base.check_memory(self, "forget_bias")
        base.check_fields(self)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `b_g (H,)` for the gates i, f, g."""
        gates_key, memory_key = split(key)
        params = base.init_gates(self, gates_key, input_size, GATES)
        params["b_f"] = base.init_memory(self, memory_key, params["b_f"], self.forget_bias)
        if self.chrono is not None:
            params["b_i"] = -params["b_f"]
        return params | base.init_initial_state(self, ("h_0",))

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return base.project_gates(self, params, x, GATES)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates i, f, g `[..., H]`, whatever the carry; those in `fixed` have the values given there."""
        base.check_fixed(fixed, GATES)
        wide = {gate: base.widen(a) for gate, a in p.items()}
        odds = jax.nn.softplus(-wide["i"]) - jax.nn.softplus(-wide["f"])
        candidate = base.activate(self.activation, wide["g"])
        g = {"i": jax.nn.sigmoid(-odds), "f": jax.nn.sigmoid(odds), "g": candidate} | dict(fixed)
        return base.narrow(g, p)

    def linear(self, g: Arrays, dtype: DType) -> tuple[Array, Array]:
        """`a, b [..., H]` of `h = a * h_prev + b`."""
        return g["f"].astype(dtype), g["i"].astype(dtype) * g["g"].astype(dtype)

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """`h = f * h_prev + i * g`, as carry and, in the gates' type, as output."""
        a, b = self.linear(g, carry.dtype)
        h = a * carry + b
        return h, h.astype(g["g"].dtype)

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: f."""
        return g["f"]

    step = base.step
    hidden = base.whole_carry
