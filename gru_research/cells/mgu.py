"""The minimal gated unit (Zhou et al. 2016, arXiv 1603.09420)."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base
from .arguments import split
from .checks import one_of
from .gru import candidate_memory
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros

GATES = ("f", "n")


@dataclasses.dataclass(frozen=True)
class MGU:
    """A GRU whose one gate f both resets and updates.

        f = sigmoid(x W_f + b_f + h U_f)                   the forget gate
        n = tanh(x W_n + b_n + (f * h) U_n)                reset="before": Zhou et al. 2016
        n = tanh(x W_n + b_n + f * (h U_n + c_n))          reset="after": Flax, reset_gate=True
        n = tanh(x W_n + b_n + h U_n)                      reset="none": Flax, reset_gate=False
        h = f * h_prev + (1 - f) * n                       keep="f": Flax
        h = (1 - f) * h_prev + f * n                       keep="1-f": Zhou et al. 2016

    The two signs of `keep` are different cells unless reset="none": f near 1 keeps the old state and shows it
    to the candidate (Flax), or shows it and forgets it (the paper). `MGU(H)` is Flax's `MGUCell`,
    `MGU(H, reset="before", keep="1-f")` the paper's unit.

    Attributes:
      hidden_size: H, the number of units.
      reset: where f resets the state that the candidate sees.
      keep: the share of the old state that is kept.
      forget_bias: what `b_f` is initialised to, on top of `bias_init`, in the direction of keeping: it is
        subtracted with keep="1-f". Above 0 the cell starts out remembering.
      chrono: the longest dependency, in steps, or None. `b_f` is then drawn by `Chrono`, negated with
        keep="1-f", in place of `bias_init` and `forget_bias`, which must be left at its default.
      gate, activation: the functions of f and of n, names in `base.ACTIVATIONS` or functions.
      kernel_init, recurrent_init, bias_init, learn_initial_carry, param_dtype, dtype, carry_dtype: as in `GRU`.
    """

    hidden_size: int
    reset: str = "after"
    keep: str = "f"
    forget_bias: float = 1.0
    chrono: int | None = None
    gate: str | Callable[[Array], Array] = "sigmoid"
    activation: str | Callable[[Array], Array] = "tanh"
    kernel_init: str | Initializer = GlorotUniform()
    recurrent_init: str | Initializer = Orthogonal()
    bias_init: str | Initializer = Zeros()
    learn_initial_carry: bool = False
    param_dtype: DType = jnp.float32
    dtype: DType | None = None
    carry_dtype: DType | None = None

    def __post_init__(self) -> None:
        one_of("reset", self.reset, ("before", "after", "none"))
        one_of("keep", self.keep, ("f", "1-f"))
        base.check_memory(self, "forget_bias")
        base.check_fields(self)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `U_g (H, H)`, `b_g (H,)` for the gates f, n; `c_n (H,)` for reset="after"."""
        gates_key, bias_key, memory_key = split(key, 3)
        params = base.init_gates(self, gates_key, input_size, GATES)
        sign = 1 if self.keep == "f" else -1
        params["b_f"] = sign * base.init_memory(self, memory_key, sign * params["b_f"], self.forget_bias)
        if self.reset == "after":
            params["c_n"] = self.bias_init(bias_key, (self.hidden_size,), self.param_dtype)  # type: ignore[operator]
        return params | base.init_initial_state(self, ("h_0",))

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return base.project_gates(self, params, x, GATES)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates f, n `[..., H]`; those in `fixed` have the values given there."""
        base.check_fixed(fixed, GATES)
        h = carry
        g = dict(fixed)
        if "f" not in g:
            g["f"] = base.activate(self.gate, base.widen(p["f"]) + base.recurrent(params, h, p, "f"))
        if "n" not in g:
            memory, _ = candidate_memory(params, h, p, self.reset, g["f"])
            g["n"] = base.activate(self.activation, base.widen(p["n"]) + memory)
        return base.narrow(g, p)

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """The new state, as carry and, in the gates' type, as output."""
        if self.keep == "f":
            return base.interpolate(carry, g["f"], g["n"])
        f, n = g["f"].astype(carry.dtype), g["n"].astype(carry.dtype)
        h = (1 - f) * carry + f * n
        return h, h.astype(g["n"].dtype)

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: f, or 1 - f."""
        return g["f"] if self.keep == "f" else 1 - g["f"]

    step = base.step
    hidden = base.whole_carry
