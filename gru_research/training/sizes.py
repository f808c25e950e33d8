"""Counts the size of models, and chooses hidden sizes that match a reference."""

import functools
from collections.abc import Callable

import jax

from gru_research.config import CellConfig, ExperimentConfig
from gru_research.models import Model, count_parameters
from gru_research.types import Batch

from .build import size_unit
from .flops import count_flops

MATCH_TOLERANCE = 0.02


def count_model_flops(model: Model, example: Batch) -> int:
    """Counts the floating-point operations of one example's forward pass, at the task's length."""
    params = jax.eval_shape(model.init, jax.random.key(0), example)
    batch = {name: jax.ShapeDtypeStruct((1, *a.shape), a.dtype) for name, a in example.items()}
    return count_flops(model.apply, params, batch)


SIZES: dict[str, Callable[[Model, Batch], int]] = {"parameters": count_parameters, "flops": count_model_flops}
"""The counts that can be matched, as functions of (model, example)."""


def matched_size(
    config: ExperimentConfig,
    cell: CellConfig,
    reference: CellConfig,
    count: Callable[[CellConfig, int], int],
    warnings: list[str],
) -> int:
    """Returns the hidden size with which a cell is as large as the reference, in the count of `config.match`."""
    assert reference.hidden_size
    unit = size_unit(cell)
    wanted = count(reference, reference.hidden_size)
    counted = functools.cache(lambda units: count(cell, units * unit))  # each count traces a model
    units = nearest_size(counted, wanted, high=max(2, reference.hidden_size // unit))
    if abs((found := counted(units)) / wanted - 1) > MATCH_TOLERANCE:
        warnings.append(
            f"{cell.label} has {found:,} {config.match}, {config.reference} {wanted:,}: "
            f"more than {MATCH_TOLERANCE:.0%} apart, and no hidden size comes nearer"
        )
    return units * unit


def nearest_size(count: Callable[[int], float], wanted: float, high: int = 2) -> int:
    """Returns the hidden size, at least 1, whose `count` is nearest to `wanted`.

    `count` must grow with the size: the search doubles from `high` on, and then bisects.
    """
    low = 1
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda size: abs(count(size) - wanted))
