"""Whether a user's cell has the same maths and the same parameters at every step: then a time loop reads them once."""

from collections.abc import Callable
from typing import Any

import jax


def steady(read: Callable[[Any, Any], tuple[Any, Any]], state: Any, varying: Any) -> bool:
    """Whether `read(state, varying) -> (found, state)` finds the same at every step.

    It does where no value in `varying`, inputs and keys of a step, reaches what is found, and where the state comes
    back as it was. The arguments are trees of arrays or of their shapes and types; nothing is computed.
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
