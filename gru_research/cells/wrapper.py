"""The base of cells that wrap another cell, to add noise, attention or interventions."""

import dataclasses
from typing import Any

import jax
from jax.extend import core

from gru_research.types import Array, Arrays, Carry, DType, Params

from .base import Cell, step
from .overrides import check_step


@dataclasses.dataclass(frozen=True)
class CellWrapper:
    """Takes sizes, types and h from the cell inside. Subclasses define `init`, `project`, `gates` and `combine`."""

    cell: Cell

    def __post_init__(self) -> None:
        check_step(self.cell)  # a wrapper never calls its step

    @property
    def hidden_size(self) -> int:
        return self.cell.hidden_size

    @property
    def dtype(self) -> DType | None:
        return self.cell.dtype

    @property
    def carry_dtype(self) -> DType | None:
        return self.cell.carry_dtype

    def step(self: Cell, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
        return step(self, params, carry, x)

    def hidden(self, carry: Carry) -> Array:
        return self.cell.hidden(carry)


def hidden_part(cell: Cell, carry: Any) -> int:
    """Returns the index of h among the carry's leaves. Raises ValueError where the output isn't a leaf of the carry."""
    leaves, tree = jax.tree.flatten(carry)
    names = [object() for _ in leaves]
    message = f"dropout, zoneout and silenced units need a cell whose output is a part of its carry; {cell} has another"
    try:
        h = cell.hidden(jax.tree.unflatten(tree, names))
    except (AttributeError, TypeError) as e:  # it computes with the parts
        raise ValueError(message) from e
    for part, name in enumerate(names):
        if name is h:
            return part
    raise ValueError(message)


def check_output(cell: Cell, carry: Carry, g: Arrays) -> None:
    """Raises ValueError where the output of `cell.combine(carry, g)` isn't `cell.hidden` of the new carry, cast."""

    def combine(carry: Carry, g: Arrays) -> tuple[Array, Array]:
        new, y = cell.combine(carry, g)
        return y, cell.hidden(new)

    jaxpr = jax.make_jaxpr(combine)(carry, g).jaxpr
    casts = {e.outvars[0]: e.invars[0] for e in jaxpr.eqns if e.primitive.name == "convert_element_type"}

    def source(variable: Any) -> Any:
        while isinstance(variable, core.Var) and variable in casts:
            variable = casts[variable]
        return variable

    y, h = (source(variable) for variable in jaxpr.outvars)
    if y is not h:
        raise ValueError(f"zoneout needs a cell whose output is hidden(carry); combine gives another: {cell}")
