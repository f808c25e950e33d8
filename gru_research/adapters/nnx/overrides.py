"""Whether a whole sequence can honour what a subclass of our NNX cells changes: `__call__` step after step is what
counts."""

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
    """Whether `cell` over a sequence is the functional cell that it gives for a step `x` over that sequence.

    It is for a cell of ours. For a subclass it is where `__call__` is ours, and `functional` gives the same cell and
    parameters at every step: it reads no values of its inputs, changes no state, draws nothing, and the step of the
    cell is its `project`, `gates` and `combine`.
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
