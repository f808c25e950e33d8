"""Validators of single fields, for cells, layers, time loops and others.

Each returns the value as a Python bool, int or float, also for a NumPy scalar, so that equal descriptions compare
equal. Or it raises ValueError with one line that names the field, the value and the choices.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.types import DType

LONGEST_SHOWN = 100


def shown(value: Any) -> str:
    """The `repr` of `value` for a message: on one line, and cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def boolean(field: str, value: Any) -> bool:
    """`value` as a bool; raises ValueError where it is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{field}={shown(value)} must be True or False")
    return bool(value)


def whole(field: str, value: Any, least: int, what: str = "a whole number", most: int | None = None) -> int:
    """`value` as an int; raises ValueError where it isn't a whole number from `least` to `most`."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        allowed = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{field}={shown(value)} must be {what}, {allowed}")
    return int(value)


def number(
    field: str,
    value: Any,
    what: str = "a finite number",
    least: float = -math.inf,
    below: float = math.inf,
    above: float = -math.inf,
) -> float:
    """`value` as a float; raises ValueError where it isn't finite, at least `least`, above `above` and below `below`.

    `what` describes the allowed values in the message.
    """
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    try:
        found = float(value) if is_number else math.nan
    except OverflowError:  # an int beyond the largest float
        found = math.inf
    if not (math.isfinite(found) and least <= found < below and above < found):
        raise ValueError(f"{field}={shown(value)} must be {what}")
    return found


def rate(field: str, value: Any) -> float:
    """`value` as a float; raises ValueError where it is no dropout rate."""
    return number(field, value, "a rate: a number, at least 0 and below 1", least=0, below=1)


def one_of(field: str, value: Any, choices: Sequence[str]) -> None:
    """Raises ValueError where `value` is none of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{field}={shown(value)} is unknown; choose from {', '.join(choices)}")


def float_dtype(field: str, value: Any) -> DType:
    """`value` as a numpy dtype; raises ValueError where it isn't a floating-point type."""
    try:
        dtype = None if value is None else jnp.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{field}={shown(value)} must be a floating-point type: float32, bfloat16, float16 or float64")
    return dtype
