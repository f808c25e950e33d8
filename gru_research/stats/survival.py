"""Survival analysis of the time to solve, with censoring for seeds that didn't solve before training ended.

Times are in steps or seconds, as given. A seed that didn't solve is censored at its time, or at `end` if its time is
infinite or later. Censoring must be independent of when the seed would have solved. Give a seed that diverged, or was
stopped as hopeless, the time inf: it then counts as unsolved until the end of training.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats import bootstrap
from gru_research.stats.seed_values import one_axis


@dataclasses.dataclass(frozen=True)
class SurvivalCurve:
    """A Kaplan-Meier curve: a step function, constant from each of `times` to the next, and from the last to `end`.

    Attributes:
      times: [K], 0 and then each time at which some seed solved, ascending.
      unsolved: [K], the share still unsolved after each time; 1 - unsolved is the share that solved.
      at_risk: [K], the number of seeds observed and unsolved just before each time.
      end: the end of training.
    """

    times: np.ndarray
    unsolved: np.ndarray
    at_risk: np.ndarray
    end: float


def survival_curve(times: ArrayLike, solved: ArrayLike, end: float) -> SurvivalCurve:
    """Returns the Kaplan-Meier estimate of the share still unsolved at t: product over t_j <= t of 1 - d_j / n_j.

    d_j of the n_j seeds observed and unsolved just before t_j solved at t_j. A seed censored at t_j still counts in
    n_j (Kaplan and Meier 1958). If no seed was censored before `end`, the estimate is the plain share of seeds. After
    the last observation the curve is constant until `end`.

    Args:
      times: [S], when each seed solved; for an unsolved seed, until when it was observed. At least 0; inf means `end`.
      solved: [S] booleans.
      end: the end of training, above 0. Later times are censored there.

    Raises:
      ValueError: no seeds, NaN, a time below 0, a solved seed without a finite time, `solved` that isn't boolean with
        the shape of `times`, or an `end` that isn't above 0 and finite.
    """
    grid, events, at_risk = _table(*observed(times, solved, end))
    events, at_risk = events.sum(axis=0), at_risk.sum(axis=0)
    return SurvivalCurve(grid, _unsolved(events, at_risk), at_risk.astype(np.int64), float(end))


def restricted_mean(
    times: ArrayLike,
    solved: ArrayLike,
    end: float,
    confidence: float = 0.95,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> bootstrap.Estimate:
    """Returns the restricted mean time to solve up to `end`, with the percentile bootstrap interval over seeds.

    It is the area under the survival curve from 0 to `end` (Irwin 1949; Royston and Parmar 2013): the mean of
    min(time to solve, end). An unsolved seed counts as solved at `end`, so the mean is always finite. Cells are
    comparable only for the same `end`.

    Arguments and errors are as in `survival_curve`; also ValueError for `confidence` or `resamples` out of range.
    """
    bootstrap.check_options(confidence, resamples)
    grid, events, at_risk = _table(*observed(times, solved, end))
    widths = np.diff(grid, append=end)
    counts = bootstrap.resample_counts(len(events), resamples, np.random.default_rng(seed))
    drawn = _unsolved(counts @ events, counts @ at_risk) @ widths
    value = _unsolved(events.sum(axis=0), at_risk.sum(axis=0)) @ widths
    return bootstrap.Estimate(float(value), *bootstrap.interval(drawn, confidence))


def median_time_to_solve(times: ArrayLike, solved: ArrayLike, end: float) -> float:
    """Returns the first time at which the survival curve is at or below one half; inf if it never is.

    If the curve equals one half over an interval, the result is the interval's middle, as in R's survfit, or inf if
    the interval lasts to `end`. Without censoring before `end` it equals `median_with_infinite`.

    Arguments and errors are as in `survival_curve`.
    """
    curve = survival_curve(times, solved, end)
    rounding = 1e-9  # tolerance for products that equal 1/2 in exact arithmetic
    reached = np.flatnonzero(curve.unsolved <= 0.5 + rounding)
    if not reached.size:
        return math.inf
    first = reached[0]
    if curve.unsolved[first] < 0.5 - rounding:
        return float(curve.times[first])
    return float((curve.times[first] + curve.times[first + 1]) / 2) if first + 1 < curve.times.size else math.inf


def observed(times: ArrayLike, solved: ArrayLike, end: float, name: str = "times") -> tuple[np.ndarray, np.ndarray]:
    """Returns the times [S] cut at `end`, and whether each seed solved by then [S]. Raises as `survival_curve`."""
    if not 0 < end < math.inf:
        raise ValueError(f"end={end!r} must be above 0 and finite")
    array = one_axis(times, name)
    did = np.asarray(solved)
    if did.dtype != np.bool_ or did.shape != array.shape:
        raise ValueError(f"solved must be booleans of the shape {array.shape}; got {did.dtype} of {did.shape}")
    if (array < 0).any():
        raise ValueError(f"{name}={float(array.min())!r} must be at least 0")
    if np.isinf(array[did]).any():
        raise ValueError(f"{name}=inf must be finite for a seed that solved")
    return np.minimum(array, end), did & (array <= end)


def _table(times: np.ndarray, solved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the grid [K] of 0 and the solving times, and two float64 [S, K]: whether each seed solved at each time,
    and whether it was observed and unsolved just before."""
    grid = np.unique(np.append(times[solved], 0.0))
    events = solved[:, None] & (times[:, None] == grid)
    return grid, events.astype(np.float64), (times[:, None] >= grid).astype(np.float64)


def _unsolved(events: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """Returns the Kaplan-Meier product over the last axis. It stays constant where no seed is at risk."""
    return np.cumprod(1 - events / np.maximum(at_risk, 1), axis=-1)
