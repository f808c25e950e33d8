"""Counts a program's floating-point operations in its jaxpr, which gives the same number on every machine."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

from gru_research.time_loop.native.primitives import IN_XLA

_FREE = frozenset(
    {
        "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "dynamic_slice", "dynamic_update_slice",
        "gather", "iota", "optimization_barrier", "pad", "reshape", "rev", "scatter", "slice", "split", "squeeze",
        "stop_gradient", "transpose",
    }
)  # fmt: skip


def count_flops(function: Callable[..., Any], *arguments: Any) -> int:
    """Counts the floating-point operations of `function(*arguments)`.

    A product of matrices (m, k) and (k, n) counts 2 m k n. Any other computation, transcendental functions included,
    counts one per element of its result. Moving and converting data is free. The body of a scan counts once per step,
    and of a `cond` the most expensive branch counts.

    Raises:
      ValueError: a loop has no known number of iterations.
    """
    return _jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _jaxpr(jaxpr: core.Jaxpr) -> int:
    return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation: core.JaxprEqn) -> int:
    name, parameters = equation.primitive.name, equation.params
    if equation.primitive in IN_XLA:  # the native engine's call counts as the operation that it implements
        operands: list[Any] = [variable.aval for variable in equation.invars]
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in operands]
        return count_flops(functools.partial(IN_XLA[equation.primitive], **parameters), *shapes)
    if name == "while":
        raise ValueError("a while loop has no known number of turns to count")
    if name == "cond":
        return max(_jaxpr(branch.jaxpr) for branch in parameters["branches"])
    inner = [jaxpr for value in parameters.values() if (jaxpr := _as_jaxpr(value)) is not None]
    if inner:  # the forward program of a custom gradient comes first; its other rules are functions
        return parameters.get("length", 1) * sum(_jaxpr(jaxpr) for jaxpr in inner)
    if name in _FREE:
        return 0
    size = sum(math.prod(_shape(output)) for output in equation.outvars)
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        return 2 * size * math.prod(_shape(equation.invars[0])[axis] for axis in contracted)
    return size


def _as_jaxpr(value: Any) -> core.Jaxpr | None:
    return value.jaxpr if isinstance(value, core.ClosedJaxpr) else value if isinstance(value, core.Jaxpr) else None


def _shape(variable: Any) -> tuple[int, ...]:
    return getattr(variable.aval, "shape", ())
