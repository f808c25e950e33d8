"""The loss of a forecast with a normal distribution, and the metrics of its surprise."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.metrics import Collected, Metric
from gru_research.types import Array, Batch

from . import nab_score, ranking
from .surprise import alarms, standardised, surprise, threshold

LEAST_SCALE = 0.1
"""The least standard deviation of a forecast, as a share of the series'. Without it, a series that is constant while it
is learned gets deviations near 0, and the first change outweighs all other series in the loss."""
BUFFER = 100
"""The longest buffer of "vus_pr", in steps."""
CORE = 3.0
"""The size, in standard deviations, beyond which the tails of the loss are exponential."""
LOG_TOTAL = math.log(math.sqrt(2 * math.pi) * math.erf(CORE / math.sqrt(2)) + 2 * math.exp(-0.5 * CORE**2) / CORE)


def forecast(outputs: Array, inputs: Array) -> tuple[Array, Array]:
    """Returns mean and standard deviation of the next value `[B, T]`, scaled, from outputs and inputs `[B, T, ...]`.
    The first output is the change from the last value, the second gives the deviation."""
    outputs = outputs.astype(jnp.float32)
    return inputs[..., 0] + outputs[..., 0], LEAST_SCALE + jax.nn.softplus(outputs[..., 1])


def real_steps(batch: Batch) -> Array:
    """Returns whether a step has a next value `[B, T]`."""
    return jnp.arange(batch["targets"].shape[-1]) + 1 < batch["stop"][:, None]


def loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's negative log-likelihood in nats, the mean over the points from `start` to `stop`, weighted
    by their number.

    The density is the normal one up to three standard deviations, and has exponential tails beyond (Huber 1964): under
    normal tails, the anomalies among the points for learning outweigh everything else.
    """
    mean, scale = forecast(outputs, batch["inputs"])
    size = (batch["targets"] - mean) / scale
    values = huber(size) + jnp.log(scale) + LOG_TOTAL
    counted = real_steps(batch) & (jnp.arange(values.shape[-1]) + 1 >= batch["start"][:, None])
    weights = counted.sum(-1).astype(jnp.float32)
    return jnp.where(counted, values, 0).sum(-1) / jnp.maximum(weights, 1), weights


def huber(size: Any) -> Any:
    """Returns `size^2 / 2` up to `CORE`, and its tangent beyond."""
    xp = np if isinstance(size, np.ndarray) else jnp
    core = xp.minimum(xp.abs(size), CORE)
    return core * (xp.abs(size) - 0.5 * core)


def sizes(outputs: Array, batch: Batch) -> dict[str, Array]:
    """Returns the `size` of each forecast's error in standard deviations `[B, T]`, and `stop`."""
    mean, _ = forecast(outputs, batch["inputs"])
    return {"size": standardised(batch["targets"] - mean, real_steps(batch), LEAST_SCALE), "stop": batch["stop"]}


NAB = {"nab": "standard", "nab_low_fp": "low_fp", "nab_low_fn": "low_fn"}
"""The benchmark's profiles by metric. Labels choose the threshold with the highest score."""
LABEL_FREE = "nab_label_free"


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Computes the metrics of anomaly scores, `[N]` for each series.

    Attributes:
      series: the series with their anomalies.
      quiet: an alarm must exceed as many points before it as `quiet` times the points for learning.
      tail: the tail probability of an alarm whose threshold no label chose.
    """

    series: Sequence[nab_score.Series]
    quiet: float
    tail: float

    def of_detector(self, scores: Sequence[np.ndarray], least: float) -> dict[str, float]:
        """Returns all metrics of a detector whose scores are its alarms. Without labels, an alarm has `least`."""
        return {name: self.metric(name, scores, scores, least) for name in NAMES}

    def of_surprise(self, scores: Sequence[np.ndarray]) -> dict[str, float]:
        """Returns all metrics of surprise, from which alarms are chosen."""
        return {name: self.of_surprise_one(name, scores) for name in NAMES}

    def of_surprise_one(self, name: str, scores: Sequence[np.ndarray]) -> float:
        """Returns one of these metrics."""
        raised = [
            alarms(one, round(self.quiet * series.learning)) for one, series in zip(scores, self.series, strict=True)
        ]
        return self.metric(name, scores, raised, threshold(self.tail))

    def metric(self, name: str, scores: Sequence[np.ndarray], raised: Sequence[np.ndarray], least: float) -> float:
        """Returns the metric of `NAMES`: of alarms for the benchmark's score, else of all scores, as the mean over the
        series with an anomaly after the points for learning."""
        if name in RANKED:
            return self._ranked(RANKED[name], scores)
        swept = nab_score.sweep(self.series, raised, nab_score.PROFILES[NAB.get(name, "standard")])
        return swept.at(least) if name == LABEL_FREE else swept.best[1]

    def _ranked(self, metric: Callable[[np.ndarray, np.ndarray], float], scores: Sequence[np.ndarray]) -> float:
        found = []
        for one, series in zip(scores, self.series, strict=True):
            labels = (series.places() >= 0)[series.learning :]
            if labels.any():
                found.append(metric(one[series.learning :], labels))
        return float(np.mean(found)) if found else float("nan")


RANKED: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "vus_pr": functools.partial(ranking.vus_pr, buffer=BUFFER),
    "auprc": ranking.auprc,
    "auroc": ranking.auroc,
}


NAMES = (*NAB, LABEL_FREE, *RANKED)


def metrics_of(scorer: Scorer | None) -> dict[str, Metric]:
    """Returns the metrics by name; none without labels."""
    if scorer is None:
        return {}
    how = f"quiet {scorer.quiet:g}, tail {scorer.tail:g}, buffer {BUFFER}"
    return {name: Collected(sizes, functools.partial(_score, scorer, name), "max", signature=how) for name in NAMES}


def _score(scorer: Scorer, name: str, arrays: Mapping[str, np.ndarray]) -> float:
    """Returns a metric of the test set. It is NaN on validation, whose points lie before all that count."""
    if arrays["stop"].tolist() != [one.length for one in scorer.series]:
        return float("nan")
    rows = zip(np.asarray(arrays["size"]), scorer.series, strict=True)
    return scorer.of_surprise_one(name, [of_sizes(row, one.length) for row, one in rows])


def of_sizes(row: np.ndarray, length: int) -> np.ndarray:
    """Returns the surprise of each point `[N]` from a row of sizes `[T]`, which begins at the second point."""
    return np.concatenate([[0.0], surprise(row[: length - 1])])
