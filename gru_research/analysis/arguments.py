"""Validators of the other arguments of analyses: numbers, flags, lags, units. A mistake is one line."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.core
import numpy as np

from gru_research.cells.checks import shown
from gru_research.cells.shapes import is_real


def numbers(field: str, value: Any) -> np.ndarray:
    """`value` in float64; raises TypeError where it isn't an array of real numbers."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as e:  # rows of several lengths, or traced
        raise TypeError(f"{field}={shown(value)} isn't an array of real numbers") from e
    if value is None or not is_real(array.dtype):
        raise TypeError(f"{field} of type {array.dtype} must be an array of real numbers")
    return array.astype(np.float64)


def flags(field: str, value: Any) -> np.ndarray:
    """`value` as booleans; raises ValueError where it holds anything but True and False, or 1 and 0."""
    array = np.asarray(value)
    if array.dtype == np.bool_:
        return array
    found = numbers(field, value)
    if not np.isin(found, (0, 1)).all():
        raise ValueError(f"{field} must be True and False, or 1 and 0; it holds {found[~np.isin(found, (0, 1))][0]:g}")
    return found.astype(bool)


def whole_numbers(value: Any) -> np.ndarray | None:
    """`value`, one number or several, as whole numbers `[N]`; None where it is anything else."""
    if isinstance(value, jax.core.Tracer | str | bytes):
        return None
    if not isinstance(value, np.ndarray | jax.Array) and isinstance(value, Iterable):
        value = list(value)
        if not value:
            return np.zeros(0, int)
        if any(isinstance(n, bool | np.bool_) for n in value):
            return None
    array = np.asarray(value)
    return np.atleast_1d(array) if array.ndim <= 1 and np.issubdtype(array.dtype, np.integer) else None


def units(field: str, value: Any, size: int) -> Any:
    """True at the units that `value` names, `[H]`: by numbers from 0 to `size - 1`, or by one True or False a unit.

    Raises ValueError where it is neither. A traced `value` must be booleans.
    """
    is_list = isinstance(value, Iterable) and not isinstance(value, np.ndarray | jax.Array)
    given: Any = list(value) if is_list else value
    by_mask = bool(np.size(given)) and (
        getattr(given, "dtype", None) == np.bool_
        or (isinstance(given, list) and all(isinstance(n, bool | np.bool_) for n in given))
    )
    if by_mask:
        if np.shape(given) != (size,):
            raise ValueError(f"{field} has the shape {np.shape(given)}; as True and False it must be ({size},)")
        return given if isinstance(given, jax.Array) else np.asarray(given)
    found = whole_numbers(value)
    if found is None or (found.size and not 0 <= found.min() <= found.max() < size):
        value = tuple(found.tolist()) if found is not None else value
        raise ValueError(f"{field}={shown(value)} must be numbers of units, 0 to {size - 1}, or {size} True and False")
    return np.isin(np.arange(size), found)
