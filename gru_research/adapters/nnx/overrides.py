"""What a subclass of one of our cells, or an instance with a method of its own, changes, and whether a whole sequence
can honour it: `__call__` a step after another is what counts."""

import inspect
from typing import Any

import jax
from flax import nnx

from gru_research.adapters.steady import steady
from gru_research.cells.unchanged import step_change

from .cells import FunctionalCell, GRUCell, LSTMCell, OptimizedLSTMCell, SimpleCell

METHODS = ("__call__", "functional", "initialize_carry", "draws_carry", "num_feature_axes", "_read", "_dtype")
"""What the numbers of a cell depend on."""


def _of(kind: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(kind, name) for name in METHODS}


WRITTEN = {kind: _of(kind) for kind in (FunctionalCell, GRUCell, LSTMCell, OptimizedLSTMCell, SimpleCell)}
"""The methods as this package wrote them, so that one put in their place later is seen."""


def as_written(cell: Any, *names: str) -> bool:
    """Whether `cell` has the methods `names` from this package."""
    kind = next((kind for kind in type(cell).__mro__ if kind in WRITTEN), None)
    if kind is None or vars(cell).keys() & set(names):
        return False
    return all(inspect.getattr_static(type(cell), name) is WRITTEN[kind][name] for name in names)


def whole(cell: Any, x: jax.ShapeDtypeStruct) -> bool:
    """Whether `cell` over a sequence is the functional cell that it gives for a step `x` over that sequence.

    It is for a cell of ours. For a subclass it is where `__call__` is ours, and `functional` gives the same cell and
    parameters at every step: it reads no values of its inputs, changes no state, draws nothing, and the step of the cell
    is its `project`, `gates` and `combine`.
    """
    if not as_written(cell, "__call__", "num_feature_axes"):
        return False
    if type(cell) in WRITTEN and as_written(cell, *METHODS):
        return True
    graph, state = nnx.split(cell)
    equal = []

    def read(state: Any, x: Any) -> tuple[Any, Any]:
        module: Any = nnx.merge(graph, state)
        (functional, params), (again, _) = module.functional(x), module.functional(x)
        graph_after, state_after = nnx.split(module)
        equal.append(not step_change(functional) and functional == again and graph_after == graph)
        return params, state_after

    return steady(read, state, x) and equal[-1]
