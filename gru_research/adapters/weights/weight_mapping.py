"""Maps a library's layer to a model's cells and array names, and checks that both compute the same function."""

import dataclasses
import difflib
import functools
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax

from gru_research.cells.overrides import STEP_PARTS, defining_class, why_overridden

from .layouts import LAYOUTS, Block, Layout

Path: TypeAlias = tuple[int | str, ...]
"""The path of a cell and of its parameters in a model: `(layer,)`, `(layer, "forward")`."""
Parts: TypeAlias = tuple[str, ...]
"""The name of an array, split into its modules and its last part."""
DIRECTIONS = ("forward", "backward")
ZERO_WHERE_ABSENT = re.compile(r"[bcp]_\w|[hc]_0")
"""Biases, peepholes and learned initial carries. A cell with zeros there computes the same as a cell without them."""


@dataclasses.dataclass(frozen=True)
class CellPlace:
    """One cell of a model.

    Attributes:
      path: the path of its parameters in the model's parameters.
      cell: the cell.
      names: the full name of each of its arrays, by the name in the table.
      input_size: the output size of the layer below; None for the first layer, whose weights determine it.
    """

    path: Path
    cell: Any
    names: dict[str, Parts]
    input_size: int | None

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        """Returns the shapes of our parameters, by name."""
        return dict(_shapes(self.cell, input_size))


@functools.lru_cache(maxsize=64)
def _shapes(cell: Any, input_size: int) -> Mapping[str, tuple[int, ...]]:
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), input_size))
    return {name: value.shape for name, value in params.items()}


@dataclasses.dataclass(frozen=True)
class WeightMapping:
    """The mapping from a library's arrays to a model's parameters.

    Attributes:
      layer, layout: the library's class and its table.
      blocks: the contents of the layer's arrays; without biases, only the kernels.
      prefix: the common prefix of the names of all its arrays.
      places: the cells, from the input upwards, forward before backward.
    """

    layer: str
    layout: Layout
    blocks: dict[str, Block]
    prefix: Parts
    places: list[CellPlace]

    @property
    def held(self) -> set[str]:
        """The names of our parameters that the arrays hold."""
        return {term.name for block in self.blocks.values() for row in block for term in row}

    def show(self, name: Parts) -> str:
        return self.layout.separator.join(name)


def map_weights(layer: str, model: Any, prefix: str | None, bias: bool) -> WeightMapping:
    """Returns the mapping. Raises ValueError if the class is unknown, or computes something else than the model."""
    if layer not in LAYOUTS:
        near = difflib.get_close_matches(str(layer), LAYOUTS, n=1, cutoff=0.3)
        nearest = f" (nearest: {near[0]})" if near else ""
        raise ValueError(f"layer={layer!r} is unknown{nearest}; choose from {', '.join(LAYOUTS)}")
    layout = LAYOUTS[layer]
    if not bias and not layout.biasless:
        raise ValueError(f"bias=False: {layer} always has biases")
    blocks = {name: block for name, block in layout.blocks.items() if bias or block[0][0].name[0] in "WU"}
    start = parts(layout.module if prefix is None else prefix)
    cells = dict(_cells(model))
    for cell in cells.values():
        _check_cell(layer, layout, cell)
    _check_structure(layer, layout, model, cells)
    places = []
    for path, cell in cells.items():
        level = next((key for key in path if isinstance(key, int)), 0)
        both, back = bool(path) and path[-1] in DIRECTIONS, path[-1:] == ("backward",)
        suffix = f"_l{level}{'_reverse' if back else ''}" if layout.several else ""
        names = {name: start + parts(name + suffix) for name in blocks}
        places.append(CellPlace(path, cell, names, cell.hidden_size * (2 if both else 1) if level else None))
    found = WeightMapping(layer, layout, blocks, start, places)
    for place in places:
        lacking = [n for n in place.shapes(1) if n not in found.held and not ZERO_WHERE_ABSENT.fullmatch(n)]
        if lacking:
            raise ValueError(f"cell={place.cell!r}: {layer} has no {', '.join(lacking)}")
        if absent := sorted(n for n in found.held if n[0] in "WU" and n not in place.shapes(1)):
            raise ValueError(f"cell={place.cell!r} has no {', '.join(absent)}, which {layer} has")
    return found


def parts(name: str) -> Parts:
    """Splits a name at "." and "/"."""
    return tuple(part for part in re.split(r"[./]", name) if part)


def children(model: Any) -> dict[Any, Any]:
    """Returns the layers or the two directions of a model; nothing for a cell."""
    if isinstance(model, Mapping) or (hasattr(model, "forward") and hasattr(model, "backward")):
        inside = model if isinstance(model, Mapping) else {key: getattr(model, key) for key in DIRECTIONS}
        if set(inside) != set(DIRECTIONS):
            raise ValueError(f"the directions of a layer are forward and backward, not {', '.join(map(str, inside))}")
        return {key: inside[key] for key in DIRECTIONS}
    return dict(enumerate(model if isinstance(model, list | tuple) else getattr(model, "cells", ())))


def _cells(model: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    below = children(model)
    if not below and not isinstance(model, list | tuple):
        return [(path, model)]
    return [found for key, child in below.items() for found in _cells(child, (*path, key))]


def _fits(layout: Layout, cell: Any) -> bool:
    return defining_class(cell, STEP_PARTS) is layout.cell and not _other_fields(layout, cell)


def _other_fields(layout: Layout, cell: Any) -> list[str]:
    return [field for field, allowed in layout.fields.items() if getattr(cell, field) not in allowed]


def _check_cell(layer: str, layout: Layout, cell: Any) -> None:
    if _fits(layout, cell):
        return
    if defining_class(cell, STEP_PARTS) is layout.cell:
        wrong = "; ".join(
            f"{field}={getattr(cell, field)!r}: {layer} has {' or '.join(map(repr, layout.fields[field]))} only"
            for field in _other_fields(layout, cell)
        )
    else:
        changed = why_overridden(cell, STEP_PARTS) if isinstance(cell, layout.cell) else ""
        wrong = f"cell={cell!r}: {layer} computes what {layout.cell.__name__} does{changed and f', and {changed}'}"
    others = [name for name, other in LAYOUTS.items() if _fits(other, cell)]
    raise ValueError(f"{wrong}. The same as the cell: {', '.join(others) or 'none that is known'}")


def _check_structure(layer: str, layout: Layout, model: Any, cells: Mapping[Path, Any]) -> None:
    """Raises ValueError unless the model has PyTorch's structure.

    All layers have the same size. Each layer reads the concatenated directions of the layer below.
    """
    if set(cells) == {()}:
        return
    if not layout.several:
        raise ValueError(f"{layer} is one layer in one direction: convert its cells one by one, with a prefix each")
    forms = {path[1:] if path and isinstance(path[0], int) else path for path in cells}
    if forms not in ({()}, {("forward",), ("backward",)}):
        raise ValueError(f"{layer} has layers of one cell each, or all of a forward and a backward cell; not {model!r}")
    if len({cell.hidden_size for cell in cells.values()}) > 1:
        raise ValueError(f"{layer} has one hidden_size in all layers and directions, not {model!r}")
    for part in (model, *children(model).values()):
        for field, only in (("merge", "concat"), ("connections", "plain")):
            if getattr(part, field, only) != only:
                raise ValueError(f"{field}={getattr(part, field)!r}: {layer} has {only!r} only")
