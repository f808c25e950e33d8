"""NNX cells with Flax's constructors and parameters and our equations.

A cell holds its parameters in `nnx.Linear`s, as in Flax, but never calls them. A fused kernel `(I, 3H)` is split once
per call, outside the time loop.
"""

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn import dtypes

from gru_research.adapters.residual import ResidualRNN
from gru_research.adapters.sequence import step
from gru_research.cells import GRU, LSTM, VanillaRNN
from gru_research.cells.dtypes import accumulation_dtype
from gru_research.cells.lstm import GATES
from gru_research.types import Array, ArrayLike, Carry, DType, PRNGKey

from .summary import Unlisted

Initializer = Callable[..., Any]
Activation = Callable[..., Any]
Rngs = nnx.Rngs | nnx.RngStream
NO_METADATA: Mapping[str, Any] = MappingProxyType({})
ZEROS = nnx.initializers.zeros_init()
KERNEL = nnx.initializers.lecun_normal()
RECURRENT = nnx.initializers.orthogonal()


class FunctionalCell(nnx.RNNCellBase):
    """Base class of our NNX cells, with the step and the initial carry. A subclass adds only `functional`."""

    def __init_subclass__(cls, **options: Any) -> None:
        for name in ("functional", "initialize_carry"):
            if inspect.isfunction(method := vars(cls).get(name)):
                setattr(cls, name, Unlisted(method))
        super().__init_subclass__(**options)

    in_features: int
    hidden_features: int
    dtype: DType | None
    param_dtype: DType
    promote_dtype: Callable[..., Any]
    carry_init: Initializer | None
    rngs: nnx.RngStream | None
    carries = 1

    @Unlisted
    def functional(self, inputs: ArrayLike) -> tuple[Any, dict[str, Array]]:
        """Returns the functional cell, in the computation type for a step's `inputs`, and its parameters."""
        raise NotImplementedError

    def __call__(self, carry: Carry, inputs: ArrayLike) -> tuple[Carry, Array]:
        """Runs one step on `inputs [..., I]`. Returns the new carry and the output `[..., H]`."""
        cell, params = self.functional(inputs)
        return step(cell, params, carry, inputs)

    @Unlisted
    def initialize_carry(
        self, input_shape: tuple[int, ...], rngs: Rngs | None = None, carry_init: Initializer | None = None
    ) -> Carry:
        """Returns the initial carry in float32 or wider, for a step's `input_shape` with the batch axes.

        Zeros need no `rngs`. A random initialiser does, and advances the stream as in Flax.
        """
        init = carry_init or self.carry_init or ZEROS
        shape = (*input_shape[:-1], self.hidden_features)
        if init is ZEROS:
            parts = tuple(jnp.zeros(shape, accumulation_dtype(self.param_dtype)) for _ in range(self.carries))
        else:
            stream = rngs if rngs is not None else self.rngs
            stream = stream.carry if isinstance(stream, nnx.Rngs) else stream
            if stream is None:
                raise ValueError(f"rngs=None: carry_init={init!r} draws the carry, so it needs an Rngs or an RngStream")
            drawn = (init(stream(), shape, self.param_dtype) for _ in range(self.carries))
            parts = tuple(a.astype(accumulation_dtype(self.param_dtype)) for a in drawn)
        return parts if self.carries > 1 else parts[0]

    @property
    def draws_carry(self) -> bool:
        """Whether the initial carry takes random numbers."""
        return (self.carry_init or ZEROS) is not ZEROS

    @property
    def num_feature_axes(self) -> int:
        return 1

    def _set_fields(
        self,
        in_features: int,
        hidden_features: int,
        dtype: DType | None,
        param_dtype: DType,
        promote_dtype: Callable[..., Any],
        carry_init: Initializer | None,
        keep_rngs: bool,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_features, self.hidden_features = in_features, hidden_features
        self.dtype, self.param_dtype, self.promote_dtype = dtype, param_dtype, promote_dtype
        self.carry_init = carry_init
        if keep_rngs:
            warnings.warn("keep_rngs is deprecated in Flax; give rngs at the call", DeprecationWarning, stacklevel=3)
        self.rngs = rngs.carry.fork() if keep_rngs else nnx.data(None)

    def _linear(self, gates: int, init: Initializer, bias_init: Initializer | None, rngs: nnx.Rngs, **more: Any) -> Any:
        """Returns the layer with the kernels of `gates` gates, for the input or, if `recurrent`, for the state."""
        recurrent = more.pop("recurrent", False)
        return nnx.Linear(
            self.hidden_features if recurrent else self.in_features,
            gates * self.hidden_features,
            use_bias=bias_init is not None,
            kernel_init=gate_by_gate(init, gates) if recurrent else init,
            bias_init=bias_init or ZEROS,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            promote_dtype=self.promote_dtype,
            rngs=rngs,
            **more,
        )

    def _read(self, name: str) -> tuple[Array, Any]:
        """Returns kernel and bias of the linear layer `name`."""
        linear = getattr(self, name)
        if type(linear) is not nnx.Linear:
            found = type(linear).__name__
            raise ValueError(f"{name} is a {found}; this cell reads the parameters of an nnx.Linear and calls no other")
        return linear.kernel[...], None if linear.bias is None else linear.bias[...]

    def _dtype(self, inputs: ArrayLike, kernel: Array, bias: Array | None) -> DType:
        """Returns the type of a product with `inputs` under `promote_dtype`."""
        promoted = jax.eval_shape(lambda *a: self.promote_dtype(a, dtype=self.dtype), jnp.asarray(inputs), kernel, bias)
        return jnp.result_type(*jax.tree.leaves(promoted))


class GRUCell(FunctionalCell):
    """Flax's `nnx.GRUCell`; `gru_research.GRU` has the equations (reset="after").

    Args:
      in_features, hidden_features: I and H.
      hidden_bias: whether the candidate has a hidden bias, the parameter `bias_hn (H,)`. PyTorch, Keras and linen have
        it; NNX doesn't. `nnx.update` loads a state without it and leaves the bias unchanged (0 in a new cell);
        `with_hidden_bias` adds it to a state.
      The others are Flax's. `recurrent_kernel_init` draws each gate's `(H, H)` separately.

    Parameters: `dense_i: kernel (I, 3H), bias (3H,)`, `dense_h: kernel (H, 3H)`, gates in the order r, z, n.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        gate_fn: Activation = nnx.sigmoid,
        activation_fn: Activation = nnx.tanh,
        kernel_init: Initializer = KERNEL,
        recurrent_kernel_init: Initializer = RECURRENT,
        bias_init: Initializer = ZEROS,
        dtype: DType | None = None,
        param_dtype: DType = jnp.float32,
        carry_init: Initializer | None = None,
        promote_dtype: Callable[..., Any] = dtypes.promote_dtype,
        keep_rngs: bool = False,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = NO_METADATA,
        recurrent_kernel_metadata: Mapping[str, Any] = NO_METADATA,
        bias_metadata: Mapping[str, Any] = NO_METADATA,
        hidden_bias: bool = False,
    ) -> None:
        self._set_fields(in_features, hidden_features, dtype, param_dtype, promote_dtype, carry_init, keep_rngs, rngs)
        self.gate_fn, self.activation_fn = gate_fn, activation_fn
        self.dense_i = self._linear(
            3, kernel_init, bias_init, rngs, kernel_metadata=kernel_metadata, bias_metadata=bias_metadata
        )
        self.dense_h = self._linear(
            3, recurrent_kernel_init, None, rngs, recurrent=True, kernel_metadata=recurrent_kernel_metadata
        )
        self.bias_hn = nnx.data(None)
        if hidden_bias:
            self.bias_hn = nnx.Param(bias_init(rngs.params(), (hidden_features,), param_dtype), **bias_metadata)

    def functional(self, inputs: ArrayLike) -> tuple[GRU, dict[str, Array]]:
        (W, b), (U, _) = self._read("dense_i"), self._read("dense_h")
        cell = GRU(
            self.hidden_features,
            gate=self.gate_fn,
            activation=self.activation_fn,
            param_dtype=self.param_dtype,
            dtype=self._dtype(inputs, W, b),
        )
        c_n = jnp.zeros(self.hidden_features, b.dtype) if self.bias_hn is None else self.bias_hn[...]
        return cell, _by_gate("rzn", W=W, U=U, b=b) | {"c_n": c_n}


class _LSTM(FunctionalCell):
    """The constructor of both LSTM cells. A subclass adds `_make_layers` and `functional`."""

    carries = 2

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        gate_fn: Activation = nnx.sigmoid,
        activation_fn: Activation = nnx.tanh,
        kernel_init: Initializer = KERNEL,
        recurrent_kernel_init: Initializer = RECURRENT,
        bias_init: Initializer = ZEROS,
        dtype: DType | None = None,
        param_dtype: DType = jnp.float32,
        carry_init: Initializer | None = None,
        promote_dtype: Callable[..., Any] = dtypes.promote_dtype,
        keep_rngs: bool = False,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = NO_METADATA,
        recurrent_kernel_metadata: Mapping[str, Any] = NO_METADATA,
        bias_metadata: Mapping[str, Any] = NO_METADATA,
    ) -> None:
        self._set_fields(in_features, hidden_features, dtype, param_dtype, promote_dtype, carry_init, keep_rngs, rngs)
        self.gate_fn, self.activation_fn = gate_fn, activation_fn
        metadata = {"kernel_metadata": recurrent_kernel_metadata, "bias_metadata": bias_metadata}
        self._make_layers(
            lambda gates: self._linear(gates, kernel_init, None, rngs, kernel_metadata=kernel_metadata),
            lambda gates: self._linear(gates, recurrent_kernel_init, bias_init, rngs, recurrent=True, **metadata),
        )

    def _make_layers(self, from_input: Callable[[int], Any], from_state: Callable[[int], Any]) -> None:
        """Makes the linear layers by functions of the number of gates, in Flax's order: each draws the next key."""
        raise NotImplementedError

    def _lstm(self, dtype: DType) -> LSTM:
        return LSTM(
            self.hidden_features,
            gate=self.gate_fn,
            activation=self.activation_fn,
            param_dtype=self.param_dtype,
            dtype=dtype,
        )


class LSTMCell(_LSTM):
    """Flax's `nnx.LSTMCell`; `gru_research.LSTM` has the equations. Carry `(c, h)`.

    Parameters: `ii, if_, ig, io: kernel (I, H)` and `hi, hf, hg, ho: kernel (H, H), bias (H,)`.
    """

    def _make_layers(self, from_input: Callable[[int], Any], from_state: Callable[[int], Any]) -> None:
        for name in ("ii", "if_", "ig", "io"):
            setattr(self, name, from_input(1))
        for name in ("hi", "hf", "hg", "ho"):
            setattr(self, name, from_state(1))

    def functional(self, inputs: ArrayLike) -> tuple[LSTM, dict[str, Array]]:
        params = {}
        for gate in GATES:
            params[f"W_{gate}"], _ = self._read("if_" if gate == "f" else f"i{gate}")
            params[f"U_{gate}"], params[f"b_{gate}"] = self._read(f"h{gate}")
        return self._lstm(self._dtype(inputs, params["W_i"], None)), params


class OptimizedLSTMCell(_LSTM):
    """Flax's `nnx.OptimizedLSTMCell`: an `LSTMCell` with fused parameters. Here both are equally fast.

    Parameters: `dense_i: kernel (I, 4H)`, `dense_h: kernel (H, 4H), bias (4H,)`, gates in the order i, f, g, o.
    `fuse_lstm` and `split_lstm` convert between the two cells' trees.
    """

    def _make_layers(self, from_input: Callable[[int], Any], from_state: Callable[[int], Any]) -> None:
        self.dense_i, self.dense_h = from_input(4), from_state(4)

    def functional(self, inputs: ArrayLike) -> tuple[LSTM, dict[str, Array]]:
        (W, _), (U, b) = self._read("dense_i"), self._read("dense_h")
        return self._lstm(self._dtype(inputs, W, None)), _by_gate(GATES, W=W, U=U, b=b)


class SimpleCell(FunctionalCell):
    """Flax's `nnx.SimpleCell`; `gru_research.VanillaRNN` has the equation, with `residual` `ResidualRNN`.

    Parameters: `dense_i: kernel (I, H), bias (H,)`, `dense_h: kernel (H, H)`. As in Flax, `dtype` defaults to float32.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        dtype: DType | None = jnp.float32,
        param_dtype: DType = jnp.float32,
        carry_init: Initializer | None = None,
        residual: bool = False,
        activation_fn: Activation = nnx.tanh,
        kernel_init: Initializer = KERNEL,
        recurrent_kernel_init: Initializer = RECURRENT,
        bias_init: Initializer = ZEROS,
        promote_dtype: Callable[..., Any] = dtypes.promote_dtype,
        keep_rngs: bool = False,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = NO_METADATA,
        recurrent_kernel_metadata: Mapping[str, Any] = NO_METADATA,
        bias_metadata: Mapping[str, Any] = NO_METADATA,
    ) -> None:
        self._set_fields(in_features, hidden_features, dtype, param_dtype, promote_dtype, carry_init, keep_rngs, rngs)
        self.residual, self.activation_fn = residual, activation_fn
        # In Flax's order, since each layer draws the next key.
        self.dense_h = self._linear(
            1, recurrent_kernel_init, None, rngs, recurrent=True, kernel_metadata=recurrent_kernel_metadata
        )
        self.dense_i = self._linear(
            1, kernel_init, bias_init, rngs, kernel_metadata=kernel_metadata, bias_metadata=bias_metadata
        )

    def functional(self, inputs: ArrayLike) -> tuple[VanillaRNN | ResidualRNN, dict[str, Array]]:
        (W, b), (U, _) = self._read("dense_i"), self._read("dense_h")
        cell = (ResidualRNN if self.residual else VanillaRNN)(
            self.hidden_features, self.activation_fn, param_dtype=self.param_dtype, dtype=self._dtype(inputs, W, b)
        )
        return cell, {"W_h": W, "U_h": U, "b_h": b}


def gate_by_gate(init: Initializer, gates: int) -> Initializer:
    """Returns `init` for a fused kernel `(H, gates * H)`, which draws each gate's block alone, in float32 or wider.

    One orthogonal draw of the fused shape has blocks that aren't orthogonal. 16-bit types have no QR decomposition.
    """

    def init_fused(key: PRNGKey, shape: tuple[int, int], dtype: DType) -> Any:
        rows, columns = shape
        keys = [key] if gates == 1 else jax.random.split(key, gates)
        drawn = [init(k, (rows, columns // gates), accumulation_dtype(dtype)) for k in keys]
        if isinstance(drawn[0], nnx.VariableMetadata):  # from nnx.with_partitioning, the same for every gate
            value = jnp.concatenate([d.raw_value for d in drawn], axis=-1).astype(dtype)
            return dataclasses.replace(drawn[0], raw_value=value)
        return jnp.concatenate(drawn, axis=-1).astype(dtype)

    return init_fused


def _by_gate(gates: str | tuple[str, ...], **fused: Array) -> dict[str, Array]:
    """Splits arrays, whose last axis concatenates the gates, into `W_r, U_r, b_r, W_z, ...`."""
    parts = {name: jnp.split(a, len(gates), axis=-1) for name, a in fused.items()}
    return {f"{name}_{gate}": parts[name][i] for i, gate in enumerate(gates) for name in fused}
