"""Describes a call of the native engine: its kernel, operands and results."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells import GRU, LSTM, VanillaRNN
from gru_research.cells.overrides import SEQUENCE_GRADIENT, defining_class
from gru_research.types import Array, Carry, Params

KINDS = ("gru_after", "gru_before", "gru_none", "lstm", "lstm_peepholes", "rnn_tanh", "rnn_relu")
"""In the order of the engine's `Kind`."""
KEPT = {"gru_after": 4, "gru_before": 3, "gru_none": 2, "lstm": 5, "lstm_peepholes": 5}
"""The number of values that forward keeps of each unit and step for the gradient."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """The static description of a call.

    Attributes:
      cell: the cell, which has a kernel.
      batch_major: whether inputs and outputs are `[layers, B, T, ...]`, not `[layers, T, B, ...]`.
      real, resets: whether these streams are among the operands.
    """

    cell: Any
    reverse: bool
    batch_major: bool
    real: bool
    resets: bool

    @property
    def kind(self) -> str:
        kind = kernel_of(self.cell)
        assert kind is not None
        return kind

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters in the order of the operands."""
        gates = getattr(self.cell, "gate_names", ("h",))
        more = {"gru_after": ("c_n",), "lstm_peepholes": ("p_i", "p_f", "p_o")}.get(self.kind, ())
        return (*(f"{array}_{gate}" for array in "WUb" for gate in gates), *more)

    @property
    def parts(self) -> int:
        """How many arrays the carry has."""
        return 2 if isinstance(self.cell, LSTM) else 1

    def sizes(self, xs: Any, carry: Any) -> tuple[int, int, int, int, int]:
        """The numbers of layers, steps, rows, inputs and units."""
        layers, rows, units = carry.shape
        steps = xs.shape[2 if self.batch_major else 1]
        return layers, steps, rows, xs.shape[-1], units

    def over_time(self, layers: int, steps: int, rows: int, features: int) -> tuple[int, ...]:
        return (layers, rows, steps, features) if self.batch_major else (layers, steps, rows, features)

    def operands(
        self, params: Params, reset_carry: Carry, carry: Carry, xs: Array, real: Any, reset_before: Any
    ) -> list[Array]:
        """Operands in the order of the engine."""
        streams = [real] if self.real else []
        streams += [reset_before, *jax.tree.leaves(reset_carry)] if self.resets else []
        return [xs, *jax.tree.leaves(carry), *(params[name] for name in self.names), *streams]

    def arguments(self, operands: Any) -> tuple[Params, Carry, Carry, Array, Any, Any]:
        """`params, reset_carry, carry, xs, real, reset_before` from operands; without resets `reset_carry` is zeros."""
        xs, *rest = operands
        carry, rest = rest[: self.parts], rest[self.parts :]
        params, rest = dict(zip(self.names, rest, strict=False)), rest[len(self.names) :]
        real, rest = (rest[0], rest[1:]) if self.real else (None, rest)
        reset_before, reset_carry = (rest[0], rest[1:]) if self.resets else (None, [jnp.zeros_like(a) for a in carry])
        pack = tuple if self.parts > 1 else (lambda parts: parts[0])
        return params, pack(reset_carry), pack(carry), xs, real, reset_before


def kernel_of(cell: Any) -> str | None:
    """The kernel of the cell; None where there is none, or where a subclass or instance overrides the cell's maths."""
    cls = defining_class(cell, SEQUENCE_GRADIENT)
    if cls is GRU:
        plain = cell.gate == "sigmoid" and cell.activation == "tanh" and cell.update == "gate"
        return f"gru_{cell.reset}" if plain else None
    if cls is LSTM:
        plain = cell.gate == "sigmoid" and cell.activation == "tanh" and cell.without == "nothing"
        return ("lstm_peepholes" if cell.peepholes else "lstm") if plain else None
    if cls is VanillaRNN:
        return f"rnn_{cell.activation}" if cell.activation in ("tanh", "relu") else None
    return None


def forward_shapes(layer: Layer, ys: bool, record: bool, xs: Any, carry: Any) -> list[tuple[int, ...]]:
    layers, steps, rows, _, units = layer.sizes(xs, carry)
    shapes: list[tuple[int, ...]] = [carry.shape] * layer.parts
    if ys:
        shapes.append(layer.over_time(layers, steps, rows, units))
    if record and layer.kind in KEPT:
        shapes.append((layers, steps * rows * units * KEPT[layer.kind]))
    return shapes


def backward_shapes(layer: Layer, d_x: bool, operands: Any) -> list[tuple[int, ...]]:
    xs, carry = operands[0], operands[1]
    layers, steps, rows, inputs, _ = layer.sizes(xs, carry)
    params = operands[1 + layer.parts : 1 + layer.parts + len(layer.names)]
    reset_carries = [carry.shape] * layer.parts if layer.resets else []
    xs_shape = [layer.over_time(layers, steps, rows, inputs)] if d_x else []
    return [*xs_shape, *[carry.shape] * layer.parts, *(a.shape for a in params), *reset_carries]


def differentiable(layer: Layer, count: int, d_x: bool) -> list[int]:
    """The places of the operands that `backward_p` gives cotangents of, in its order."""
    floats = 1 + layer.parts + len(layer.names)
    reset_carries = range(count - layer.parts, count) if layer.resets else ()
    return [*range(0 if d_x else 1, floats), *reset_carries]


def split_backward(layer: Layer, operands: Any) -> tuple[list[Any], list[Any]]:
    """A backward call's operands: forward's, and the cotangents of its results."""
    forward = 1 + layer.parts + len(layer.names) + layer.real + (1 + layer.parts if layer.resets else 0)
    given = forward + 1 + (layer.kind in KEPT)
    return list(operands[:forward]), list(operands[given:])
