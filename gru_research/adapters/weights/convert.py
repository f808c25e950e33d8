"""Converts a library's weights to our parameters and back, by the tables in `layouts`.

The argument `cell` may be a cell, layers (a `Stack` or a list), two directions (a `Bidirectional` or a dict with
"forward" and "backward"), or layers of directions. Parameters have the same structure: a dict, a list of dicts,
`{"forward": ..., "backward": ...}`.

Results are NumPy arrays in the type of the input; `jax.tree.map(jnp.asarray, params)` puts them on the device. Values
are exact except for one addition in the arrays' type: of a library's two biases for our one, and of the 1 that Haiku's
LSTM adds to the forget gate.
"""

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.cells.containers import in_layers

from .layouts import Block, Layout, Term
from .user_weights import as_numpy, belongs, undo_call, wrong_type_message
from .weight_mapping import CellPlace, Parts, Path, WeightMapping, children, map_weights, parts


def from_library(
    layer: str, cell: Any, weights: Mapping[str, Any] | Sequence[Any], *, prefix: str | None = None, bias: bool = True
) -> Any:
    """Returns the parameters of `cell` from the weights of a library's layer.

    Args:
      layer: the library's class, a name in `LAYOUTS`.
      cell: the cell, or layers and directions of cells if the class has them (PyTorch's GRU, LSTM, RNN).
      weights: arrays by name, nested or flat (joined by "." or "/"), or a list in the library's order, as from Keras'
        `get_weights()`. Arrays are anything that NumPy can read, and PyTorch tensors, in bfloat16 and with a gradient
        too.
      prefix: the path of the layer in `weights`, as "encoder.rnn". Other arrays are ignored. None means the library's
        default name: "gru", "lstm", "vanilla_rnn" for Haiku, none elsewhere.
      bias: False for a layer without biases.

    Raises ValueError if the cell and the class compute different functions, and lists all arrays that are missing, left
    over or of another shape. Raises TypeError if `weights` are neither a mapping nor a list, such as a module.
    """
    asked = map_weights(layer, cell, prefix, bias)
    given = _by_name(asked, weights)
    expected = [name for place in asked.places for name in place.names.values()]
    problems = _names_amiss(expected, given, asked)
    arrays = _floats({name: given[name] for name in expected if name in given}, asked.show, problems)
    sizes: dict[Path, int | None] = {}
    for place in asked.places:
        sizes[place.path] = place.input_size or _input_size(asked, place, arrays)
        for name, block in asked.blocks.items():
            shape = _shape(asked.layout, block, sizes[place.path], place.cell.hidden_size)
            _check_shape(asked.show(place.names[name]), arrays.get(place.names[name]), shape, problems)
    _refuse(problems, f"the weights don't fit {layer}")
    read = {place.path: _read(asked, place, arrays, sizes[place.path]) for place in asked.places}
    return _build(cell, read.__getitem__)


def to_library(layer: str, cell: Any, params: Any, *, prefix: str | None = None, bias: bool = True) -> dict[str, Any]:
    """Returns the weights of a library's layer from parameters of `cell`. The arguments are as in `from_library`.

    The library can load the mapping, which is in its order: flat for PyTorch (`load_state_dict`), Keras
    (`set_weights(list(weights.values()))`) and Equinox, nested for Flax, one dict per module for Haiku.

    Raises ValueError as in `from_library`, and if a nonzero parameter has no counterpart in the library.
    """
    asked = map_weights(layer, cell, prefix, bias)
    problems: list[str] = []
    ours = {}
    for place in asked.places:
        ours[place.path] = _ours(asked, place, _at(params, place.path, problems), problems)
    _refuse(problems, f"the parameters don't fit {layer}")
    written = {
        place.names[name]: _write(asked.layout, block, ours[place.path])
        for place in asked.places
        for name, block in asked.blocks.items()
    }
    return _tree(asked.layout, written)


# Names


def _by_name(asked: WeightMapping, weights: Mapping[str, Any] | Sequence[Any]) -> dict[Parts, Any]:
    """Returns the arrays by full name. A list must be in the library's order."""
    if isinstance(weights, Mapping):
        return _flatten(weights)
    if not isinstance(weights, Sequence) or isinstance(weights, str):
        raise TypeError(wrong_type_message(asked.layer, weights))
    names = [name for place in asked.places for name in place.names.values()]
    if len(weights) != len(names):
        wanted = ", ".join(map(asked.show, names))
        raise ValueError(f"weights is a list of {len(weights)}; {asked.layer} has {len(names)} arrays: {wanted}")
    return dict(zip(names, weights, strict=True))


def _flatten(tree: Mapping[Any, Any], above: Parts = ()) -> dict[Parts, Any]:
    """Returns the leaves by name. Skips None (Equinox without biases)."""
    flat: dict[Parts, Any] = {}
    for key, value in tree.items():
        name = above + parts(str(key))
        inside = _flatten(value, name) if isinstance(value, Mapping) else {} if value is None else {name: value}
        for twice in flat.keys() & inside.keys():
            raise ValueError(f"weights have two entries for {'.'.join(twice)}")
        flat |= inside
    return flat


def _tree(layout: Layout, flat: Mapping[Parts, np.ndarray]) -> dict[str, Any]:
    """Returns the mapping that the library loads."""
    if layout.tree == "flat":
        return {layout.separator.join(name): array for name, array in flat.items()}
    tree: dict[str, Any] = {}
    for (*modules, last), array in flat.items():
        if layout.tree == "modules":
            if not modules:
                raise ValueError("prefix='': the parameters of a Haiku module are under its name, as 'gru'")
            modules = [layout.separator.join(modules)]
        functools.reduce(lambda node, module: node.setdefault(module, {}), modules, tree)[last] = array
    return tree


def _names_amiss(expected: Sequence[Parts], given: Mapping[Parts, Any], asked: WeightMapping) -> list[str]:
    """Returns messages on missing arrays and on arrays left over under the prefix, each with the nearest other name."""
    missing = [name for name in expected if name not in given]
    others = [name for name in given if name not in expected]
    problems = []
    if asked.layer.startswith("torch."):
        calls = {name: call for name in missing if (call := undo_call(name, given))}
        problems = [f"{asked.show(n)} is computed from others: first call {call}" for n, call in calls.items()]
        missing = [name for name in missing if name not in calls]
        others = [other for other in others if not any(belongs(other, name) for name in calls)]
    extra = [name for name in others if name[: len(asked.prefix)] == asked.prefix]
    problems += [f"{asked.show(n)} is missing{_nearest(n, others, asked.show)}" for n in missing]
    problems += [f"{asked.show(n)} is left over{_nearest(n, missing, asked.show)}" for n in extra]
    if any(name[-1].startswith("weight_hr_l") for name in extra):
        problems.append("proj_size of torch.LSTM has no counterpart here")
    lonely = {n for p in asked.places for key, n in p.names.items() if asked.blocks[key][0][0].name[0] in "bc"}
    if asked.layout.biasless and lonely and lonely == set(missing):
        problems.append(f"a layer without biases needs bias=False: from_library({asked.layer!r}, ..., bias=False)")
    return problems


def _nearest(name: Parts, others: Sequence[Parts], show: Callable[[Parts], str]) -> str:
    """Returns "(nearest: ...)" with a name that ends in `name` or that `name` ends in, or else a close match."""
    same = [show(o) for o in others if o[-len(name) :] == name or name[-len(o) :] == o]
    near = same or difflib.get_close_matches(show(name), [show(o) for o in others], n=1)
    return f" (nearest: {near[0]})" if near else ""


# Arrays


def _floats(given: Mapping[Parts, Any], show: Callable[[Parts], str], problems: list[str]) -> dict[Parts, np.ndarray]:
    """Returns the floating-point arrays. Adds the others to `problems`."""
    arrays = {}
    for name, value in given.items():
        try:
            array = as_numpy(value)
        except (TypeError, ValueError, RuntimeError) as error:
            problems.append(f"{show(name)} can't be read as a NumPy array ({' '.join(str(error).split())})")
            continue
        if jnp.issubdtype(array.dtype, jnp.floating):
            arrays[name] = array
        else:
            problems.append(f"{show(name)} has the type {array.dtype}, which isn't floating-point")
    return arrays


def _shape(layout: Layout, block: Block, input_size: int | None, size: int) -> tuple[int | str, ...]:
    """Returns the shape of a library's array. "I" marks an unknown input size."""
    kind = block[0][0].name[0]
    width = len(block[0]) * size
    if kind in "bc":
        return (width,) if len(block) == 1 else (len(block), width)
    above = sum(size for row in block if row[0].name[0] == "U")
    height: int | str = above
    if kind == "W":
        height = input_size + above if input_size is not None else f"I + {above}" if above else "I"
    return (height, width) if layout.kernels == "in_out" else (width, height)


def _input_size(asked: WeightMapping, place: CellPlace, arrays: Mapping[Parts, np.ndarray]) -> int | None:
    """Returns the input size by the input kernel's shape; None if there is no such matrix."""
    name, block = next((name, block) for name, block in asked.blocks.items() if block[0][0].name[0] == "W")
    array = arrays.get(place.names[name])
    if array is None or array.ndim != 2:
        return None
    height = array.shape[0 if asked.layout.kernels == "in_out" else 1] - place.cell.hidden_size * (len(block) - 1)
    return height if height > 0 else None


def _check_shape(name: str, array: np.ndarray | None, shape: tuple[int | str, ...], problems: list[str]) -> None:
    if array is not None and array.shape != shape:
        wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        problems.append(f"{name} has the shape {array.shape}, not {wanted}")


def _pieces(layout: Layout, block: Block, array: np.ndarray, size: int) -> list[tuple[Term, np.ndarray]]:
    """Splits an array into its terms, each with its piece: a kernel (in, out) or a bias `(H,)`."""
    kernel = block[0][0].name[0] in "WU"
    table = np.atleast_2d(array.T if kernel and layout.kernels == "out_in" else array)
    # The top row of a kernel may have the input's height; all others have the height of the units.
    heights = [size if kernel else 1] * (len(block) - 1)
    rows = np.split(table, np.cumsum([table.shape[0] - sum(heights), *heights])[:-1])
    return [
        (term, piece if kernel else piece[0])
        for terms, row in zip(block, rows, strict=True)
        for term, piece in zip(terms, np.split(row, len(terms), axis=1), strict=True)
    ]


def _read(
    asked: WeightMapping, place: CellPlace, arrays: Mapping[Parts, np.ndarray], input_size: int | None
) -> dict[str, np.ndarray]:
    """Returns the parameters of one cell from arrays of the right shapes."""
    found: dict[str, np.ndarray] = {}
    for name, block in asked.blocks.items():
        for term, piece in _pieces(asked.layout, block, arrays[place.names[name]], place.cell.hidden_size):
            value = term.read(piece)
            found[term.name] = found[term.name] + value if term.name in found else np.array(value, order="C")
    assert input_size is not None
    dtype = next(value.dtype for name, value in found.items() if name[0] == "W")
    shapes = place.shapes(input_size)
    return {name: found[name] if name in found else np.zeros(shape, dtype) for name, shape in shapes.items()}


def _write(layout: Layout, block: Block, ours: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns a library's array from the parameters of one cell."""
    kernel = block[0][0].name[0] in "WU"
    terms = [[np.atleast_2d(term.write(ours[term.name])) for term in row] for row in block]
    dtype = functools.reduce(jnp.promote_types, [piece.dtype for row in terms for piece in row])
    array = np.concatenate([np.concatenate([p.astype(dtype) for p in row], axis=1) for row in terms])
    if kernel:
        return np.ascontiguousarray(array.T if layout.kernels == "out_in" else array)
    return array[0] if len(block) == 1 else array


# Our parameters


def _at(params: Any, path: Path, problems: list[str]) -> Any:
    """Returns the parameters of the cell at `path` in a model's parameters."""
    for key in path:
        try:
            params = in_layers(params)[key] if isinstance(key, int) else params[key]
        except (KeyError, IndexError, TypeError, ValueError):
            problems.append(f"parameters have nothing at {' '.join(map(str, path))}")
            return None
    return params


def _ours(asked: WeightMapping, place: CellPlace, params: Any, problems: list[str]) -> dict[str, np.ndarray]:
    """Returns one cell's parameters as arrays.

    Adds to `problems` what is missing, left over or of another shape, and nonzero parameters without a counterpart.
    """
    if not isinstance(params, Mapping):
        problems.append(f"the parameters of {place.cell!r} are a mapping by name, not a {type(params).__name__}")
        return {}

    def show(name: Parts) -> str:
        return ".".join([*map(str, place.path), *name])

    names = place.shapes(1)
    given = {(name,): value for name, value in params.items()}
    missing = [(name,) for name in names if name not in params]
    extra = [name for name in given if name[0] not in names]
    problems += [f"{show(n)} is missing{_nearest(n, extra, show)}" for n in missing]
    problems += [f"{show(n)} is left over{_nearest(n, missing, show)}" for n in extra]
    arrays = {n[0]: a for n, a in _floats({n: v for n, v in given.items() if n not in extra}, show, problems).items()}
    kernel = next((a for name, a in arrays.items() if name[0] == "W" and a.ndim == 2), None)
    shapes = place.shapes(place.input_size or (len(kernel) if kernel is not None else 1) or 1)
    for name, array in arrays.items():
        _check_shape(show((name,)), array, shapes[name], problems)
        if name not in asked.held and np.any(array):
            largest = np.abs(array.astype(np.float64)).max()
            problems.append(f"{asked.layer} has no place for {show((name,))}, which must be 0 and has {largest:.3g}")
    return arrays


def _build(model: Any, leaf: Callable[[Path], Any], path: Path = ()) -> Any:
    """Builds a model's parameters from `leaf(path)`, the parameters of each cell."""
    below = children(model)
    if not below:
        return leaf(path)
    built = {key: _build(child, leaf, (*path, key)) for key, child in below.items()}
    return built if isinstance(next(iter(built)), str) else list(built.values())


def _refuse(problems: Sequence[str], what: str) -> None:
    if problems:
        raise ValueError(f"{what}: {'; '.join(dict.fromkeys(problems))}")
