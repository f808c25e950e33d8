"""The Gated Recurrent Unit (Cho et al. 2014, arXiv 1406.1078)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base, dtypes, gradients
from .arguments import split
from .checks import one_of
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros


@dataclasses.dataclass(frozen=True)
class GRU:
    """A GRU; in every variant `h = z * h_prev + (1 - z) * n`, with the update gate z and the candidate n.

        r = sigmoid(x W_r + b_r + h U_r)                   the reset gate
        z = sigmoid(x W_z + b_z + h U_z)                   the update gate
        n = tanh(x W_n + b_n + (r * h) U_n)                reset="before": Cho et al. 2014
        n = tanh(x W_n + b_n + r * (h U_n + c_n))          reset="after": cuDNN, PyTorch, Keras, Flax
        n = tanh(x W_n + b_n + h U_n)                      reset="none": no reset gate, no W_r, U_r, b_r
        h = n                                              update="none": no update gate, no W_z, U_z, b_z

    z near 1 keeps the old state. "after" needs one product with h a step, "before" two in sequence. "after" has one
    more bias, the hidden bias `c_n`. A GRU with coupled gates, r = z, is the `MGU`.

    Attributes:
      hidden_size: H, the number of units.
      update_bias: added to `b_z`: above 0 the cell starts out remembering.
      chrono: the longest dependency, in steps, or None. `b_z` is then drawn by `Chrono`, in place of
        `bias_init` and `update_bias`; the two exclude each other.
      update: "gate", or "none": the ablation without the update gate, whose state is the candidate. It needs a reset
        gate, and excludes `update_bias` and `chrono`.
      gate, activation: the functions of r and z and of n, names in `base.ACTIVATIONS` or functions; others
        than "sigmoid" and "tanh" run under plain automatic differentiation.
      kernel_init, recurrent_init, bias_init: initialisers, or their names in `INITIALIZERS`.
      learn_initial_carry: whether the first carry is a parameter, `h_0 (H,)`, instead of zeros.
      param_dtype, dtype, carry_dtype: types of the parameters, of products and outputs (None: the
        promotion of parameters and input), and of the carry (None: float32, or the wider type of `dtype` or, where
        that is None, of the parameters; inputs have no say, so that the first carry has the type of all).
    """

    hidden_size: int
    reset: str = "after"
    update_bias: float = 0.0
    chrono: int | None = None
    update: str = "gate"
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
        one_of("update", self.update, ("gate", "none"))
        base.check_memory(self, "update_bias")
        if self.update == "none":
            if self.reset == "none":
                raise ValueError("update='none' with reset='none' leaves no gate: that is VanillaRNN")
            if self.update_bias or self.chrono is not None:
                raise ValueError(
                    f"update='none' has no update gate for update_bias={self.update_bias!r}, chrono={self.chrono!r}"
                )
        base.check_fields(self)

    @property
    def has_vjp(self) -> bool:
        """Whether the sequence gradient is written by hand."""
        return self.gate == "sigmoid" and self.activation == "tanh"

    @property
    def gate_names(self) -> tuple[str, ...]:
        absent = {"r": self.reset == "none", "z": self.update == "none"}
        return tuple(gate for gate in ("r", "z", "n") if not absent.get(gate))

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_g (I, H)`, `U_g (H, H)`, `b_g (H,)` for the gates r, z, n; `c_n (H,)` for reset="after"."""
        return init_gru(self, key, input_size)

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return base.project_gates(self, params, x, self.gate_names)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates r, z, n `[..., H]`; those in `fixed` have the values given there."""
        base.check_fixed(fixed, self.gate_names)
        s = self._evaluate(params, carry, p, fixed)
        return base.narrow({gate: s[gate] for gate in self.gate_names}, p)

    def _evaluate(self, params: Params, h: Array, p: Arrays, fixed: Arrays) -> dict[str, Array]:
        """The gates, and for reset="after" `m = h U_n + c_n`."""
        g = dict(fixed)
        for gate in self.gate_names[:-1]:
            if gate not in g:
                g[gate] = base.activate(self.gate, base.widen(p[gate]) + base.recurrent(params, h, p, gate))
        if "n" not in g:
            memory, m = candidate_memory(params, h, p, self.reset, g.get("r"))
            g["n"] = base.activate(self.activation, base.widen(p["n"]) + memory)
            if m is not None:
                g["m"] = m
        return g

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """`h = z * h_prev + (1 - z) * n`, as carry and, in the gates' type, as output."""
        if self.update == "gate":
            return base.interpolate(carry, g["z"], g["n"])
        n = dtypes.cast(g["n"], carry.dtype)
        return n, dtypes.cast(n, g["n"].dtype)

    def kept(self, g: Arrays) -> Array | None:
        """The share of the old state that a step keeps: z; None without an update gate."""
        return g.get("z")

    step = base.step
    hidden = base.whole_carry

    def advance(self, params: Params, carry: Array, p: Arrays) -> tuple[Array, dict[str, Array]]:
        """h after the step; and the gates, for reset="after" also `m = h U_n + c_n`."""
        s = self._evaluate(params, carry, p, base.NOTHING_FIXED)
        s = {name: a.astype(p["n"].dtype) for name, a in s.items()}
        return self.combine(carry, s)[0], s

    def factors(self, params: Params, previous_carry: Array, next_carry: Array, s: Arrays) -> dict[str, Array]:
        """The factors of the cotangent of h: `keep` gives the previous h's, the others the pre-activations'.

        `m` gives the cotangent of `m = h U_n + c_n`. With reset="before" `r` and `memory` are factors of the cotangent
        of `r * h` instead, for the pre-activation of r and for the previous h.
        """
        del params, next_carry
        h = base.widen(previous_carry)
        s = {name: a.astype(h.dtype) for name, a in s.items()}
        n = s["n"]
        f = {"n": 1 - n * n}
        if self.update == "gate":
            new = 1 - s["z"]
            f = {"keep": s["z"], "z": new * s["z"] * (h - n), "n": new * f["n"]}
        if self.reset == "after":
            f["m"] = f["n"] * s["r"]
            f["r"] = f["m"] * s["m"] * (1 - s["r"])
        elif self.reset == "before":
            f["memory"] = s["r"]
            f["r"] = h * s["r"] * (1 - s["r"])
        return f

    def backward(self, transposed: Mapping[str, Any], f: Arrays, d: Array) -> tuple[Array, dict[str, Array]]:
        """The cotangent of h before a step, from `d [..., H]`, the one after it.

        Also returns `d` as "h", and with reset="before" the cotangent of `r * h` as "memory".
        """
        d_previous = jnp.zeros_like(d)
        if self.update == "gate":
            d_previous = d * f["keep"] + gradients.product_back(d * f["z"], transposed, "z")
        if self.reset == "before":
            memory = gradients.product_back(d * f["n"], transposed, "n")
            d_previous = d_previous + memory * f["memory"]
            return d_previous + gradients.product_back(memory * f["r"], transposed, "r"), {"h": d, "memory": memory}
        if self.reset == "none":
            return d_previous + gradients.product_back(d * f["n"], transposed, "n"), {"h": d}
        d_previous = d_previous + gradients.product_back(d * f["m"], transposed, "n")
        return d_previous + gradients.product_back(d * f["r"], transposed, "r"), {"h": d}

    def cotangents(
        self, params: Params, xs: Array, previous_carry: Array, next_carry: Array, s: Arrays, f: Arrays, k: Arrays
    ) -> tuple[dict[str, Array], Array]:
        """The cotangents of the parameters and of `xs [..., I]`, over all steps."""
        del next_carry
        dtype = dtypes.compute_dtype(self, params, xs)
        d_a = {gate: k["memory" if gate == "r" and "memory" in k else "h"] * f[gate] for gate in self.gate_names}
        d_params, d_xs = gradients.projection_cotangents(params, xs, d_a, dtype)
        if self.reset == "after":
            d_a["n"] = k["h"] * f["m"]
            d_params["c_n"] = gradients.bias_cotangent(d_a["n"])
        h = gradients.flatten_transpose(previous_carry, dtype)
        for gate in self.gate_names:
            left = (
                gradients.flatten_transpose(base.widen(s["r"]) * base.widen(previous_carry), dtype)
                if gate == "n" and self.reset == "before"
                else h
            )
            d_params[f"U_{gate}"] = gradients.kernel_cotangent(left, d_a[gate])
        return d_params, d_xs


def init_gru(cell: GRU, key: PRNGKey, input_size: int, heads: int | None = None) -> dict[str, Array]:
    """The parameters of `cell`; with `heads` recurrent kernels of blocks `(heads, H / heads, H / heads)`."""
    gates_key, bias_key, memory_key = split(key, 3)
    params = base.init_gates(cell, gates_key, input_size, cell.gate_names, heads)
    if cell.update == "gate":
        params["b_z"] = base.init_memory(cell, memory_key, params["b_z"], cell.update_bias)
    if cell.reset == "after":
        params["c_n"] = cell.bias_init(bias_key, (cell.hidden_size,), cell.param_dtype)  # type: ignore[operator]
    return params | base.init_initial_state(cell, ("h_0",))


def candidate_memory(params: Params, h: Array, p: Arrays, reset: str, r: Array | None) -> tuple[Array, Array | None]:
    """What the candidate reads of `h [..., H]` through the reset gate `r`; with reset="after" also `h U_n + c_n`.

    before: `(r * h) U_n`; after: `r * (h U_n + c_n)`; none: `h U_n`, and no `r`.
    """
    if reset == "before":
        assert r is not None
        return base.recurrent(params, r * h, p, "n"), None
    memory = base.recurrent(params, h, p, "n")
    if reset == "none":
        return memory, None
    assert r is not None
    m = memory + base.promote_rank(params["c_n"], h)
    return r * m, m
