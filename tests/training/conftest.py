"""Programs of these tests are compiled once a file: most of them train one small config again and again."""

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
    """jax knows a function by its identity, and every plan makes its own. Here functions of equal code, closures and
    arguments share a jitted one; so a test must not replace what a traced function calls by its global name."""
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
    """What a program depends on. What is not known is taken for itself, and `kept`, so that no other gets its id."""

    def of(inner: Any) -> Any:
        return _key(inner, kept)

    if isinstance(value, Lazy):  # a task's own forms, which no program calls
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
