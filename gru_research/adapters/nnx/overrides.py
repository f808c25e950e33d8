"""Decides whether a subclass of our NNX cells can run over a whole sequence with the results of its `__call__`."""

from typing import Any

import jax
from flax import nnx

from gru_research.adapters.overrides import OriginalMethods, steady
from gru_research.cells.overrides import why_step_overridden

from .cells import FunctionalCell, GRUCell, LSTMCell, OptimizedLSTMCell, SimpleCell

ORIGINAL = OriginalMethods(
    (FunctionalCell, GRUCell, LSTMCell, OptimizedLSTMCell, SimpleCell),
    ("__call__", "functional", "initialize_carry", "draws_carry", "num_feature_axes", "_read", "_dtype"),
)


def whole(cell: Any, x: jax.ShapeDtypeStruct) -> bool:
    """Returns whether the functional cell of `cell` for a step `x` can run a whole sequence.

    True for our cells. True for a subclass if `__call__` is ours and `functional` returns the same cell and parameters
    at every step: it reads no input values, changes no state and draws no keys, and the functional cell's step consists
    of its `project`, `gates` and `combine`.
    """
    if not ORIGINAL.holds(cell, "__call__", "num_feature_axes"):
        return False
    if cell in ORIGINAL and ORIGINAL.holds(cell):
        return True
    graph, state = nnx.split(cell)
    equal = []

    def read(state: Any, x: Any) -> tuple[Any, Any]:
        module: Any = nnx.merge(graph, state)
        (functional, params), (again, _) = module.functional(x), module.functional(x)
        graph_after, state_after = nnx.split(module)
        equal.append(not why_step_overridden(functional) and functional == again and graph_after == graph)
        return params, state_after

    return steady(read, state, x) and equal[-1]
