"""The vanilla (simple, Elman) recurrent network (Elman 1990)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base, dtypes, gradients
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros


@dataclasses.dataclass(frozen=True)
class VanillaRNN:
    """`h = activation(x W_h + b_h + h_prev U_h)`.

    With `activation="relu"` and `recurrent_init="identity"` it is the IRNN of Le, Jaitly and Hinton
    (arXiv 1504.00941).

    Attributes:
      hidden_size: H, the number of units.
      activation: "tanh", "relu", or as in `GRU`.
      kernel_init, recurrent_init, bias_init, learn_initial_carry, param_dtype, dtype, carry_dtype: as in `GRU`.
    """

    hidden_size: int
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

    @property
    def has_vjp(self) -> bool:
        """Whether the sequence gradient is written by hand."""
        return self.activation in ("tanh", "relu")

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """`W_h (I, H)`, `U_h (H, H)`, `b_h (H,)`."""
        return base.init_gates(self, key, input_size, ("h",)) | base.init_initial_state(self, ("h_0",))

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_h + b_h [..., H]`."""
        return base.project_gates(self, params, x, ("h",))

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The new state under the name h `[..., H]`, or the one in `fixed`; there is no gate."""
        base.check_fixed(fixed, ("h",))
        g = dict(fixed) or {
            "h": base.activate(self.activation, base.widen(p["h"]) + base.recurrent(params, carry, p, "h"))
        }
        return base.narrow(g, p)

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """The new state, as carry and, in its own type, as output."""
        h = g["h"].astype(carry.dtype)
        return h, h.astype(g["h"].dtype)

    step = base.step
    hidden = base.whole_carry

    def advance(self, params: Params, carry: Array, p: Arrays) -> tuple[Array, dict[str, Array]]:
        """h after the step; the gradient needs nothing else."""
        return self.combine(carry, self.gates(params, carry, p))[0], {}

    def factors(self, params: Params, previous_carry: Array, next_carry: Array, s: Arrays) -> dict[str, Array]:
        """The activation's derivative: the factor from the cotangent of h to the pre-activation's."""
        del params, previous_carry, s
        h = base.widen(next_carry)
        return {"h": 1 - h * h if self.activation == "tanh" else (h > 0).astype(h.dtype)}

    def backward(self, transposed: Mapping[str, Any], f: Arrays, d: Array) -> tuple[Array, dict[str, Array]]:
        """The cotangent of h before a step, from `d [..., H]`, the one after it; also returns the pre-activation's."""
        d_a = d * f["h"]
        return gradients.product_back(d_a, transposed, "h"), {"h": d_a}

    def cotangents(
        self, params: Params, xs: Array, previous_carry: Array, next_carry: Array, s: Arrays, f: Arrays, k: Arrays
    ) -> tuple[dict[str, Array], Array]:
        """The cotangents of the parameters and of `xs [..., I]`, over all steps."""
        del next_carry, s, f
        dtype = dtypes.compute_dtype(self, params, xs)
        d_params, d_xs = gradients.projection_cotangents(params, xs, k, dtype)
        h = gradients.flatten_transpose(previous_carry, dtype)
        return d_params | {"U_h": gradients.kernel_cotangent(h, k["h"])}, d_xs
