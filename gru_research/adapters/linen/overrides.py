"""What a subclass of one of our cells changes, and whether a whole sequence can honour it: `__call__` a step after
another is what counts."""

import inspect
from typing import Any

import jax

from gru_research.adapters.steady import steady
from gru_research.cells.unchanged import step_change

from .cells import READ, FunctionalCell, GRUCell, LSTMCell, MGUCell, OptimizedLSTMCell, SimpleCell

METHODS = ("__call__", "functional", "parameters", "num_feature_axes")
"""What the numbers of a cell's step depend on."""


def _of(kind: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(kind, name) for name in METHODS}


WRITTEN = {kind: _of(kind) for kind in (FunctionalCell, GRUCell, MGUCell, LSTMCell, OptimizedLSTMCell, SimpleCell)}
"""The methods as this package wrote them, so that one put in their place later is seen."""


def as_written(cell: Any, *names: str) -> bool:
    """Whether `cell` has the methods `names` from this package."""
    kind = next((kind for kind in type(cell).__mro__ if kind in WRITTEN), None)
    if kind is None or vars(cell).keys() & set(names):
        return False
    return all(inspect.getattr_static(type(cell), name) is WRITTEN[kind][name] for name in names)


def whole(cell: Any, x: jax.ShapeDtypeStruct) -> bool:
    """Whether `cell`, bound, over a sequence is its functional cell with its parameters for a step `x` over that.

    It is for a cell of ours. For a subclass it is where `__call__` is ours, and `functional` and `parameters` give the
    same at every step: they read no values of their inputs, change no variables, draw nothing, and the step of the cell
    is its `project`, `gates` and `combine`.
    """
    if not as_written(cell, "__call__", "num_feature_axes"):
        return False
    if type(cell) in WRITTEN and as_written(cell, *METHODS):
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
        equal.append(not step_change(functional) and functional == again)
        return params, after

    return steady(read, variables, (keys, x)) and equal[-1]
