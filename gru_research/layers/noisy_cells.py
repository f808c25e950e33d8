"""Cells around a cell, for the noise that acts inside the time loop: dropout on the state, and zoneout.

A mask that holds for all steps rides in the parameters, masks that differ by step in the inputs: neither is
drawn in the loop.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells import base
from gru_research.types import Array, Carry, DType, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class StateDropout:
    """The cell whose gates read `h * mask / (1 - rate)`; what the carry keeps is whole.

    Its parameters are `{"cell": ..., "kept": boolean [*batch, H]}`.
    """

    cell: base.Cell
    rate: float

    @property
    def hidden_size(self) -> int:
        return self.cell.hidden_size

    @property
    def dtype(self) -> DType | None:
        return self.cell.dtype

    @property
    def carry_dtype(self) -> DType | None:
        return self.cell.carry_dtype

    def init(self, key: PRNGKey, input_size: int) -> Params:
        return {"cell": self.cell.init(key, input_size), "kept": jnp.ones(self.hidden_size, bool)}

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry:
        return self.cell.initial_carry(params["cell"], batch)

    def project(self, params: Params, x: Array) -> Mapping[str, Array]:
        return self.cell.project(params["cell"], x)

    def gates(
        self, params: Params, carry: Carry, p: Mapping[str, Array], fixed: Mapping[str, Array] = base.NOTHING_FIXED
    ) -> dict[str, Array]:
        parts, tree = jax.tree.flatten(carry)
        h = hidden_part(self.cell, carry)
        parts[h] = keep(parts[h], params["kept"], self.rate)
        return self.cell.gates(params["cell"], jax.tree.unflatten(tree, parts), p, fixed)

    def combine(self, carry: Carry, g: Mapping[str, Array]) -> tuple[Carry, Array]:
        return self.cell.combine(carry, g)

    def step(self, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
        return base.step(self, params, carry, x)

    def hidden(self, carry: Carry) -> Array:
        return self.cell.hidden(carry)


@dataclasses.dataclass(frozen=True)
class Zoneout:
    """The cell whose carry, part by part, keeps its old value at the units and steps of a mask (Krueger et al.
    2017, arXiv 1606.01305), or the mean over such masks.

    Attributes:
      cell: the cell inside; the parameters are its own.
      rates: how likely a unit of each part of the carry, in the order of its leaves, is kept.
      sizes: for masks, the number of features that each part's mask has at the end of x: 0 or the part's size.
        None: no masks, the mean.
    """

    cell: base.Cell
    rates: tuple[float, ...]
    sizes: tuple[int, ...] | None = None

    @property
    def hidden_size(self) -> int:
        return self.cell.hidden_size

    @property
    def dtype(self) -> DType | None:
        return self.cell.dtype

    @property
    def carry_dtype(self) -> DType | None:
        return self.cell.carry_dtype

    def init(self, key: PRNGKey, input_size: int) -> Params:
        return self.cell.init(key, input_size - sum(self.sizes or ()))

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry:
        return self.cell.initial_carry(params, batch)

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        end = x.shape[-1] - sum(self.sizes or ())
        p = dict(self.cell.project(params, x[..., :end]))
        for part, size in enumerate(self.sizes or ()):
            if size:
                p[_mask_name(part)] = x[..., end : end + size]
                end += size
        return p

    def gates(
        self, params: Params, carry: Carry, p: Mapping[str, Array], fixed: Mapping[str, Array] = base.NOTHING_FIXED
    ) -> dict[str, Array]:
        masks = {name: a for name, a in p.items() if name.startswith(MASK)}
        inner = {name: a for name, a in p.items() if name not in masks}
        return self.cell.gates(params, carry, inner, fixed) | masks

    def combine(self, carry: Carry, g: Mapping[str, Array]) -> tuple[Carry, Array]:
        new, y = self.cell.combine(carry, {name: a for name, a in g.items() if not name.startswith(MASK)})
        parts, tree = jax.tree.flatten(new)
        for part, (rate, old) in enumerate(zip(self.rates, jax.tree.leaves(carry), strict=True)):
            if rate and self.sizes is None:
                parts[part] = rate * old + (1 - rate) * parts[part]
            elif rate:
                parts[part] = jnp.where(g[_mask_name(part)] != 0, old, parts[part])
        carry = jax.tree.unflatten(tree, parts)
        return carry, self.cell.hidden(carry).astype(y.dtype)

    def step(self, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
        return base.step(self, params, carry, x)

    def hidden(self, carry: Carry) -> Array:
        return self.cell.hidden(carry)


MASK = "zoneout "


def _mask_name(part: int) -> str:
    return f"{MASK}{part}"


def keep(a: Array, kept: Array, rate: float) -> Array:
    """Dropout: `a / (1 - rate)` where `kept`, 0 elsewhere, NaN or not."""
    return jnp.where(kept, a / (1 - rate), 0)


def hidden_part(cell: base.Cell, carry: Any) -> int:
    """Which leaf of the carry is h. Raises ValueError where the cell's output isn't a part of its carry."""
    leaves, tree = jax.tree.flatten(carry)
    names = [object() for _ in leaves]
    message = f"dropout on the state and zoneout need a cell whose output is a part of its carry; {cell} has another"
    try:
        h = cell.hidden(jax.tree.unflatten(tree, names))
    except (AttributeError, TypeError) as e:  # it computes with the parts
        raise ValueError(message) from e
    for part, name in enumerate(names):
        if name is h:
            return part
    raise ValueError(message)
