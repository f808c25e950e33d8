"""Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base, dtypes, gradients
from .arguments import split
from .checks import boolean, one_of
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros

LSTMCarry: TypeAlias = tuple[Array, Array]
GATES = ("i", "f", "g", "o")
WITHOUT = {"nothing": "", "input": "i", "forget": "f", "output": "o", "coupled": "i"}
"""The ablations, and the gate that has no parameters in each."""
DEFAULT_FORGET_BIAS = 1.0


@dataclasses.dataclass(frozen=True)
class LSTM:
    """An LSTM; its carry is `(c, h)`, as in Flax.

        i = sigmoid(x W_i + b_i + h U_i  [+ p_i * c_prev])     the input gate
        f = sigmoid(x W_f + b_f + h U_f  [+ p_f * c_prev])     the forget gate
        g = tanh(x W_g + b_g + h U_g)                          the candidate
        c = f * c_prev + i * g
        o = sigmoid(x W_o + b_o + h U_o  [+ p_o * c])          the output gate
        h = o * tanh(c)

    The terms in brackets are the peepholes (Gers, Schraudolph and Schmidhuber 2002). The ablations follow Greff
    et al. 2017 (arXiv 1503.04069): i = 1 (NIG), f = 1 (NFG), o = 1 (NOG) and i = 1 - f (CIFG), each without the
    parameters of the gate that is gone.

    Attributes:
      hidden_size: H, the number of units.
      forget_bias: what `b_f` is initialised to, on top of `bias_init`: above 0 the cell starts out
        remembering (Jozefowicz, Zaremba and Sutskever 2015).
      peepholes: whether the gates see the cell state.
      chrono: the longest dependency, in steps, or None. `b_f` is then drawn by `Chrono` and `b_i = -b_f`,
        in place of `bias_init` and `forget_bias`, which must be left at its default.
      without: the gate that is left out: "input", "forget" or "output"; "coupled" ties the input gate to the forget
        gate; "nothing" is the whole cell. "forget" excludes `forget_bias` and `chrono`.
      gate, activation: the functions of i, f and o and of g and c, as in `GRU`.
      learn_initial_carry: whether the first carry is a pair of parameters, `c_0, h_0 (H,)`.
      kernel_init, recurrent_init, bias_init, param_dtype, dtype, carry_dtype: as in `GRU`.
    """

    hidden_size: int
    forget_bias: float = DEFAULT_FORGET_BIAS
    peepholes: bool = False
    chrono: int | None = None
    without: str = "nothing"
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
        base.check_memory(self, "forget_bias")
        object.__setattr__(self, "peepholes", boolean("peepholes", self.peepholes))
        one_of("without", self.without, tuple(WITHOUT))
        if self.without == "forget" and (self.chrono is not None or self.forget_bias != DEFAULT_FORGET_BIAS):
            raise ValueError(
                f"without='forget' leaves no forget gate for forget_bias={self.forget_bias!r}, chrono={self.chrono!r}"
            )
        base.check_fields(self)

    @property
    def has_vjp(self) -> bool:
        """Whether the sequence gradient is written by hand."""
        return self.gate == "sigmoid" and self.activation == "tanh"

    @property
    def gate_names(self) -> tuple[str, ...]:
        return tuple(gate for gate in GATES if gate != WITHOUT[self.without])

    @property
    def _seeing(self) -> tuple[str, ...]:
        """The gates that have peepholes."""
        return tuple(gate for gate in self.gate_names if gate != "g") if self.peepholes else ()

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `U_g (H, H)`, `b_g (H,)` for the gates i, f, g, o; `p_i, p_f, p_o (H,)` with peepholes; nothing
        for a gate that is left out."""
        gates_key, peephole_key, memory_key = split(key, 3)
        params = base.init_gates(self, gates_key, input_size, self.gate_names)
        if "f" in self.gate_names:
            params["b_f"] = base.init_memory(self, memory_key, params["b_f"], self.forget_bias)
        if self.chrono is not None and "i" in self.gate_names:
            params["b_i"] = -params["b_f"]
        for gate, gate_key in zip("ifo", jax.random.split(peephole_key, 3), strict=True):
            if gate in self._seeing:
                params[f"p_{gate}"] = self.bias_init(gate_key, (self.hidden_size,), self.param_dtype)  # type: ignore[operator]
        return params | base.init_initial_state(self, ("c_0", "h_0"))

    def initial_carry(self, params: Params, batch: Sequence[int]) -> LSTMCarry:
        """`(c, h)`, each `[*batch, H]`."""
        return base.initial_state(self, params, "c_0", batch), base.initial_state(self, params, "h_0", batch)

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return base.project_gates(self, params, x, self.gate_names)

    def gates(
        self, params: Params, carry: LSTMCarry, p: Arrays, fixed: Arrays = base.NOTHING_FIXED
    ) -> dict[str, Array]:
        """The gates i, f, g, o `[..., H]`; those in `fixed` have the values given there."""
        base.check_fixed(fixed, self.gate_names)
        c, h = carry
        g = dict(fixed)
        for gate in self.gate_names:
            if gate in g:
                continue
            a = base.widen(p[gate]) + base.recurrent(params, h, p, gate)
            if gate in self._seeing:
                a = a + base.promote_rank(params[f"p_{gate}"], c) * (self._cell_state(c, g) if gate == "o" else c)
            g[gate] = base.activate(self.activation if gate == "g" else self.gate, a)
        return base.narrow(g, p)

    def combine(self, carry: LSTMCarry, g: Arrays) -> tuple[LSTMCarry, Array]:
        """`c = f * c_prev + i * g`, `h = o * tanh(c)`: the carry `(c, h)` and, in the gates' type, the output h."""
        c, h = carry
        c = self._cell_state(c, {gate: a.astype(c.dtype) for gate, a in g.items()})
        shown = base.activate(self.activation, c)
        if "o" in g:
            shown = g["o"].astype(c.dtype) * shown
        h = shown.astype(h.dtype)
        return (c, h), h.astype(g["g"].dtype)

    def _cell_state(self, c: Array, g: Arrays) -> Array:
        """c after the step, `f * c + i * g`; a gate that is left out is 1, and i of "coupled" is 1 - f."""
        kept = g["f"] * c if "f" in g else c
        if self.without == "coupled":
            return kept + (1 - g["f"]) * g["g"]
        return kept + (g["i"] * g["g"] if "i" in g else g["g"])

    def kept(self, g: Arrays) -> Array:
        """The share of the old state that a step keeps: f; 1 without a forget gate."""
        return g["f"] if "f" in g else jnp.ones_like(g["g"])

    step = base.step

    def hidden(self, carry: LSTMCarry) -> Array:
        """The part of the carry that is the output: h."""
        return carry[1]

    def advance(self, params: Params, carry: LSTMCarry, p: Arrays) -> tuple[LSTMCarry, dict[str, Array]]:
        """`(c, h)` after the step; and the gates."""
        g = self.gates(params, carry, p)
        return self.combine(carry, g)[0], g

    def factors(self, params: Params, previous_carry: LSTMCarry, next_carry: LSTMCarry, s: Arrays) -> dict[str, Array]:
        """The factors of cotangents: `o` and `cell` scale dL/dh, for o and for c; all others scale dL/dc."""
        c_before, c = base.widen(previous_carry[0]), base.widen(next_carry[0])
        s = {gate: a.astype(c.dtype) for gate, a in s.items()}
        one, g, tanh_c = jnp.ones_like(c), s["g"], jnp.tanh(c)
        f, o = s.get("f", one), s.get("o", one)
        i = 1 - f if self.without == "coupled" else s.get("i", one)
        forgotten = c_before - g if self.without == "coupled" else c_before
        factors = {"i": g * i * (1 - i), "f": forgotten * f * (1 - f), "g": i * (1 - g * g), "o": tanh_c * o * (1 - o)}
        factors = {gate: factors[gate] for gate in self.gate_names}
        factors |= {"cell": o * (1 - tanh_c * tanh_c), "keep": f}
        for gate in self._seeing:
            factors["cell" if gate == "o" else "keep"] += factors[gate] * base.promote_rank(
                params[f"p_{gate}"].astype(c.dtype), c
            )
        return factors

    def backward(self, transposed: Mapping[str, Any], f: Arrays, d: LSTMCarry) -> tuple[LSTMCarry, dict[str, Array]]:
        """The cotangents `[..., H]` of c and h before a step, from `d`, those after it.

        Also returns the latter as "c", with its part through h, and "h".
        """
        d_h = d[1]
        d_c = d[0] + d_h * f["cell"]
        back = [
            gradients.product_back((d_h if gate == "o" else d_c) * f[gate], transposed, gate)
            for gate in self.gate_names
        ]
        return (d_c * f["keep"], sum(back[1:], back[0])), {"c": d_c, "h": d_h}

    def cotangents(
        self,
        params: Params,
        xs: Array,
        previous_carry: LSTMCarry,
        next_carry: LSTMCarry,
        s: Arrays,
        f: Arrays,
        k: Arrays,
    ) -> tuple[dict[str, Array], Array]:
        """The cotangents of the parameters and of `xs [..., I]`, over all steps."""
        del s
        dtype = dtypes.compute_dtype(self, params, xs)
        d_a = {gate: k["h" if gate == "o" else "c"] * f[gate] for gate in self.gate_names}
        d_params, d_xs = gradients.projection_cotangents(params, xs, d_a, dtype)
        h = gradients.flatten_transpose(previous_carry[1], dtype)
        for gate in self.gate_names:
            d_params[f"U_{gate}"] = gradients.kernel_cotangent(h, d_a[gate])
        for gate in self._seeing:
            d_params[f"p_{gate}"] = gradients.bias_cotangent(
                d_a[gate] * (next_carry if gate == "o" else previous_carry)[0]
            )
        return d_params, d_xs
