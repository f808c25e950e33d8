"""The loss and the metrics of forecasts. Values that are missing in the data are left out.

Outputs are forecasts `[B, U, C, Q]` of scaled values: U steps of C series, for each of Q quantile levels or, with Q = 1
and no levels, of the mean. A batch holds `targets [B, U, C]` and, where values may be missing, `wanted [B, U, C]`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.metrics import Metric, mean
from gru_research.types import Array, Batch

from ..application import Breakdown
from ..base import Loss

MOST_SERIES = 20
"""Up to this number of series each has a metric of its own."""
MOST_RANGES = 8
"""The largest number of ranges of steps with a metric of their own."""
Part = tuple[slice, slice]
"""Steps and series."""
ALL: Part = (slice(None), slice(None))


def point(outputs: Array) -> Array:
    """Returns the point forecast `[..., U, C]`: the median, which is in the middle of the levels, or the mean."""
    return outputs[..., outputs.shape[-1] // 2]


def ends(outputs: Any) -> tuple[Any, Any]:
    """Returns the interval between the outermost levels `[..., U, C]`. Where levels cross, they are put in order, which
    never makes the pinball loss larger (Chernozhukov et al., Econometrica 2010)."""
    return outputs.min(-1), outputs.max(-1)


def loss_of(levels: Sequence[float]) -> Loss:
    """Returns the loss: twice the mean pinball loss over levels q, or without levels the squared error.

        pinball_q(y, f) = (y - f) q          where y >= f
                          (f - y) (1 - q)    elsewhere

    Twice its mean over evenly spaced levels approximates the CRPS; at the median alone it is the absolute error.
    """
    if not levels:
        return functools.partial(_averaged, jnp.square, ALL)
    q = np.asarray(levels, np.float32)

    def pinball(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        error = batch["targets"][..., None] - outputs
        return _over_targets(2 * jnp.maximum(q * error, (q - 1) * error).mean(-1), batch)

    return pinball


def metrics_of(
    levels: Sequence[float], columns: Sequence[str], horizon: int, scales: Sequence[float]
) -> dict[str, Metric]:
    """Returns "mse" and "mae" on scaled data, "mase", and with several levels "crps" and the coverage of the interval.

    Also the mean squared error of each series and of ranges of steps, for `breakdowns_of`.

    Args:
      scales: the mean absolute error of the seasonal naive forecast within the training data, for each series, as
        scaled values. "mase" is the mean absolute error divided by them (Hyndman and Koehler 2006), over the series
        where it isn't 0.
    """
    found: dict[str, Metric] = {
        "mse": mean(functools.partial(_averaged, jnp.square, ALL), "min"),
        "mae": mean(functools.partial(_averaged, jnp.abs, ALL), "min"),
    }
    if any(scales):
        found["mase"] = mean(functools.partial(_scaled, np.asarray(scales, np.float32)), "min")
    if len(levels) > 1:
        found["crps"] = mean(loss_of(levels), "min")
        # It is best at its nominal level. The direction only decides that a seed that diverged ranks lowest.
        found[f"coverage_{nominal(levels)}"] = mean(_covered, "max")
    for name, part in (_series(columns) | _ranges(horizon)).values():
        found[name] = mean(functools.partial(_averaged, jnp.square, part), "min")
    return found


def breakdowns_of(columns: Sequence[str], horizon: int) -> dict[str, Breakdown]:
    """Returns the mean squared error by step and by series, where there are several."""
    steps, series = _ranges(horizon), _series(columns)
    found = {}
    if len(steps) > 1:
        title = "error by the number of steps ahead"
        names = {label: name for label, (name, _) in steps.items()}
        found["steps"] = Breakdown(title, "steps ahead, up to", names, "MSE of scaled values", numeric=True)
    if len(series) > 1:
        names = {label: name for label, (name, _) in series.items()}
        found["series"] = Breakdown("error by series", "series", names, "MSE of scaled values")
    return found


def nominal(levels: Sequence[float]) -> str:
    """Returns the nominal coverage of the outermost levels in per cent, as in "80"."""
    return f"{100 * (levels[-1] - levels[0]):.4g}"


def _averaged(error: Callable[[Array], Array], part: Part, outputs: Array, batch: Batch) -> tuple[Array, Array]:
    return _over_targets(error(point(outputs) - batch["targets"]), batch, part)


def _scaled(scales: np.ndarray, outputs: Array, batch: Batch) -> tuple[Array, Array]:
    series = np.flatnonzero(scales)
    errors = jnp.abs(point(outputs) - batch["targets"])[..., series] / scales[series]
    inner = {name: a[..., series] for name, a in batch.items() if name == "wanted"}
    return _over_targets(errors, inner)


def _covered(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    low, high = ends(outputs)
    inside = (low <= batch["targets"]) & (batch["targets"] <= high)
    return _over_targets(inside.astype(jnp.float32), batch)


def _over_targets(values_BUC: Array, batch: Batch, part: Part = ALL) -> tuple[Array, Array]:
    """Returns each example's mean over the targets that aren't missing, weighted by their number."""
    values = values_BUC[:, *part]
    if "wanted" not in batch:
        count = values.shape[1] * values.shape[2]
        return values.mean((1, 2)), jnp.full(len(values), count, jnp.float32)
    wanted = batch["wanted"][:, *part]
    count_B = wanted.sum((1, 2)).astype(jnp.float32)
    return jnp.where(wanted, values, 0).sum((1, 2)) / jnp.maximum(count_B, 1), count_B


def _series(columns: Sequence[str]) -> dict[str, tuple[str, Part]]:
    """Returns the metric's name and the part of each series, by its column; none for one series, or too many."""
    if not 1 < len(columns) <= MOST_SERIES:
        return {}
    return {column: (f"mse_series_{n + 1}", (slice(None), slice(n, n + 1))) for n, column in enumerate(columns)}


def _ranges(horizon: int) -> dict[str, tuple[str, Part]]:
    """Returns the metric's name and the part of each range of steps, by its last step; none for one step."""
    count = next(n for n in range(MOST_RANGES, 0, -1) if horizon % n == 0)
    if count == 1:
        return {}
    width = horizon // count
    edges = [(n * width, (n + 1) * width) for n in range(count)]
    return {str(stop): (f"mse_steps_{start + 1}_to_{stop}", (slice(start, stop), slice(None))) for start, stop in edges}


def mase_scales(train: np.ndarray, season: int) -> list[float]:
    """Returns the mean absolute difference between values `[N, C]` one season (0: one step) apart, for each series,
    over the pairs without a missing value; 0 where there is none."""
    lag = season or 1
    differences = np.abs(train[lag:] - train[:-lag])
    there = np.isfinite(differences)
    return (np.where(there, differences, 0).sum(0) / np.maximum(there.sum(0), 1)).tolist()


def errors_of(forecasts: np.ndarray, targets: np.ndarray, scales: Sequence[float]) -> Mapping[str, float]:
    """Returns the metrics of forecasts `[M, U, C]` that aren't a model's, computed in float64."""
    error = forecasts - targets
    there = np.isfinite(targets)
    found = {"mse": float(np.square(error)[there].mean()), "mae": float(np.abs(error)[there].mean())}
    series = np.flatnonzero(scales)
    if len(series):
        scaled = np.abs(error[..., series]) / np.asarray(scales)[series]
        found["mase"] = float(scaled[there[..., series]].mean())
    return found
