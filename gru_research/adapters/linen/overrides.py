"""Decides whether a subclass of our linen cells can run over a whole sequence with the results of its `__call__`."""

from typing import Any

import jax

from gru_research.adapters.overrides import OriginalMethods, steady
from gru_research.cells.overrides import why_step_overridden

from .cells import READ, FunctionalCell, GRUCell, LSTMCell, MGUCell, OptimizedLSTMCell, SimpleCell

ORIGINAL = OriginalMethods(
    (FunctionalCell, GRUCell, MGUCell, LSTMCell, OptimizedLSTMCell, SimpleCell),
    ("__call__", "functional", "parameters", "num_feature_axes"),
)


def whole(cell: Any, x: jax.ShapeDtypeStruct) -> bool:
    """Returns whether the functional cell of the bound `cell`, with its parameters for a step `x`, can run a sequence.

    True for our cells. True for a subclass if `__call__` is ours and `functional` and `parameters` return the same at
    every step: they read no input values, change no variables and draw no keys, and the functional cell's step consists
    of its `project`, `gates` and `combine`.
    """
    if not ORIGINAL.holds(cell, "__call__", "num_feature_axes"):
        return False
    if cell in ORIGINAL and ORIGINAL.holds(cell):
        return True
    module = cell.clone(parent=None, name=None, _deep_clone=True, _reset_names=True)
    key = jax.eval_shape(lambda: jax.random.key(0))
    keys = dict.fromkeys(["params", *cell.scope.rngs], key)
    variables = jax.eval_shape(lambda keys, x: module.init(keys, READ, x), keys, x)
    equal = []

    def read(variables: Any, varying: Any) -> tuple[Any, Any]:
        keys, x = varying
        (functional, params), after = module.apply(variables, READ, x, rngs=keys, mutable=True)
        (again, _), _ = module.apply(variables, READ, x, rngs=keys, mutable=True)
        equal.append(not why_step_overridden(functional) and functional == again)
        return params, after

    return steady(read, variables, (keys, x)) and equal[-1]
