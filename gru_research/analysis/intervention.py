"""What a gate or a unit is good for: the same cell with some gates held and some units silenced."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells import base, dtypes
from gru_research.cells.arguments import check_inputs
from gru_research.cells.checks import boolean
from gru_research.cells.shape_checks import check_cell, kind_of
from gru_research.cells.wrapper import CellWrapper, hidden_part
from gru_research.types import Array, ArrayLike, Arrays, Carry, Params, PRNGKey

from .arguments import units

NOTHING_HELD: Mapping[str, ArrayLike | float] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Intervened(CellWrapper):
    """A cell some of whose gates are held at values and some of whose units at numbers; made by `intervene`.

    `by_step`: its inputs have one feature more, the last, which says at which steps.

    Its parameters are `{"cell": ..., "fixed": {gate: [H]}, "silent": boolean [H], "held": [H]}`. It runs in `unroll`,
    `trace` and a `Stack` as any cell, by automatic differentiation. Its gates are the cell's and, beside them, which
    units are "silent" and the values "held".
    """

    by_step: bool = False

    def init(self, key: PRNGKey, input_size: int) -> Params:
        """The cell's, with nothing held."""
        H, params = self.hidden_size, self.cell.init(key, input_size - self.by_step)
        return {"cell": params, "fixed": {}, "silent": jnp.zeros(H, bool), "held": jnp.zeros(H)}

    def within(self, params: Params, input_size: int) -> tuple[base.Cell, Params, int]:
        """The cell inside, with its parameters and its input size."""
        if not isinstance(params, Mapping) or set(params) != {"cell", "fixed", "silent", "held"}:
            raise ValueError("params must be the parameters that intervene returned with this cell")
        return self.cell, params["cell"], input_size - self.by_step

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry:
        return self.cell.initial_carry(params["cell"], batch)

    def project(self, params: Params, x: Array) -> dict[str, Any]:
        """What the cell projects, and what is held, which every step needs."""
        x, on = (x[..., :-1], x[..., -1:] != 0) if self.by_step else (x, True)
        projected = self.cell.project(params["cell"], x)
        some = next(iter(jax.tree.leaves(projected)))
        like = jnp.zeros_like(some, shape=(*x.shape[:-1], self.hidden_size))
        held = {gate: like + jnp.asarray(value, like.dtype) for gate, value in params["fixed"].items()}
        silent = jnp.broadcast_to(params["silent"] & on, like.shape)
        projects = {"cell": projected, "fixed": held, "silent": silent, "held": like + params["held"]}
        return {**projects, "on": jnp.broadcast_to(on, like.shape)} if self.by_step else projects

    def gates(
        self, params: Params, carry: Carry, p: Mapping[str, Any], fixed: Arrays = base.NOTHING_FIXED
    ) -> dict[str, Array]:
        held = p["fixed"]
        if self.by_step and held:  # elsewhere a gate has its own value
            free = self.cell.gates(params["cell"], carry, p["cell"], fixed)
            base.check_fixed(held, tuple(free))
            held = {gate: jnp.where(p["on"], value, free[gate]) for gate, value in held.items()}
        g = self.cell.gates(params["cell"], carry, p["cell"], {**held, **fixed})
        return {**g, "silent": p["silent"], "held": p["held"]}

    def combine(self, carry: Carry, g: Arrays) -> tuple[Carry, Array]:
        inside = {name: a for name, a in g.items() if name not in ("silent", "held")}
        carry, y = self.cell.combine(carry, inside)
        silent, held = g["silent"], g["held"]
        parts, tree = jax.tree.flatten(carry)
        h = hidden_part(self.cell, carry)
        parts[h] = jnp.where(silent, held.astype(parts[h].dtype), parts[h])
        return jax.tree.unflatten(tree, parts), jnp.where(silent, held.astype(y.dtype), y)


def intervene(
    cell: base.Cell,
    params: Params,
    *,
    fixed: Mapping[str, ArrayLike | float] = NOTHING_HELD,
    silenced: Sequence[int] | ArrayLike = (),
    held: ArrayLike | float = 0.0,
    by_step: bool = False,
) -> tuple[Intervened, Params]:
    """The cell with gates held at values and units silenced, and its parameters: `gr.unroll(*intervene(...), xs)`.

    Args:
      fixed: values of gates by name, a number for all units or one a unit `[H]`: `{"r": 1.0}` takes the reset gate
        out, `{"z": mean_z}` freezes the update gate at its means.
      silenced: numbers of units, or `[H]` True at units, whose h, in the carry and as output, is `held` after every
        step. Of an LSTM that is h alone: c runs on.
      held: a number for all units or one a unit `[H]`, such as their means.
      by_step: the inputs that the new cell is run on have one feature more, the last, `[*batch, T, I + 1]`: gates and
        units are held at the steps where it isn't 0, and elsewhere the cell is whole.

    Raises:
      ValueError: a shape or a unit that the cell doesn't have; a gate that it doesn't have is named at the first step.
    """
    check_cell(cell)
    by_step = boolean("by_step", by_step)
    if not isinstance(fixed, Mapping):
        raise TypeError(f"fixed is {kind_of(fixed)}: it must be a mapping of values by the name of the gate")
    size = cell.hidden_size
    # Not wider than the parameters, from which the carry's type follows.
    dtype = dtypes.widest_type(params)

    def one_a_unit(name: str, value: Any) -> Array:
        array = check_inputs(name, value)
        if array.shape not in ((), (size,)) or array.dtype == jnp.bool_:
            of = f"of type {array.dtype}" if array.dtype == jnp.bool_ else f"has the shape {array.shape}"
            raise ValueError(f"{name} {of}; it must be a number or one a unit, ({size},)")
        return jnp.broadcast_to(array.astype(dtype), (size,))

    values = {gate: one_a_unit(f"fixed[{gate!r}]", value) for gate, value in fixed.items()}
    silent = jnp.asarray(units("silenced", silenced, size))
    here = {"cell": params, "fixed": values, "silent": silent, "held": one_a_unit("held", held)}
    return Intervened(cell, by_step), here
