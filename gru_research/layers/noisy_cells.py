"""Wraps cells with the noise that acts inside the time loop: dropout on the state, and zoneout.

A mask for all steps is among the parameters, masks that differ by step are among the inputs. Neither is drawn in the
loop.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp

from gru_research.cells import base
from gru_research.cells.base import Cell
from gru_research.cells.wrapper import CellWrapper, check_output, hidden_part
from gru_research.types import Array, Arrays, Carry, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class StateDropout(CellWrapper):
    """A cell whose gates read `h * mask / (1 - rate)`; the carry itself isn't dropped.

    Its parameters are `{"cell": ..., "kept": boolean [*batch, H]}`.
    """

    parameters_by_row: ClassVar[tuple[str, ...]] = ("kept",)

    rate: float

    def init(self, key: PRNGKey, input_size: int) -> Params:
        return {"cell": self.cell.init(key, input_size), "kept": jnp.ones(self.hidden_size, bool)}

    def within(self, params: Params, input_size: int) -> tuple[Cell, Params, int]:
        """The cell inside, with its parameters and its input size."""
        return self.cell, params["cell"], input_size

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry:
        return self.cell.initial_carry(params["cell"], batch)

    def project(self, params: Params, x: Array) -> Arrays:
        return self.cell.project(params["cell"], x)

    def gates(self, params: Params, carry: Carry, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        parts, tree = jax.tree.flatten(carry)
        h = hidden_part(self.cell, carry)
        parts[h] = keep(parts[h], params["kept"], self.rate)
        return self.cell.gates(params["cell"], jax.tree.unflatten(tree, parts), p, fixed)

    def combine(self, carry: Carry, g: Arrays) -> tuple[Carry, Array]:
        return self.cell.combine(carry, g)


@dataclasses.dataclass(frozen=True)
class Zoneout(CellWrapper):
    """A cell whose carry keeps its old value at the units and steps of masks, one for each part (Krueger et al. 2017,
    arXiv 1606.01305); or the mean over such masks.

    Attributes:
      cell: the cell inside; the parameters are its own.
      rates: the probability that a unit keeps its value, for each leaf of the carry.
      sizes: for masks, the number of features that each part's mask has at the end of x: 0 or the part's size.
        None: no masks, the mean.
    """

    rates: tuple[float, ...]
    sizes: tuple[int, ...] | None = None

    def init(self, key: PRNGKey, input_size: int) -> Params:
        return self.cell.init(key, input_size - sum(self.sizes or ()))

    def within(self, params: Params, input_size: int) -> tuple[Cell, Params, int]:
        """The cell inside, with its parameters and its input size."""
        return self.cell, params, input_size - sum(self.sizes or ())

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

    def gates(self, params: Params, carry: Carry, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        masks = {name: a for name, a in p.items() if name.startswith(MASK)}
        inner = {name: a for name, a in p.items() if name not in masks}
        return self.cell.gates(params, carry, inner, fixed) | masks

    def combine(self, carry: Carry, g: Arrays) -> tuple[Carry, Array]:
        inner = {name: a for name, a in g.items() if not name.startswith(MASK)}
        check_output(self.cell, carry, inner)
        new, y = self.cell.combine(carry, inner)
        parts, tree = jax.tree.flatten(new)
        for part, (rate, old) in enumerate(zip(self.rates, jax.tree.leaves(carry), strict=True)):
            if rate and self.sizes is None:
                parts[part] = rate * old + (1 - rate) * parts[part]
            elif rate:
                parts[part] = jnp.where(g[_mask_name(part)] != 0, old, parts[part])
        carry = jax.tree.unflatten(tree, parts)
        return carry, self.cell.hidden(carry).astype(y.dtype)


MASK = "zoneout "


def _mask_name(part: int) -> str:
    return f"{MASK}{part}"


def keep(a: Array, kept: Array, rate: float) -> Array:
    """Dropout: `a / (1 - rate)` where `kept`, 0 elsewhere, NaN or not."""
    return jnp.where(kept, a / (1 - rate), 0)
