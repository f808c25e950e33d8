"""Detectors without a trained network, as rows beside it: computed from the data, never quoted."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import scipy.special

from .metrics import LEAST_SCALE, LOG_TOTAL, Scorer, huber, of_sizes
from .surprise import standardised

LAST = "repeat the last value"
MEAN = "mean of the learning part"
GAUSSIAN = "windowed Gaussian"
NEIGHBOUR = "nearest neighbour"
RANDOM = "random scores"
_HELD, _STEP = 6400, 100
_CONSTANT = 1e-6
_DIGITS = 12
_SUBSEQUENCE = 16
_BLOCK = 512  # bounds the memory


def random_scores(lengths: Sequence[int]) -> list[np.ndarray]:
    """Returns uniform scores for series of these lengths."""
    draw = np.random.RandomState(0)
    return [draw.uniform(size=length) for length in lengths]


def windowed_gaussian(values: np.ndarray) -> np.ndarray:
    """Returns 1 less the tail probability of each value under a normal distribution with the mean and standard
    deviation of the values before: of all up to 6,400, then of 6,400 that move on by 100. Scores are rounded to 12
    digits.

    This is the detector of this name in the Numenta Anomaly Benchmark, which chose the two constants for the highest
    score and stores 12 digits. Where more digits tell large deviations apart, it scores 40.13 and not 39.65.
    """
    scores = np.zeros(len(values))
    mean, std = 0.0, 1.0
    for n, value in enumerate(values.tolist()):
        if n:
            scores[n] = 1 - 0.5 * scipy.special.erfc(abs(value - mean) / std / np.sqrt(2))
        if n < _HELD or (n + 1 - _HELD) % _STEP == 0:
            held = values[max(0, n + 1 - _HELD) : n + 1]
            mean, std = held.mean(), held.std() or _CONSTANT
    return scores.round(_DIGITS)


def nearest_neighbour(values: np.ndarray, learning: int) -> np.ndarray:
    """Returns the Euclidean distance of the last 16 values at each point from the nearest 16 values in a row of the
    first `learning` points; 0 at the first points. `values` are scaled."""
    width = min(_SUBSEQUENCE, learning // 2)
    parts = np.lib.stride_tricks.sliding_window_view(values, width)
    known = parts[: learning - width + 1]
    scores = np.zeros(len(values))
    squares = np.square(known).sum(1)
    for start in range(0, len(parts), _BLOCK):
        block = parts[start : start + _BLOCK]
        distances = np.square(block).sum(1)[:, None] - 2 * block @ known.T + squares
        scores[start + width - 1 : start + width - 1 + len(block)] = np.sqrt(np.maximum(distances.min(1), 0))
    scores[:learning] = 0
    return scores


def of_forecasts(errors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns the surprise of each point `[N]` of each series from a forecaster's errors `[N - 1]`."""
    longest = max(len(one) for one in errors)
    filled = np.stack([np.pad(one, (0, longest - len(one))) for one in errors]).astype(np.float32)
    real = np.stack([np.arange(longest) < len(one) for one in errors])
    sizes = np.asarray(standardised(jnp.asarray(filled), jnp.asarray(real), LEAST_SCALE))
    return [of_sizes(row, len(one) + 1) for row, one in zip(sizes, errors, strict=True)]


def trivial_answers(
    original: Sequence[np.ndarray], values: Sequence[np.ndarray], scorer: Scorer
) -> dict[str, dict[str, float]]:
    """Returns all metrics of each trivial detector by name, from the values `[N]` of each series, in its own units and
    scaled.

    - random scores
    - the windowed Gaussian of the benchmark
    - the distance from the nearest subsequence of the points for learning
    - the last value and the mean of the points for learning as forecasts, with the alarms of the trained cells: what
      these rules alone reach
    """
    learning = [one.learning for one in scorer.series]
    lengths = [one.length for one in scorer.series]
    near = [nearest_neighbour(one, count) for one, count in zip(values, learning, strict=True)]
    sure = 1 - scorer.tail
    return {
        RANDOM: scorer.of_detector(random_scores(lengths), sure),
        GAUSSIAN: scorer.of_detector([windowed_gaussian(one) for one in original], sure),
        NEIGHBOUR: scorer.of_surprise(of_forecasts([one[1:] for one in near])),
        LAST: scorer.of_surprise(of_forecasts([np.diff(one) for one in values])),
        MEAN: scorer.of_surprise(of_forecasts([one[1:] for one in values])),
    }


def likelihoods(values: Sequence[np.ndarray], learning: Sequence[int]) -> dict[str, float]:
    """Returns the loss of two forecasts at the points after those for learning: the last value, and the mean. Each has
    the standard deviation of its own errors at the points for learning."""
    found = {}
    for name, errors in {LAST: [np.diff(one) for one in values], MEAN: [one[1:] for one in values]}.items():
        terms = []
        for one, count in zip(errors, learning, strict=True):
            scale = max(float(np.sqrt(np.mean(np.square(one[: count - 1])))), LEAST_SCALE)
            terms.append(huber(one[count - 1 :] / scale) + np.log(scale) + LOG_TOTAL)
        found[name] = float(np.concatenate(terms).mean())
    return found
