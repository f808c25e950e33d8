"""Compiles programs once per test file, since most of these tests train the same small config."""

import dataclasses
import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from gru_research.tasks.output_decoders import Lazy
from gru_research.training.seeds import SeedAxis


@pytest.fixture(scope="module", autouse=True)
def _programs_of_equal_functions_are_shared() -> Iterator[None]:
    """Makes functions with equal code, closures and arguments share a jitted function.

    JAX caches programs by the function's identity, and every plan makes its own functions. A test must not replace
    what a traced function calls by its global name.
    """
    spread, made = SeedAxis.shard_over_seeds, {}

    def once(self: SeedAxis, function: Callable[..., Any], *specs: PartitionSpec, donate: tuple[int, ...] = ()) -> Any:
        key = (_key(function, kept), specs, donate, self.mesh, self.batched)
        if key not in made:
            made[key] = spread(self, function, *specs, donate=donate)
        return made[key]

    kept: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SeedAxis, "shard_over_seeds", once)
        yield


def _key(value: Any, kept: list[Any]) -> Any:
    """Returns a hashable key of what a program depends on.

    Unknown objects are identified by `id`, and `kept` alive so that no other object gets the same id.
    """

    def of(inner: Any) -> Any:
        return _key(inner, kept)

    if isinstance(value, Lazy):  # a task's forms for users' inputs and answers, which no program calls
        return "later"
    if isinstance(value, functools.partial):
        return "partial", of(value.func), of(value.args), of(value.keywords)
    if isinstance(value, types.FunctionType):
        cells = tuple(of(cell.cell_contents) for cell in value.__closure__ or ())
        return value.__code__, cells, of(value.__defaults__), of(value.__kwdefaults__)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple(of(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return "mapping", tuple((name, of(inner)) for name, inner in value.items())
    if isinstance(value, tuple | list):
        return type(value), tuple(of(inner) for inner in value)
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.str, value.shape, value.tobytes()
    if value is None or isinstance(value, str | int | float | type | np.dtype | jax.ShapeDtypeStruct):
        return type(value), value
    kept.append(value)
    return "itself", id(value)
