"""Finds out what a user's subclass of our Flax cells overrides, and whether that is the same at every step."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax


class OriginalMethods:
    """The methods of some classes as this package defines them, to recognise a monkeypatched one too."""

    def __init__(self, kinds: Sequence[type], methods: Sequence[str]) -> None:
        self._methods = {kind: {name: inspect.getattr_static(kind, name) for name in methods} for kind in kinds}

    def __contains__(self, cell: Any) -> bool:
        """Whether `cell` is of one of the classes, and of no subclass of theirs."""
        return type(cell) in self._methods

    def holds(self, cell: Any, *names: str) -> bool:
        """Whether `cell` has the original methods `names`; without names, all of them."""
        kind = next((kind for kind in type(cell).__mro__ if kind in self._methods), None)
        if kind is None:
            return False
        names = names or tuple(self._methods[kind])
        if vars(cell).keys() & set(names):
            return False
        return all(inspect.getattr_static(type(cell), name) is self._methods[kind][name] for name in names)

    def wrapped(self, cell: Any) -> bool:
        """Whether `__call__` was replaced by a `functools.wraps` wrapper around ours, as a summary does."""
        call = inspect.getattr_static(type(cell), "__call__")
        return not self.holds(cell, "__call__") and any(
            inspect.unwrap(call) is methods["__call__"] for methods in self._methods.values()
        )


def steady(read: Callable[[Any, Any], tuple[Any, Any]], state: Any, varying: Any) -> bool:
    """Whether `read(state, varying) -> (found, state)` returns the same `found` at every step.

    It does where `found` depends on no value in `varying`, the inputs and keys of a step, and the state comes back
    unchanged. The arguments are trees of arrays or of their shapes and types; nothing is computed.
    """
    closed, (found, after) = jax.make_jaxpr(read, return_shape=True)(state, varying)
    jaxpr, kept = closed.jaxpr, len(jax.tree.leaves(state))
    split = len(jax.tree.leaves(found))
    if jax.tree.structure(after) != jax.tree.structure(state):
        return False
    if any(a is not b for a, b in zip(jaxpr.outvars[split:], jaxpr.invars[:kept], strict=True)):
        return False
    # By identity: a literal among the arguments of an operation has no hash.
    reached = {id(variable) for variable in jaxpr.invars[kept:]}
    for equation in jaxpr.eqns:
        if any(id(variable) in reached for variable in equation.invars):
            reached.update(id(variable) for variable in equation.outvars)
    return not any(id(variable) in reached for variable in jaxpr.outvars[:split])
