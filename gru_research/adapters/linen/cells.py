"""Linen cells with Flax's fields and parameters and our equations."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Final

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.linear import default_kernel_init

from gru_research.adapters.residual import ResidualRNN
from gru_research.adapters.sequence import run, step
from gru_research.cells import GRU, LSTM, VanillaRNN
from gru_research.cells.arguments import check_inputs
from gru_research.cells.dtypes import accumulation_dtype
from gru_research.cells.lstm import GATES
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, ArrayLike, Carry, DType, PRNGKey

Initializer = Callable[..., Any]
Activation = Callable[..., Any]
ZEROS = nn.initializers.zeros_init()
ONES = nn.initializers.ones_init()
RECURRENT = nn.initializers.orthogonal()


READ: Final = "read"
"""Given in place of a carry, it makes a call return the functional cell and its parameters."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WholeSequence:
    """Given in place of a carry, it makes a call run over the inputs of all steps, as `RNN` does.

    Attributes:
      carry, seq_lengths, reverse, keep_order, options: arguments of `gru_research.adapters.sequence.run`.
    """

    carry: Carry
    seq_lengths: ArrayLike | None
    reverse: bool = dataclasses.field(metadata={"static": True})
    keep_order: bool = dataclasses.field(metadata={"static": True})
    options: UnrollOptions = dataclasses.field(metadata={"static": True})

    def step(self, inputs: Array) -> Array:
        """Returns an array like one step's inputs, for a cell whose parameters don't depend on input values."""
        axis = 0 if self.options.time_major else inputs.ndim - 2
        return jnp.zeros((*inputs.shape[:axis], *inputs.shape[axis + 1 :]), inputs.dtype)


class FunctionalCell(nn.RNNCellBase):
    """Base class of our linen cells. A subclass adds its fields, `functional` and `parameters`."""

    carries: ClassVar[int] = 1
    """The number of arrays of the carry."""

    @nn.nowrap
    def functional(self) -> Any:
        """Returns the functional cell, for `gr.unroll` with the parameters from `cell.apply(variables, None, x)`."""
        raise NotImplementedError

    @nn.nowrap
    def parameters(self, inputs: ArrayLike) -> dict[str, Array]:
        """Returns the functional cell's parameters for a step's `inputs [..., I]`."""
        raise NotImplementedError

    # The only compact method, as in Flax: linen allows one per class, subclasses included.
    @nn.compact
    def __call__(self, carry: Carry | None, inputs: ArrayLike) -> Any:
        """Runs one step on `inputs [..., I]`. Returns the new carry and the output `[..., H]`.

        If `carry` is None, returns `parameters`.
        """
        if isinstance(carry, WholeSequence):
            xs = check_inputs("inputs", inputs)
            cell, params = self.functional(), self.parameters(carry.step(xs))
            order = {"reverse": carry.reverse, "keep_order": carry.keep_order}
            return run(cell, params, xs, carry.carry, carry.seq_lengths, options=carry.options, **order)
        params = self.parameters(inputs)
        if carry is None:
            return params
        cell = self.functional()
        return (cell, params) if carry is READ else step(cell, params, carry, inputs)

    @nn.nowrap
    def initialize_carry(self, rng: PRNGKey, input_shape: tuple[int, ...]) -> Carry:
        """Returns `h [..., H]`, or `(c, h)`, in float32 or wider, for a step's `input_shape` with the batch axes."""
        module: Any = self
        keys = [rng] if self.carries == 1 else jax.random.split(rng, self.carries)
        drawn = [module.carry_init(key, (*input_shape[:-1], module.features), module.param_dtype) for key in keys]
        parts = tuple(a.astype(accumulation_dtype(module.param_dtype)) for a in drawn)
        return parts if self.carries > 1 else parts[0]

    @property
    def num_feature_axes(self) -> int:
        return 1


class Parameters(nn.Module):
    """The parameters of an `nn.Dense`, without its matrix product."""

    in_features: int
    features: int
    kernel_init: Initializer
    bias_init: Initializer | None
    param_dtype: DType

    @nn.compact
    def __call__(self) -> tuple[Array, Any]:
        """Returns `kernel (I, H)` and `bias (H,)`. The bias is None if `bias_init` is None."""
        kernel = self.param("kernel", self.kernel_init, (self.in_features, self.features), self.param_dtype)
        if self.bias_init is None:
            return kernel, None
        return kernel, self.param("bias", self.bias_init, (self.features,), self.param_dtype)


class GRUCell(FunctionalCell):
    """Flax's `linen.GRUCell`; `gru_research.GRU` has the equations (reset="after").

    Parameters: `ir, iz, in: kernel (I, H), bias (H,)`, `hr, hz: kernel (H, H)`, `hn: kernel, bias`.
    """

    features: int
    gate_fn: Activation = nn.sigmoid
    activation_fn: Activation = nn.tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = RECURRENT
    bias_init: Initializer = ZEROS
    dtype: DType | None = None
    param_dtype: DType = jnp.float32
    carry_init: Initializer = ZEROS

    @nn.nowrap
    def functional(self) -> GRU:
        return GRU(self.features, **_functions(self), **_types(self))

    @nn.nowrap
    def parameters(self, inputs: ArrayLike) -> dict[str, Array]:
        params = {}
        for g in "rzn":
            params[f"W_{g}"], params[f"b_{g}"] = _from_input(self, inputs, f"i{g}", self.bias_init)
            params[f"U_{g}"], c = _from_state(self, f"h{g}", self.bias_init if g == "n" else None)
        return params | {"c_n": c}


class MGUCell(FunctionalCell):
    """Flax's `linen.MGUCell`, the minimal gated unit (Zhou et al. 2016, arXiv 1603.09420).

        f = sigmoid(x W_f + b_f + h U_f)
        n = tanh(x W_n + b_n + f * (h U_n + c_n))      reset_gate=True
        n = tanh(x W_n + b_n + h U_n)                  reset_gate=False
        h = f * h_prev + (1 - f) * n

    This is a GRU whose reset and update gates share their parameters, or a GRU without a reset gate.

    Parameters: `if, in: kernel (I, H), bias (H,)`, `hf: kernel (H, H)`, `hn: kernel`, and `bias` with `reset_gate`.
    """

    features: int
    gate_fn: Activation = nn.sigmoid
    activation_fn: Activation = nn.tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = RECURRENT
    forget_bias_init: Initializer = ONES
    activation_bias_init: Initializer = ZEROS
    dtype: DType | None = None
    param_dtype: DType = jnp.float32
    carry_init: Initializer = ZEROS
    reset_gate: bool = True

    @nn.nowrap
    def functional(self) -> GRU:
        reset = "after" if self.reset_gate else "none"
        return GRU(self.features, reset, **_functions(self), **_types(self))

    @nn.nowrap
    def parameters(self, inputs: ArrayLike) -> dict[str, Array]:
        W_f, b_f = _from_input(self, inputs, "if", self.forget_bias_init)
        W_n, b_n = _from_input(self, inputs, "in", self.activation_bias_init)
        U_f, _ = _from_state(self, "hf", None)
        U_n, c_n = _from_state(self, "hn", self.activation_bias_init if self.reset_gate else None)
        params = {"W_z": W_f, "U_z": U_f, "b_z": b_f, "W_n": W_n, "U_n": U_n, "b_n": b_n}
        return params | {"W_r": W_f, "U_r": U_f, "b_r": b_f, "c_n": c_n} if self.reset_gate else params


class LSTMCell(FunctionalCell):
    """Flax's `linen.LSTMCell`; `gru_research.LSTM` has the equations. Carry `(c, h)`.

    Parameters: `ii, if, ig, io: kernel (I, H)` and `hi, hf, hg, ho: kernel (H, H), bias (H,)`.
    """

    carries: ClassVar[int] = 2

    features: int
    gate_fn: Activation = nn.sigmoid
    activation_fn: Activation = nn.tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = RECURRENT
    bias_init: Initializer = ZEROS
    dtype: DType | None = None
    param_dtype: DType = jnp.float32
    carry_init: Initializer = ZEROS

    @nn.nowrap
    def functional(self) -> LSTM:
        return LSTM(self.features, **_functions(self), **_types(self))

    @nn.nowrap
    def parameters(self, inputs: ArrayLike) -> dict[str, Array]:
        params = {}
        for g in GATES:
            params[f"W_{g}"], _ = _from_input(self, inputs, f"i{g}", None)
            params[f"U_{g}"], params[f"b_{g}"] = _from_state(self, f"h{g}", self.bias_init)
        return params


class OptimizedLSTMCell(LSTMCell):
    """Flax's `linen.OptimizedLSTMCell`. It has the parameters of `LSTMCell`, and here both are the same cell."""


class SimpleCell(FunctionalCell):
    """Flax's `linen.SimpleCell`; `gru_research.VanillaRNN` has the equation, with `residual` `ResidualRNN`.

    Parameters: `i: kernel (I, H), bias (H,)`, `h: kernel (H, H)`.
    """

    features: int
    activation_fn: Activation = nn.tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = RECURRENT
    bias_init: Initializer = ZEROS
    dtype: DType | None = None
    param_dtype: DType = jnp.float32
    carry_init: Initializer = ZEROS
    residual: bool = False

    @nn.nowrap
    def functional(self) -> VanillaRNN | ResidualRNN:
        return (ResidualRNN if self.residual else VanillaRNN)(self.features, self.activation_fn, **_types(self))

    @nn.nowrap
    def parameters(self, inputs: ArrayLike) -> dict[str, Array]:
        W, b = _from_input(self, inputs, "i", self.bias_init)
        U, _ = _from_state(self, "h", None)
        return {"W_h": W, "U_h": U, "b_h": b}


def _functions(module: Any) -> dict[str, Any]:
    return {"gate": module.gate_fn, "activation": module.activation_fn}


def _types(module: Any) -> dict[str, Any]:
    return {"param_dtype": module.param_dtype, "dtype": module.dtype}


def _from_input(module: Any, inputs: ArrayLike, name: str, bias_init: Initializer | None) -> tuple[Array, Any]:
    size = jnp.shape(inputs)[-1]
    return Parameters(size, module.features, module.kernel_init, bias_init, module.param_dtype, name=name)()  # type: ignore[call-arg]


def _from_state(module: Any, name: str, bias_init: Initializer | None) -> tuple[Array, Any]:
    init = _drawn_wide(module.recurrent_kernel_init)
    return Parameters(module.features, module.features, init, bias_init, module.param_dtype, name=name)()  # type: ignore[call-arg]


def _drawn_wide(init: Initializer) -> Initializer:
    """Returns `init` drawn in float32 or wider, then cast: 16-bit types have no QR decomposition. Keeps metadata."""

    def init_wide(key: PRNGKey, shape: tuple[int, ...], dtype: DType) -> Any:
        return jax.tree.map(lambda a: a.astype(dtype), init(key, shape, accumulation_dtype(dtype)))

    return init_wide
