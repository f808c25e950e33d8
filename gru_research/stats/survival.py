"""Time to solve, where some seeds didn't solve before training ended: survival analysis with censoring.

Times are steps or seconds, as given. A seed that didn't solve is known only not to have solved up to its time:
it is censored there, or at `end` where its time is infinite or later. Censoring must say nothing about when the
seed would have solved, so a seed that diverged or was stopped as hopeless is no reason to end early: give it inf,
which keeps it among the unsolved to the end of training.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats import bootstrap
from gru_research.stats.seed_values import one_axis


@dataclasses.dataclass(frozen=True)
class SurvivalCurve:
    """A Kaplan-Meier curve: a step function, constant from each of `times` to the next, the last one to `end`.

    Attributes:
      times: [K], 0 and then each time at which some seed solved, ascending.
      unsolved: [K], the share that is still unsolved after each; 1 - unsolved is the share that solved.
      at_risk: [K], how many seeds were observed and unsolved just before each.
      end: the end of training.
    """

    times: np.ndarray
    unsolved: np.ndarray
    at_risk: np.ndarray
    end: float


def survival_curve(times: ArrayLike, solved: ArrayLike, end: float) -> SurvivalCurve:
    """The Kaplan-Meier estimate of the share still unsolved at t: product over t_j <= t of 1 - d_j / n_j.

    d_j of the n_j seeds that were observed and unsolved just before t_j solved at t_j; a seed censored at t_j still
    counts in n_j (Kaplan and Meier 1958). Where nothing was censored before `end` it is the plain share of seeds.
    Behind the last observation of all the curve keeps its value to `end`.

    Args:
      times: [S], when each seed solved, or up to when it was observed where it didn't; 0 or more; inf: to `end`.
      solved: [S] booleans.
      end: the end of training, above 0. What happened after it is censored there.

    Raises:
      ValueError: no seeds, NaN, a time below 0, a solved seed without a finite time, `solved` that isn't booleans
        of the shape of `times`, or an `end` that isn't above 0 and finite.
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
    """The mean time to solve up to `end`, with the percentile bootstrap interval over seeds.

    It is the area under the survival curve from 0 to `end` (Irwin 1949; Royston and Parmar 2013): the mean of
    min(time to solve, end), so that an unsolved seed counts as one that solved at `end`. Finite however many seeds
    failed, and comparable between cells for the same `end` alone.

    Args and errors are those of `survival_curve`, and `confidence` or `resamples` out of range.
    """
    bootstrap.check_options(confidence, resamples)
    grid, events, at_risk = _table(*observed(times, solved, end))
    widths = np.diff(grid, append=end)
    counts = bootstrap.resample_counts(len(events), resamples, np.random.default_rng(seed))
    drawn = _unsolved(counts @ events, counts @ at_risk) @ widths
    value = _unsolved(events.sum(axis=0), at_risk.sum(axis=0)) @ widths
    return bootstrap.Estimate(float(value), *bootstrap.interval(drawn, confidence))


def median_time_to_solve(times: ArrayLike, solved: ArrayLike, end: float) -> float:
    """The first time at which at most half of the seeds are unsolved by the survival curve; inf where more are.

    Where the curve is exactly one half for a while it is the middle of that while, as in R's survfit, and inf where
    that lasts to `end`. Without censoring before `end` it is `median_with_infinite`.

    Args and errors are those of `survival_curve`.
    """
    curve = survival_curve(times, solved, end)
    rounding = 1e-9  # a product of fractions that is one half in exact arithmetic
    reached = np.flatnonzero(curve.unsolved <= 0.5 + rounding)
    if not reached.size:
        return math.inf
    first = reached[0]
    if curve.unsolved[first] < 0.5 - rounding:
        return float(curve.times[first])
    return float((curve.times[first] + curve.times[first + 1]) / 2) if first + 1 < curve.times.size else math.inf


def observed(times: ArrayLike, solved: ArrayLike, end: float, name: str = "times") -> tuple[np.ndarray, np.ndarray]:
    """Times [S] up to `end`, and whether each seed solved by then [S]; the errors of `survival_curve`."""
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
    """The grid [K] of 0 and the times of solving; and of each seed at each of them, whether it solved then and
    whether it was still observed and unsolved just before: float64 [S, K]."""
    grid = np.unique(np.append(times[solved], 0.0))
    events = solved[:, None] & (times[:, None] == grid)
    return grid, events.astype(np.float64), (times[:, None] >= grid).astype(np.float64)


def _unsolved(events: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """The Kaplan-Meier product over the last axis; where nobody is at risk it keeps its value."""
    return np.cumprod(1 - events / np.maximum(at_risk, 1), axis=-1)
