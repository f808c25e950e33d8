"""Forecasts without a trained network, as rows beside it: computed from the data, never quoted."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .metrics import errors_of
from .series import Part

LAST = "repeat the last value"
RIDGE = "ridge regression (NLinear)"
SEASONS = 7
STRENGTHS = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""The penalties among which the validation set chooses."""


def trivial_answers(
    parts: Mapping[str, Part], look_back: int, horizon: int, season: int, scales: Sequence[float]
) -> dict[str, dict[str, float]]:
    """Returns the test metrics of each trivial answer by name, from the scaled values of all sets.

    - the last value, repeated
    - seasonal naive: the value of the last full season at the same place in it
    - the mean of the last 7 seasons at that place (for hourly data and a season of 24: the hourly mean of 7 days)
    - NLinear, `y = last + (x - last) W`, with W in closed form by ridge regression on the training windows. All series
      share W (Zeng et al. 2023, arXiv 2205.13504, have the model). The validation set chooses the penalty.

    A forecast that reads a missing value reads the same place one season earlier, or for the first the value before.
    NLinear is left out where values are missing. Forecasts from seasons are left out where windows lack their history.
    """
    test = parts["test"]
    starts, known = test.window_starts(look_back, horizon), test.values
    targets = known[starts[:, None] + np.arange(horizon)]
    found = dict(_seasonal(known, starts, horizon, season))
    if all(np.isfinite(part.values).all() for part in parts.values()):
        found[RIDGE] = _ridge(parts, look_back, horizon)
    return {name: dict(errors_of(forecast, targets, scales)) for name, forecast in found.items()}


def _seasonal(known: np.ndarray, starts: np.ndarray, horizon: int, season: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the forecasts `[M, U, C]` that repeat values of the series `[N, C]`."""
    ahead = np.arange(horizon)
    yield LAST, np.repeat(filled_forward(known, 1)[starts - 1][:, None], horizon, 1)
    if not season or starts[0] < season:
        return
    place = starts[:, None] + ahead % season
    yield f"seasonal naive ({season})", filled_forward(known, season)[place - season]
    if starts[0] >= SEASONS * season:
        yield f"mean of {SEASONS} seasons ({season})", _mean_before(known, season)[place]


def _mean_before(values: np.ndarray, season: int) -> np.ndarray:
    """Returns the mean of the values 1 to 7 seasons before each row of `values [N, C]`, without those missing. It is 0,
    the training mean, where all are missing, and in the first rows, which have no 7 seasons before them."""
    rows = np.arange(SEASONS * season, len(values) + season)
    total = np.zeros((len(values) + season, values.shape[1]))
    count = np.zeros_like(total)
    for n in range(1, SEASONS + 1):
        before = values[rows - season * n]
        total[rows] += np.nan_to_num(before)
        count[rows] += np.isfinite(before)
    return total / np.maximum(count, 1)


def filled_forward(values: np.ndarray, lag: int) -> np.ndarray:
    """Replaces each missing value of a series `[N, C]` by the value `lag` rows before, and again; 0, the training mean,
    where there is none."""
    out = values.copy()
    for row in range(len(out)):
        before = out[row - lag] if row >= lag else np.zeros_like(out[row])
        np.copyto(out[row], before, where=np.isnan(out[row]))
    return out


def _ridge(parts: Mapping[str, Part], look_back: int, horizon: int) -> np.ndarray:
    """Returns NLinear's test forecasts `[M, U, C]`."""
    gram, cross, _ = _products(parts["train"], look_back, horizon)
    powers, basis = np.linalg.eigh(gram)
    rotated = basis.T @ cross
    kernels = [basis @ (rotated / (powers + strength)[:, None]) for strength in STRENGTHS]
    gram, cross, square = _products(parts["validation"], look_back, horizon)
    errors = [square + np.sum(kernel * (gram @ kernel - 2 * cross)) for kernel in kernels]
    kernel = kernels[int(np.argmin(errors))]
    test = parts["test"]
    rows = test.window_starts(look_back, horizon)[:, None] + np.arange(-look_back, 0)
    windows = (values[rows] for values in test.values.T)
    return np.stack([w[:, -1:] + (w - w[:, -1:]) @ kernel for w in windows], -1)


def _products(part: Part, look_back: int, horizon: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns `X^T X [T, T]`, `X^T Y [T, U]` and the sum of the squares of Y, over the windows of all series: X are the
    look-backs and Y the following steps, less the look-back's last value.

    Windows overlap, so that the products of their values i and i + k are differences of running sums over the series.
    """
    width = look_back + horizon
    first, count = (
        int(part.window_starts(look_back, horizon)[0]) - look_back,
        len(part.window_starts(look_back, horizon)),
    )
    values = part.values[first:]
    products = np.empty((width, width))
    for lag in range(width):
        sums = np.cumsum((values[: len(values) - lag] * values[lag:]).sum(1))
        sums = np.concatenate([[0.0], sums])
        place = np.arange(width - lag)
        products[place, place + lag] = products[place + lag, place] = sums[place + count] - sums[place]
    last = look_back - 1
    row = products[last]
    products = products - row - row[:, None] + row[last]
    return (
        products[:look_back, :look_back],
        products[:look_back, look_back:],
        float(np.trace(products[look_back:, look_back:])),
    )
