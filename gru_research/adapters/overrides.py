"""Finds what a user's subclass of our Flax cells overrides, and whether the result is the same at every step."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax


class OriginalMethods:
    """The methods of some classes as this package defines them. Also detects monkeypatched methods."""

    def __init__(self, kinds: Sequence[type], methods: Sequence[str]) -> None:
        self._methods = {kind: {name: inspect.getattr_static(kind, name) for name in methods} for kind in kinds}

    def __contains__(self, cell: Any) -> bool:
        """Returns whether the type of `cell` is one of the classes, not a subclass."""
        return type(cell) in self._methods

    def holds(self, cell: Any, *names: str) -> bool:
        """Returns whether `cell` has the original methods `names`; without names, whether it has all of them."""
        kind = next((kind for kind in type(cell).__mro__ if kind in self._methods), None)
        if kind is None:
            return False
        names = names or tuple(self._methods[kind])
        if vars(cell).keys() & set(names):
            return False
        return all(inspect.getattr_static(type(cell), name) is self._methods[kind][name] for name in names)

    def wrapped(self, cell: Any) -> bool:
        """Returns whether a `functools.wraps` wrapper around our `__call__` replaces it, as in Flax's summaries."""
        call = inspect.getattr_static(type(cell), "__call__")
        return not self.holds(cell, "__call__") and any(
            inspect.unwrap(call) is methods["__call__"] for methods in self._methods.values()
        )


def steady(read: Callable[[Any, Any], tuple[Any, Any]], state: Any, varying: Any) -> bool:
    """Returns whether `read(state, varying) -> (found, state)` returns the same `found` at every step.

    That holds if `found` depends on no value in `varying`, a step's inputs and keys, and the state is unchanged. The
    arguments are pytrees of arrays or of `jax.ShapeDtypeStruct`s. Nothing is computed.
    """
    closed, (found, after) = jax.make_jaxpr(read, return_shape=True)(state, varying)
    jaxpr, kept = closed.jaxpr, len(jax.tree.leaves(state))
    split = len(jax.tree.leaves(found))
    if jax.tree.structure(after) != jax.tree.structure(state):
        return False
    if any(a is not b for a, b in zip(jaxpr.outvars[split:], jaxpr.invars[:kept], strict=True)):
        return False
    # Variables are compared by id: a literal among an operation's arguments has no hash.
    reached = {id(variable) for variable in jaxpr.invars[kept:]}
    for equation in jaxpr.eqns:
        if any(id(variable) in reached for variable in equation.invars):
            reached.update(id(variable) for variable in equation.outvars)
    return not any(id(variable) in reached for variable in jaxpr.outvars[:split])
