"""What cells around a cell share: those that add noise or hold gates, and leave the rest to the cell inside."""

import dataclasses
from typing import Any

import jax

from gru_research.types import Array, Carry, DType, Params

from .base import Cell, step


@dataclasses.dataclass(frozen=True)
class Around:
    """Sizes, types and h are those of the cell inside; `init`, `project`, `gates` and `combine` are what it isn't."""

    cell: Cell

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
    """Which leaf of the carry is h. Raises ValueError where the cell's output isn't a part of its carry."""
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
