"""Checks that a cell, its parameters, its carry and an input fit each other, before anything is traced.

A mistake is one line that names the caller's argument, in place of JAX's error about the operation that fails.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Array, Carry, Params

from .arguments import check_inputs
from .checks import shown
from .shapes import Part, is_complex, is_real, shapes

PAGE = "docs/new_cell.md says what the parts of a cell are"
PARTS = ("initial_carry", "project", "gates", "combine")
FIELDS = ("hidden_size", "dtype", "carry_dtype")


def check_cell(cell: Any, path: str = "cell") -> None:
    """Raises TypeError where `cell`, called `path` in the message, isn't a cell or lacks a method of one."""
    missing = [name for name in FIELDS if not hasattr(cell, name)]
    missing += [name for name in PARTS if not callable(getattr(cell, name, None))]
    if not missing and not isinstance(cell, type):
        return
    name = cell.__name__ if isinstance(cell, type) else type(cell).__name__
    flax = flax_api(cell)
    if flax is not None:
        says = f"is a module of flax.{flax}: gru_research.adapters.{flax}.RNN(cell) runs such a cell"
    elif isinstance(cell, type):
        says = f"is the class {name}: give an instance, as {name}(hidden_size=8)"
    elif isinstance(cell, Mapping | Sequence | np.ndarray | jax.Array):
        says = f"is {kind_of(cell)}: the arguments are (cell, params, xs)"
    elif callable(getattr(cell, "apply", None)):
        says = f"is a {name}, which runs over time by itself: use its .apply(params, xs)"
    else:
        says = f"is a {name} and has no {', '.join(missing)}; {PAGE}"
    raise TypeError(f"{path} {says}")


def check_parts(cell: Any, parts: Sequence[str], why: str) -> None:
    """Raises TypeError where `cell` lacks one of the methods `parts`, which `why` needs."""
    if missing := [name for name in parts if not callable(getattr(cell, name, None))]:
        kind = type(cell).__name__
        raise TypeError(f"cell is a {kind} and has no {', '.join(missing)}, which {why} asks for; {PAGE}")


def check_parameters(cell: Any, params: Params, shape: Sequence[Any], path: str = "params", field: str = "xs") -> None:
    """Raises ValueError where `params` aren't the parameters of `cell` for inputs of the shape `[..., I]`, TypeError
    where they are no mapping.

    `path` and `field` name the parameters and the input in the message, which states the first problem.
    """
    cell, params, size = _within(cell, params, shape[-1])
    expected = shapes(cell, size).params if isinstance(size, int) else None
    if expected is None:
        return
    problem = next(_differences(path, expected, params), None)
    if problem is None:
        return
    described = describe(cell)
    if isinstance(problem, TypeError):
        raise TypeError(f"{problem}; {described} has {_listed(expected)}")
    other = _other_input_size(cell, size, params)
    if other is not None:
        raise ValueError(
            f"{field} has the shape {tuple(shape)}; its last axis must be {other}, as the parameters have it"
        )
    raise ValueError(f"{problem}; {described} with inputs of {size} features has {_listed(expected)}")


def check_tree(path: str, expected: Mapping[str, tuple[int, ...]], given: Any) -> None:
    """Raises ValueError or TypeError where `given` aren't arrays of the names and shapes `expected`."""
    wanted = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in expected.items()}
    problem = next(_differences(path, wanted, given), None)
    if problem is not None:
        raise type(problem)(f"{problem}; it has {_listed(wanted)}")


def check_carry(cell: Any, params: Params, carry: Carry, x: Array) -> Carry:
    """`carry` for a step of `cell` from inputs `x [*batch, I]`, with floating-point leaves where the cell has them.

    Raises ValueError where it has another structure, other shapes or another batch than `x`.
    """
    cell, _, size = _within(cell, params, x.shape[-1])
    expected = shapes(cell, size).carry if isinstance(size, int) else None
    if expected is None:
        return carry
    batch = x.shape[:-1]
    parts, tree = jax.tree.flatten(expected)
    wanted = [(*batch, *part.tail) if part.batched else part.tail for part in parts]
    leaves, own_tree = jax.tree.flatten(carry)
    if own_tree != tree or [np.shape(a) for a in leaves] != wanted:
        found = jax.tree.map(np.shape, carry)
        said = "with inputs" if not batch else f"with the batch {batch} of the inputs"
        raise ValueError(
            f"carry has the shapes {shown(found)}; {said} it must have {shown(jax.tree.unflatten(tree, wanted))}"
        )
    return jax.tree.unflatten(tree, [_of_kind(a, part) for a, part in zip(leaves, parts, strict=True)])


def _of_kind(a: Any, part: Part) -> Array:
    """A part of a carry, whole numbers where the cell has those, else floating-point ones."""
    a = a if isinstance(a, jax.Array) else jnp.asarray(a)
    if part.is_float:
        return a if jnp.issubdtype(a.dtype, jnp.inexact) else a.astype(jnp.float32)
    return as_type("carry", a, a.dtype if jnp.issubdtype(a.dtype, jnp.integer) else part.dtype)


def as_type(field: str, value: Any, dtype: Any) -> Array:
    """A part of a carry in the type `dtype`; raises TypeError where it holds no numbers, ValueError where it has
    fractions and whole numbers are asked for."""
    array = jnp.asarray(value) if is_complex(dtype) else check_inputs(field, value)
    if jnp.issubdtype(array.dtype, jnp.inexact) and not jnp.issubdtype(dtype, jnp.inexact):
        raise ValueError(f"{field} has a part of type {array.dtype}; it must be {dtype}, as in initial_carry")
    return array.astype(dtype)


def describe(cell: Any) -> str:
    """The constructor call of the cell, with the fields that differ from their defaults."""
    if not dataclasses.is_dataclass(cell):
        return type(cell).__name__
    values = [(f.name, getattr(cell, f.name), f.default) for f in dataclasses.fields(cell) if f.repr]
    said = [
        f"{name}={value if isinstance(value, np.dtype) else shown(value)}"
        for name, value, default in values
        if value != default
    ]
    return f"{type(cell).__name__}({', '.join(said)})"


def _within(cell: Any, params: Any, size: Any) -> tuple[Any, Any, Any]:
    """The innermost cell of a wrapper, with its parameters and input size; a plain cell with the given ones."""
    while callable(getattr(cell, "within", None)):
        cell, params, size = cell.within(params, size)
    return cell, params, size


def _differences(path: str, expected: Any, given: Any) -> Iterator[Exception]:
    """Yields an error for each difference between `given` and the shapes `expected`."""
    if isinstance(expected, Mapping):
        if not isinstance(given, Mapping):
            yield TypeError(f"{path} is {kind_of(given)}: it must be a mapping of arrays by name")
            return
        if missing := [name for name in expected if name not in given]:
            also = [name for name in given if name not in expected]
            instead = f" but {', '.join(map(str, also))}" if also else ""
            yield ValueError(f"{path} has no {', '.join(missing)}{instead}")
        elif surplus := [name for name in given if name not in expected]:
            yield ValueError(f"{path} has {', '.join(map(str, surplus))}, which nothing reads")
        else:
            for name, part in expected.items():
                a = given[name]
                if getattr(a, "shape", None) == getattr(part, "shape", ()) and is_real(getattr(a, "dtype", None)):
                    continue  # as nearly always, and a step outside jit should cost little
                yield from _differences(f"{path}[{name!r}]", part, a)
    elif isinstance(expected, list | tuple) and isinstance(given, list | tuple):
        if len(expected) != len(given):
            yield ValueError(f"{path} holds {len(given)} parts instead of {len(expected)}")
        for i, (part, other) in enumerate(zip(expected, given, strict=False)):
            yield from _differences(f"{path}[{i}]", part, other)
    elif isinstance(expected, jax.ShapeDtypeStruct):
        yield from _leaf_differences(path, expected, given)


def _leaf_differences(path: str, expected: jax.ShapeDtypeStruct, given: Any) -> Iterator[Exception]:
    shape = getattr(given, "shape", None)
    if shape is None and np.isscalar(given) and not isinstance(given, str):
        shape = ()
    if shape is None:
        yield ValueError(f"{path} is {kind_of(given)} instead of an array {expected.shape}")
    elif tuple(shape) != expected.shape:
        yield ValueError(f"{path} has the shape {tuple(shape)} instead of {expected.shape}")
    else:
        dtype = getattr(given, "dtype", np.result_type(given) if np.isscalar(given) else None)
        fits = dtype is None or is_real(dtype) or dtype == expected.dtype
        if not fits and not (is_complex(dtype) and is_complex(expected.dtype)):
            yield ValueError(f"{path} of type {dtype} must be of real numbers")


def _other_input_size(cell: Any, size: int, params: Any) -> int | None:
    """The number of input features that `params` fit; None where they fit none."""
    sizes: set[Any] = set()
    here, next_one = shapes(cell, size).params, shapes(cell, size + 1).params
    for path, leaf in jax.tree_util.tree_leaves_with_path(here):
        try:
            other, given = (functools.reduce(lambda tree, key: tree[_name(key)], path, t) for t in (next_one, params))
            axes = [i for i, (a, b) in enumerate(zip(leaf.shape, other.shape, strict=True)) if a != b]
            sizes |= {given.shape[i] for i in axes}
        except (AttributeError, LookupError, TypeError, ValueError):  # another structure
            return None
    if len(sizes) != 1 or not isinstance(found := sizes.pop(), int) or found == size:
        return None
    expected = shapes(cell, found).params
    return found if expected is not None and next(_differences("", expected, params), None) is None else None


def _name(key: Any) -> Any:
    return key.key if isinstance(key, jax.tree_util.DictKey) else key.idx


def _listed(expected: Any) -> str:
    leaves = jax.tree_util.tree_leaves_with_path(expected)
    names = ((jax.tree_util.keystr(path, simple=True, separator="."), leaf.shape) for path, leaf in leaves)
    return ", ".join(f"{name} {shape}" for name, shape in names) or "no parameters"


def kind_of(value: Any) -> str:
    """The kind of `value`, in words."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array {value.shape}"
    return f"a {type(value).__name__}"


def flax_api(cell: Any) -> str | None:
    """ "nnx" or "linen" where `cell` is a module of Flax's, or a class of them; else None."""
    kind = cell if isinstance(cell, type) else type(cell)
    modules = [base.__module__ for base in kind.__mro__]
    return next((api for api in ("nnx", "linen") if any(m.startswith(f"flax.{api}.") for m in modules)), None)
