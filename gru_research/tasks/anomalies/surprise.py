"""How surprising the points of a series are after a forecast of each, and which of them are alarms."""

import jax.numpy as jnp
import numpy as np
import scipy.ndimage
import scipy.special

from gru_research.types import Array


def standardised(errors_BT: Array, real_BT: Array, least: float) -> Array:
    """Returns the size of each forecast error in standard deviations `[B, T]`; 0 where a step isn't real.

    The standard deviation is the root mean square of the errors before in the same series, and at least `least`. It
    tells anomalies apart better than the deviation that the forecast states, which the points for learning taught.

    Args:
      errors_BT: the errors of the forecasts.
      real_BT: whether a step counts.
      least: the least standard deviation.
    """
    squares = jnp.where(real_BT, jnp.square(errors_BT), 0)
    before = jnp.cumsum(squares, -1) - squares
    count = jnp.cumsum(real_BT, -1) - real_BT
    record = jnp.sqrt(jnp.maximum(before, 0) / jnp.maximum(count, 1))
    return jnp.where(real_BT, jnp.abs(errors_BT) / jnp.maximum(record, least), 0)


def surprise(sizes: np.ndarray) -> np.ndarray:
    """Returns the decimal digits of the tail probability of each size, `-log10 P(|z| >= size)` for a standard normal
    z."""
    return -(scipy.special.log_ndtr(-np.asarray(sizes, np.float64)) + np.log(2)) / np.log(10)


def threshold(tail: float) -> float:
    """Returns the surprise at a tail probability."""
    return -float(np.log10(tail))


def alarms(scores: np.ndarray, quiet: int) -> np.ndarray:
    """Returns the scores `[N]` of the points that exceed all of the `quiet` points before them, and 0 elsewhere: one
    anomaly raises few alarms, and a new alarm must be more surprising than those of late."""
    scores = np.asarray(scores, np.float64)
    if not quiet:
        return scores
    padded = np.concatenate([np.full(quiet, -np.inf), scores[:-1]])
    # maximum_filter1d centres its window: it covers `quiet` points that end at `place + shift`.
    highest = scipy.ndimage.maximum_filter1d(padded, quiet, origin=-(quiet // 2), mode="constant", cval=-np.inf)
    return np.where(scores > highest[: len(scores)], scores, 0.0)
