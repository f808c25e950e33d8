"""GRU and LSTM with layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450).

    LN(a) = (a - mean(a)) / sqrt(var(a) + 1e-5)     over the units of one step

As in the paper and its authors' code, what the paper stacks is normalised together: r and z, 2 H numbers, apart
from n, in a GRU; i, f, g and o, 4 H numbers, in an LSTM; `x W` always apart from `h U`. Where the paper adds
several offsets to one sum, one is kept. Of a single input feature LN leaves nothing but the sign.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import lax

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base, dtypes
from .arguments import split
from .checks import number
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros
from .lstm import LSTMCarry

EPSILON = 1e-5
GRU_GROUPS = (("r", "z"), ("n",))
LSTM_GROUPS = (("i", "f", "g", "o"),)


@dataclasses.dataclass(frozen=True)
class LayerNormGRU:
    """A GRU of the kind reset="after" whose products are normalised.

        r = sigmoid(alpha_r * LN(x W_r) + b_r + gamma_r * LN(h U_r))            LN over r and z together
        z = sigmoid(alpha_z * LN(x W_z) + b_z + gamma_z * LN(h U_z))
        n = tanh(alpha_n * LN(x W_n) + b_n + r * (gamma_n * LN(h U_n) + c_n))
        h = z * h_prev + (1 - z) * n

    Attributes:
      hidden_size: H, the number of units.
      gate, activation, kernel_init, recurrent_init, bias_init, learn_initial_carry: as in `GRU`.
      param_dtype, dtype, carry_dtype: as in `GRU`; LN itself is computed in float32 or wider.
    """

    hidden_size: int
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
        base.check_fields(self)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `U_g (H, H)`, `b_g, alpha_g, gamma_g (H,)` for the gates r, z, n, and `c_n (H,)`."""
        gates_key, bias_key = split(key)
        params = base.init_gates(self, gates_key, input_size, "rzn") | _gains(self, "rzn")
        params["c_n"] = self.bias_init(bias_key, (self.hidden_size,), self.param_dtype)  # type: ignore[operator]
        return params | base.init_initial_state(self, ("h_0",))

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`alpha_g * LN(x W_g) + b_g [..., H]` for each gate."""
        return _project(self, params, x, GRU_GROUPS)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates r, z, n `[..., H]`; those in `fixed` have the values given there."""
        base.check_fixed(fixed, ("r", "z", "n"))
        memory = _recurrent(params, carry, p, GRU_GROUPS)
        g = {gate: base.activate(self.gate, base.widen(p[gate]) + memory[gate]) for gate in "rz"} | dict(fixed)
        if "n" not in g:
            g["n"] = base.activate(
                self.activation, base.widen(p["n"]) + g["r"] * (memory["n"] + base.promote_rank(params["c_n"], carry))
            )
        return base.narrow(g, p)

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """`h = z * h_prev + (1 - z) * n`, as carry and, in the gates' type, as output."""
        return base.interpolate(carry, g["z"], g["n"])

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: z."""
        return g["z"]

    step = base.step
    hidden = base.whole_carry


@dataclasses.dataclass(frozen=True)
class LayerNormLSTM:
    """An LSTM whose products and cell state are normalised; its carry is `(c, h)`.

        s_g = alpha_g * LN(x W_g) + b_g + gamma_g * LN(h U_g)     for i, f, g, o; LN over the four together
        i = sigmoid(s_i),  f = sigmoid(s_f),  o = sigmoid(s_o),  g = tanh(s_g)
        c = f * c_prev + i * g
        m = alpha_m * LN(c) + b_m
        h = o * tanh(m)

    The carry keeps c itself; m, which the paper doesn't name, counts as a gate: it can be traced and fixed.

    Attributes:
      hidden_size: H, the number of units.
      forget_bias: what `b_f` is initialised to, on top of `bias_init`, as in `LSTM`.
      gate, activation, kernel_init, recurrent_init, bias_init, learn_initial_carry: as in `LSTM`.
      param_dtype, dtype, carry_dtype: as in `GRU`; LN itself is computed in float32 or wider.
    """

    hidden_size: int
    forget_bias: float = 1.0
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
        object.__setattr__(self, "forget_bias", number("forget_bias", self.forget_bias))
        base.check_fields(self)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `U_g (H, H)`, `b_g, alpha_g, gamma_g (H,)` for i, f, g, o, and `alpha_m, b_m (H,)`."""
        gates_key, bias_key = split(key)
        params = base.init_gates(self, gates_key, input_size, "ifgo") | _gains(self, "ifgo")
        params["b_f"] = params["b_f"] + jnp.asarray(self.forget_bias, self.param_dtype)
        params["alpha_m"] = jnp.ones(self.hidden_size, self.param_dtype)
        params["b_m"] = self.bias_init(bias_key, (self.hidden_size,), self.param_dtype)  # type: ignore[operator]
        return params | base.init_initial_state(self, ("c_0", "h_0"))

    def initial_carry(self, params: Params, batch: Sequence[int]) -> LSTMCarry:
        """`(c, h)`, each `[*batch, H]`."""
        return base.initial_state(self, params, "c_0", batch), base.initial_state(self, params, "h_0", batch)

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`alpha_g * LN(x W_g) + b_g [..., H]` for each gate."""
        return _project(self, params, x, LSTM_GROUPS)

    def gates(
        self, params: Params, carry: LSTMCarry, p: Arrays, fixed: Arrays = base.NOTHING_FIXED
    ) -> dict[str, Array]:
        """The gates i, f, g, o and the normalised cell state m `[..., H]`; `fixed` as given."""
        base.check_fixed(fixed, ("i", "f", "g", "o", "m"))
        c, h = carry
        memory = _recurrent(params, h, p, LSTM_GROUPS)
        functions = {"i": self.gate, "f": self.gate, "g": self.activation, "o": self.gate}
        g = {gate: base.activate(function, base.widen(p[gate]) + memory[gate]) for gate, function in functions.items()}
        g = base.narrow(g | {gate: a for gate, a in fixed.items() if gate != "m"}, p)
        if "m" in fixed:
            m = fixed["m"]
        else:
            c = _new_cell(c, g)
            (normal,) = _normalise([c.astype(dtypes.accumulation_dtype(c.dtype))])
            m = base.promote_rank(params["alpha_m"], normal) * normal + base.promote_rank(params["b_m"], normal)
        return g | {"m": jnp.asarray(m, g["o"].dtype)}

    def combine(self, carry: LSTMCarry, g: Arrays) -> tuple[LSTMCarry, Array]:
        """`c = f * c_prev + i * g`, `h = o * tanh(m)`: the carry `(c, h)` and, in the gates' type, the output h."""
        c, h = _new_cell(carry[0], g), carry[1]
        m = g["m"].astype(dtypes.accumulation_dtype(g["m"].dtype))
        h = (base.widen(g["o"]) * base.activate(self.activation, m)).astype(h.dtype)
        return (c, h), h.astype(g["o"].dtype)

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: f."""
        return g["f"]

    step = base.step

    def hidden(self, carry: LSTMCarry) -> Array:
        """The part of the carry that is the output: h."""
        return carry[1]


def _new_cell(c: Array, g: Arrays) -> Array:
    return g["f"].astype(c.dtype) * c + g["i"].astype(c.dtype) * g["g"].astype(c.dtype)


def _gains(cell: LayerNormGRU | LayerNormLSTM, gates: Sequence[str]) -> dict[str, Array]:
    return {f"{gain}_{g}": jnp.ones(cell.hidden_size, cell.param_dtype) for g in gates for gain in ("alpha", "gamma")}


def _normalise(parts: Sequence[Array]) -> list[Array]:
    """LN of the concatenation of `parts [..., H]`, in parts: a concatenated array would be written and sliced again."""
    mean = sum(a.mean(-1, keepdims=True) for a in parts) / len(parts)
    centred = [a - mean for a in parts]
    variance = sum((a * a).mean(-1, keepdims=True) for a in centred) / len(parts)
    return [a * lax.rsqrt(variance + EPSILON) for a in centred]


def _project(cell: base.Cell, params: Params, x: Array, groups: Sequence[Sequence[str]]) -> dict[str, Array]:
    dtype = dtypes.compute_dtype(cell, params, x)
    base.check_input(x, params[f"W_{groups[0][0]}"])
    p = {}
    for gates in groups:
        normal = _normalise([base.product(x, params[f"W_{g}"], dtype) for g in gates])
        for g, a in zip(gates, normal, strict=True):
            p[g] = (base.promote_rank(params[f"alpha_{g}"], a) * a + base.promote_rank(params[f"b_{g}"], a)).astype(
                dtype
            )
    return p


def _recurrent(params: Params, h: Array, p: Arrays, groups: Sequence[Sequence[str]]) -> dict[str, Array]:
    """`gamma_g * LN(h U_g) [..., H]`, in float32 or wider."""
    memory = {}
    for gates in groups:
        normal = _normalise([base.recurrent(params, h, p, g) for g in gates])
        memory |= {g: base.promote_rank(params[f"gamma_{g}"], a) * a for g, a in zip(gates, normal, strict=True)}
    return memory
