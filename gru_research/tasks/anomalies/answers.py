"""From a series in its own units to a model's inputs, and from outputs to the anomalies of the series."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.types import Batch, Params

from ..output_decoders import plain
from . import metrics, series
from .surprise import alarms, threshold


@dataclasses.dataclass(frozen=True)
class Encode:
    """A series as a model's inputs, scaled by its own first points.

    Attributes:
      learning_share: the share of the series that is for learning; at most `most` points.
      calendar: whether inputs include the calendar.
    """

    learning_share: float
    most: int | None
    calendar: bool

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [N - 1, 1 + F]`, `targets [N - 1]`, `stop`, the N points, and `start`, those for learning;
        `location` and `spread` are the scale.

        Args:
          raw: a `series.Series`, or numbers `[N]` for a run without a calendar.

        Raises:
          TypeError: other than numbers.
          ValueError: another shape, a number that isn't finite, too few points, or no times where they are needed.
        """
        given = raw if isinstance(raw, series.Series) else series.Series("", _numbers(raw))
        if self.calendar and not len(given.times):
            raise ValueError("the run was trained with times: give a table with a column of times")
        count = len(given.values)
        learning = learned_points(count, self.learning_share, self.most)
        if learning < series.LEAST or count <= learning:
            raise ValueError(
                f"the series has {count:,} points, of which {learning:,} are for learning, and {series.LEAST} "
                f"are needed there"
            )
        scaled = series.scaled(given, learning, self.calendar)
        points = scaled.inputs
        return example(points) | {
            "start": np.int32(learning),
            "stop": np.int32(count),
            "location": np.float32(scaled.mean),
            "spread": np.float32(scaled.std),
        }


def learned_points(count: int, share: float, most: int | None) -> int:
    """Returns the number of points of a series that are for learning."""
    return min(int(share * count), count if most is None else most)


def example(points: Any) -> dict[str, Any]:
    """Returns `inputs [..., T, 1 + F]` and `targets [..., T]` from points `[..., T + 1, 1 + F]`. An input has the
    calendar of its target, because the time of the next point is known."""
    return {
        "inputs": _joined(points),
        "targets": points[..., 1:, 0],
    }


def _joined(points: Any) -> Any:
    xp = np if isinstance(points, np.ndarray) else metrics.jnp
    return xp.concatenate([points[..., :-1, :1], points[..., 1:, 1:]], -1)


def _numbers(raw: Any) -> np.ndarray:
    values = np.asarray(raw)
    if values.dtype.kind not in "biuf":
        raise TypeError("the series must be numbers [N], from an array or a table")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"a series of shape {list(values.shape)} must be numbers [N]")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(f"point {int(wrong[0]) + 1} is {values[wrong[0]]}, and must be finite")
    return values.astype(np.float64)


def detect(model: Any, params: Params, batch: Batch, keys: Any, sampling: Any) -> dict[str, Any]:
    """Returns of each row the forecast `mean` and `scale` of each next value in the series' units, the `size` of its
    error in standard deviations `[B, T]`, and `start`."""
    del keys, sampling  # nothing is drawn
    outputs = model.apply(params, batch)
    mean, scale = metrics.forecast(outputs, batch["inputs"])
    location, spread = batch["location"][:, None], batch["spread"][:, None]
    return {
        "mean": mean * spread + location,
        "scale": scale * spread,
        "size": metrics.sizes(outputs, batch)["size"],
        "start": batch["start"],
    }


@dataclasses.dataclass(frozen=True)
class Decode:
    """The anomalies of a series, from the outputs of `detect`.

    Attributes:
      quiet, tail: as in `metrics.Scorer`.
    """

    quiet: float
    tail: float

    def __call__(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the anomalies of a series.

        - `anomalies`: each alarm's row, from 1, and its surprise
        - `threshold`: the surprise of an alarm
        - `first`: the first row that can be an alarm
        - `expected`, `deviation` and `surprise` of each row from the second
        """
        sizes = np.asarray(output["size"], np.float64)
        scores = metrics.of_sizes(sizes, len(sizes) + 1)
        start, least = int(output["start"]), threshold(self.tail)
        raised = alarms(scores, round(self.quiet * start))
        rows = np.flatnonzero(raised[start:] >= least) + start
        return {
            "anomalies": [{"row": int(row) + 1, "surprise": round(float(scores[row]), 2)} for row in rows],
            "threshold": least,
            "first": start + 1,
            "expected": plain(np.asarray(output["mean"])),
            "deviation": plain(np.asarray(output["scale"])),
            "surprise": plain(scores[1:].round(3)),
        }
