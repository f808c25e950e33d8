"""The score of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, arXiv 1510.03336).

A detector gives each point of a series an anomaly score. A point counts as detected where its score reaches a
threshold, which is the same for all series. Each window around an anomaly earns the reward of its earliest detection.
A detection outside the windows costs a penalty, which is smaller soon after a window. The first points of each series
are for learning and don't count.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

LEARNING_SHARE = 0.15
"""The share of a series that is for learning in the benchmark."""
LEARNING_MOST = 750
"""The most points of a series that are for learning there."""
_STEEPNESS = 5.0
_FAR = 3.0


@dataclasses.dataclass(frozen=True)
class Profile:
    """What errors cost, beside a reward of 1 for a window that is detected at its start.

    Attributes:
      false_positive: of a detection far outside all windows.
      false_negative: of a window without a detection.
    """

    false_positive: float
    false_negative: float


PROFILES: Mapping[str, Profile] = {
    "standard": Profile(false_positive=0.11, false_negative=1.0),
    "low_fp": Profile(false_positive=0.22, false_negative=1.0),
    "low_fn": Profile(false_positive=0.11, false_negative=2.0),
}
"""The profiles of the benchmark: the standard one, one that punishes false positives more, and one that punishes false
negatives more."""


@dataclasses.dataclass(frozen=True)
class Series:
    """One series of a benchmark.

    Attributes:
      length: N, the number of points.
      windows: the first and last point of each window, in order and apart from each other.
      learning: the number of points at the start that don't count.
    """

    length: int
    windows: Sequence[tuple[int, int]] = ()
    learning: int = 0

    def __post_init__(self) -> None:
        end = -1
        for first, last in self.windows:
            if not end < first <= last < self.length:
                raise ValueError(
                    f"windows={list(self.windows)!r} must be in order, apart, and within the {self.length} points"
                )
            end = last

    def places(self) -> np.ndarray:
        """Returns the number of the window that each point `[N]` lies in, or -1."""
        places = np.full(self.length, -1)
        for number, (first, last) in enumerate(self.windows):
            places[first : last + 1] = number
        return places

    def rewards(self) -> np.ndarray:
        """Returns what a detection at each point `[N]` is worth: up to 1 in a window, down to -1 outside, where it is
        still to be multiplied by the profile's cost of a false positive."""
        rewards = np.full(self.length, -1.0)
        starts = [*(first for first, _ in self.windows), self.length]
        for (first, last), end in zip(self.windows, starts[1:], strict=True):
            inside = np.arange(first, last + 1)
            rewards[inside] = _sigmoid((inside - last - 1) / (last - first + 1)) / _sigmoid(np.array(-1.0))
            after = np.arange(last + 1, end)
            past = (after - last) / max(last - first, 1)
            rewards[after] = np.where(past > _FAR, -1.0, _sigmoid(past))
        return rewards


def _sigmoid(place: np.ndarray) -> np.ndarray:
    return 2 / (1 + np.exp(_STEEPNESS * place)) - 1


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The score of a detector at each threshold.

    Attributes:
      thresholds: `[K]`, from high to low; the first is infinite and detects nothing.
      scores: `[K]`, scaled: without a detection it is 0, and with each window detected at its start it is 100.
    """

    thresholds: np.ndarray
    scores: np.ndarray

    @property
    def best(self) -> tuple[float, float]:
        """The threshold with the highest score, and that score. The benchmark reports it: labels choose it."""
        place = int(self.scores.argmax())
        return float(self.thresholds[place]), float(self.scores[place])

    def at(self, threshold: float) -> float:
        """Returns the score where points are detected whose anomaly score is at least `threshold`."""
        return float(self.scores[np.count_nonzero(self.thresholds >= threshold) - 1])


def sweep(series: Sequence[Series], anomaly_scores: Sequence[np.ndarray], profile: Profile) -> Sweep:
    """Scores a detector at each threshold at which its detections change.

    Args:
      series: S series with at least one window among them.
      anomaly_scores: `[N]` for each of them, higher where a point is more surprising.
      profile: what errors cost.

    Raises:
      ValueError: there is no window, or scores of another length or that aren't numbers.
    """
    count = sum(len(one.windows) for one in series)
    if not count:
        raise ValueError("no series has a window: there is nothing to detect")
    values, gains, places = _joined(series, anomaly_scores)
    order = np.argsort(-values, kind="stable")
    values, gains, places = values[order], gains[order], places[order]
    steps = np.where(places < 0, gains * profile.false_positive, 0.0)
    for number in range(count):
        inside = np.flatnonzero(places == number)
        best = np.maximum.accumulate(np.concatenate([[-profile.false_negative], gains[inside]]))
        steps[inside] = np.diff(best)
    totals = np.concatenate([[0.0], np.cumsum(steps)]) - profile.false_negative * count
    changes = np.flatnonzero(np.append(values[1:] != values[:-1], True)) + 1 if len(values) else np.array([], int)
    at = np.concatenate([[0], changes])
    thresholds = np.concatenate([[np.inf], values[changes - 1]])
    return Sweep(thresholds, 100 * (totals[at] / count + profile.false_negative) / (1 + profile.false_negative))


def _joined(
    series: Sequence[Series], anomaly_scores: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns for all points that count `[M]`: the anomaly score, the reward, and the number of the window or -1."""
    parts, before = [], 0
    for one, scores in zip(series, anomaly_scores, strict=True):
        if np.shape(scores) != (one.length,) or np.isnan(scores).any():
            raise ValueError(f"anomaly_scores of shape {np.shape(scores)} must be {one.length} numbers")
        places = one.places()
        places[places >= 0] += before
        before += len(one.windows)
        parts.append([array[one.learning :] for array in (np.asarray(scores), one.rewards(), places)])
    values, gains, places = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return values, gains, places
