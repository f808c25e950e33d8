"""Series with their anomalies, and the arrays of training, validation and test that are made of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs, load, nab

VALIDATION_SHARE = 0.2
"""The end of the points for learning that is for validation."""
CLIPPED = 20.0
"""The greatest scaled value, in standard deviations: a spike beyond it is as surprising, and doesn't fill the state."""
STARTS = 50
"""Training windows begin at every 50th part of a window, so that a short series has enough of them for a batch."""
LEAST = 20
"""The fewest points of a series for learning."""
DAY = 86_400.0
_SMALL = 1e-12


@dataclasses.dataclass(frozen=True)
class Series:
    """A series.

    Attributes:
      name: of the series or of its file.
      values: `[N]`.
      times: `[N]`, seconds since 1970; () if they are unknown.
      windows: the first and last point of each anomaly, in order; None if they are unknown.
    """

    name: str
    values: np.ndarray
    times: np.ndarray | tuple[()] = ()
    windows: Sequence[tuple[int, int]] | None = None


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A series as a model sees it.

    Attributes:
      inputs: `[N, 1 + F]`: the value, scaled by mean and standard deviation of the points for learning, and F numbers
        of the calendar.
      mean, std: the scale.
    """

    inputs: np.ndarray
    mean: float
    std: float

    def original(self, values: np.ndarray) -> np.ndarray:
        return values * self.std + self.mean


def of_nab(dirs: DataDirs) -> list[Series]:
    """Returns the 58 series of the benchmark."""
    points = load("nab", dirs)["points"]
    found = []
    for number, name in enumerate(nab.SERIES):
        rows = points["series"] == number
        windows = points["window"][rows]
        found.append(Series(name, points["value"][rows], points["time"][rows].astype(np.int64), runs(windows)))
    return found


def runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    """Returns the first and last place of each run of one number other than 0."""
    starts = np.flatnonzero(np.diff(numbers, prepend=0))
    ends = np.append(starts, len(numbers))[1:]
    return [(int(a), int(b) - 1) for a, b in zip(starts, ends, strict=True) if numbers[a]]


def scaled(series: Series, learning: int, calendar: bool) -> Scaled:
    """Scales a series by its first `learning` points. A constant is only shifted.

    With a `calendar`, sine and cosine of the time of the day and of the week follow the value.
    """
    known = series.values[:learning]
    mean, std = float(known.mean()), float(known.std())
    if not std > _SMALL * max(1.0, abs(mean)):
        std = 1.0
    columns = [np.clip((series.values - mean) / std, -CLIPPED, CLIPPED)]
    if calendar:
        for period in (DAY, 7 * DAY):
            angle = 2 * np.pi * (np.asarray(series.times, np.float64) % period) / period
            columns += [np.sin(angle), np.cos(angle)]
    return Scaled(np.stack(columns, 1).astype(np.float32), mean, std)


def split_arrays(
    series: Sequence[np.ndarray], learning: Sequence[int], window: int
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the three sets from the scaled inputs `[N, C]` of each series.

    Each example has `points [T, C]`, padded with 0, and counts the points from `start` to `stop`. For training they are
    windows of the first points, for validation and test whole series, of which the end of the points for learning, and
    all points after them, count.
    """
    validation = [max(1, round((1 - VALIDATION_SHARE) * count)) for count in learning]
    windows = [
        points[start : start + window]
        for points, stop in zip(series, validation, strict=True)
        for start in range(0, max(stop - window, 0) + 1, max(1, window // STARTS))
    ]
    ends = [min(window, stop) for stop in validation]
    stops = np.concatenate(
        [
            np.full(len(range(0, max(stop - window, 0) + 1, max(1, window // STARTS))), end)
            for stop, end in zip(validation, ends, strict=True)
        ]
    )
    return {
        "train": _example(windows, np.ones_like(stops), stops, window),
        "validation": _example(
            [points[:count] for points, count in zip(series, learning, strict=True)], validation, learning
        ),
        "test": _example(series, learning, [len(points) for points in series]),
    }


def _example(
    points: Sequence[np.ndarray], starts: Sequence[int] | np.ndarray, stops: Sequence[int] | np.ndarray, least: int = 0
) -> dict[str, np.ndarray]:
    longest = max(least, *(len(one) for one in points))
    filled = np.zeros((len(points), longest, points[0].shape[1]), np.float32)
    for row, one in zip(filled, points, strict=True):
        row[: len(one)] = one
    return {"points": filled, "start": np.asarray(starts, np.int32), "stop": np.asarray(stops, np.int32)}


def check_lengths(series: Sequence[Series], learning: Sequence[int]) -> None:
    """Raises FileError unless each series has points for training, validation and test."""
    for one, count in zip(series, learning, strict=True):
        if count < LEAST or len(one.values) <= count:
            raise FileError(
                f"{one.name}: has {len(one.values):,} points, of which {count:,} are for learning, and {LEAST} are "
                f"needed there: choose a larger learning_share"
            )
