"""Collects the forecasts of a few test windows, for the report's figures."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from gru_research.types import Params

from .answers import Decode
from .series import split_windows

WINDOWS = 3
SERIES = 3
BEFORE = 2
"""The most steps shown before a forecast, as a multiple of the horizon."""


def collect(
    decode: Decode, look_back: int, masked: bool, model: Any, params: Params, test: Mapping[str, np.ndarray], kept: Any
) -> dict[str, np.ndarray]:
    """Returns W test windows and their forecasts for K series, evenly spaced with the last one among them, in the
    series' units.

    `windows [W]` and `series [K]` are their positions; `before [W, P, K]` and `after [W, U, K]` are the values around
    the start of a forecast, NaN where one is missing; `forecast`, and with several levels `low` and `high`, are
    `[W, U, K]`.
    """
    del kept
    places = _spaced(len(test["windows"]), WINDOWS)
    values = np.ascontiguousarray(test["windows"][places])
    outputs = jax.jit(lambda params, batch: model.apply(params, split_windows(look_back, masked, batch)))(
        params, {"windows": values}
    )
    original = decode.scale.original(values)
    before = original[:, :look_back][:, -BEFORE * (values.shape[1] - look_back) :]
    series = _spaced(values.shape[2], SERIES)
    arrays = {"before": before, "after": original[:, look_back:], **decode.arrays(outputs)}
    return {"windows": places, "series": series, **{name: array[..., series] for name, array in arrays.items()}}


def _spaced(count: int, most: int) -> np.ndarray:
    """Returns up to `most` positions out of `count`, evenly spaced, the last one among them."""
    return np.unique(np.linspace(count - 1, 0, min(most, count)).round().astype(np.int64))
