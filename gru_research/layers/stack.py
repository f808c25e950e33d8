"""Depth: cells on top of each other."""

import dataclasses
from collections.abc import Sequence

import jax

from gru_research.cells import Cell
from gru_research.time_loop import UnrollOptions, unroll
from gru_research.types import Array, ArrayLike, Carry, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class Stack:
    """Layers of cells: each reads the outputs of the one below over the whole sequence.

    Attributes:
      cells: from the input upwards; at least one. They may differ in kind and size.
    """

    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        cells = tuple(self.cells) if isinstance(self.cells, Sequence) else self.cells
        if not isinstance(cells, tuple) or not cells or not all(hasattr(cell, "combine") for cell in cells):
            raise ValueError(f"cells={self.cells!r} must be one or more cells, as in Stack((GRU(8), GRU(8)))")
        object.__setattr__(self, "cells", cells)

    def init(self, key: PRNGKey, input_size: int) -> list[Params]:
        """One tree of parameters a layer."""
        sizes = [input_size, *(cell.hidden_size for cell in self.cells)]
        keys = jax.random.split(key, len(self.cells))
        return [cell.init(k, size) for cell, k, size in zip(self.cells, keys, sizes, strict=False)]

    def initial_carry(self, params: Sequence[Params], batch: Sequence[int]) -> tuple[Carry, ...]:
        """One carry a layer."""
        return tuple(cell.initial_carry(p, batch) for cell, p in zip(self.cells, params, strict=True))

    def apply(
        self,
        params: Sequence[Params],
        xs: ArrayLike,
        *,
        key: PRNGKey | None = None,
        initial_carry: Sequence[Carry] | None = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        options: UnrollOptions = UnrollOptions(),
    ) -> tuple[tuple[Carry, ...], Array | None]:
        """`xs [..., T, I]` to one final carry a layer and the top layer's outputs `[..., T, H]`.

        The arguments are those of `unroll`; `options.outputs` is the top layer's. `key` would draw
        noise; a plain stack has none.
        """
        del key
        self._check_carries(initial_carry)
        inside = dataclasses.replace(options, outputs="all")
        top = len(self.cells) - 1
        carries = []
        ys = xs
        for layer, (cell, layer_params) in enumerate(zip(self.cells, params, strict=True)):
            carry, ys = unroll(
                cell,
                layer_params,
                ys,  # type: ignore[arg-type]
                initial_carry=None if initial_carry is None else initial_carry[layer],
                lengths=lengths,
                mask=mask,
                resets=resets,
                options=options if layer == top else inside,
            )
            carries.append(carry)
        return tuple(carries), ys  # type: ignore[return-value]

    def step(self, params: Sequence[Params], carry: Sequence[Carry], x: Array) -> tuple[tuple[Carry, ...], Array]:
        """One step of every layer: the new carries and the top layer's output `[..., H]`."""
        self._check_carries(carry)
        carries = []
        y = x
        for cell, layer_params, layer_carry in zip(self.cells, params, carry, strict=True):
            new, y = cell.step(layer_params, layer_carry, y)
            carries.append(new)
        return tuple(carries), y

    def _check_carries(self, carries: Sequence[Carry] | None) -> None:
        if carries is not None and len(carries) != len(self.cells):
            raise ValueError(f"initial_carry holds {len(carries)} carries; the stack has {len(self.cells)} layers")
