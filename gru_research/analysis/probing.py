"""Linear probes: how well a quantity can be read from a state, and from each unit alone."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from gru_research.cells.checks import number
from gru_research.stats.permutation import midranks

from .arguments import flags, numbers

_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Probe:
    """How well a quantity is read, on sequences that the probe wasn't fitted on.

    Attributes:
      r2: the coefficient of determination of the linear map from the whole state.
      r2_units: the same for each unit alone, `[H]`.
      weights, bias: the map fitted on all sequences: the quantity is about `states @ weights + bias`.
    """

    r2: float
    r2_units: np.ndarray
    weights: np.ndarray
    bias: float

    @property
    def ranking(self) -> np.ndarray:
        """The units, the one that carries most first, `[H]`."""
        return np.argsort(-self.r2_units, kind="stable")

    def read(self, states: ArrayLike) -> np.ndarray:
        """The quantity as the map gives it, `[...]` from states `[..., H]`."""
        return numbers("states", states) @ self.weights + self.bias


def linear_probe(states: ArrayLike, quantity: ArrayLike, *, ridge: float = 1e-6) -> Probe:
    """Fits `quantity` linearly to states (Alain and Bengio 2016, arXiv 1610.01644), in float64.

    Whole sequences are left out, a fifth at a time, and R^2 = 1 - sum (q - read)^2 / sum (q - mean)^2 is over all of
    them: steps of one sequence are alike, and a probe that had seen some of them would be flattered. A map that does
    worse than the mean has an R^2 below 0.

    Args:
      states: `[B, T, H]`, at least 5 sequences.
      quantity: `[B, T]`.
      ridge: the penalty on the squared weights, relative to the states' mean variance: it keeps a state with units
        that never move solvable.

    Raises:
      ValueError: shapes that don't fit, a value that isn't finite, a quantity that never changes, or a `ridge` that
        isn't above 0.
    """
    x, y = numbers("states", states), numbers("quantity", quantity)
    if x.ndim != 3 or y.shape != x.shape[:2]:
        raise ValueError(
            f"states and quantity have the shapes {x.shape} and {y.shape}; they must be [B, T, H] and [B, T]"
        )
    if len(x) < _FOLDS:
        raise ValueError(f"states has {len(x)} sequences; leaving out a fifth at a time needs at least {_FOLDS}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("states and quantity must be finite")
    ridge = number("ridge", ridge, "above 0 and finite", above=0)
    if np.ptp(y) == 0:
        raise ValueError(f"quantity is {y.flat[0]:g} everywhere: there is nothing to read")
    whole, single = np.empty_like(y), np.empty_like(x)
    for fold in range(_FOLDS):
        out = np.arange(len(x)) % _FOLDS == fold
        inside, inside_y = x[~out].reshape(-1, x.shape[-1]), y[~out].ravel()
        weights, bias = _ridge(inside, inside_y, ridge)
        whole[out] = x[out] @ weights + bias
        slopes, means = _slopes(inside, inside_y)
        single[out] = (x[out] - means) * slopes + inside_y.mean()
    spread = np.square(y - y.mean()).sum()
    r2_units = 1 - np.square(y[..., None] - single).sum((0, 1)) / spread
    weights, bias = _ridge(x.reshape(-1, x.shape[-1]), y.ravel(), ridge)
    return Probe(float(1 - np.square(y - whole).sum() / spread), r2_units, weights, bias)


def separation(values: ArrayLike, quantity: ArrayLike) -> np.ndarray:
    """How well each unit's value alone tells steps where `quantity` is true from the others, `[H]`.

    It is the area under the ROC curve: the chance that a step where it is true has the larger value of two, one of
    each kind (ties count half). 0.5 is chance; 0 separates as well as 1, with the opposite sign.

    Args:
      values: `[..., H]`, such as a gate.
      quantity: `[...]`, true or false, or 1 and 0.

    Raises:
      ValueError: shapes that don't fit, a value that isn't finite, or only one of the two kinds.
    """
    x, y = numbers("values", values), flags("quantity", quantity)
    if x.shape[:-1] != y.shape:
        raise ValueError(
            f"values and quantity have the shapes {x.shape} and {y.shape}; they must be [..., H] and [...]"
        )
    x, y = x.reshape(-1, x.shape[-1]), y.ravel()
    if not np.isfinite(x).all():
        raise ValueError("values must be finite")
    positive, negative = int(y.sum()), int((~y).sum())
    if not positive or not negative:
        raise ValueError("quantity must be true at some steps and false at others")
    found = np.empty(x.shape[-1])
    for unit, column in enumerate(x.T):
        _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranks = midranks(counts)[group]
        found[unit] = (ranks[y].sum() - positive * (positive + 1) / 2) / (positive * negative)
    return found


def _ridge(x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """Weights `[H]` and bias of the least squares with a penalty on the weights."""
    centred = x - x.mean(0)
    gram = centred.T @ centred
    penalty = ridge * max(np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (y - y.mean()))
    return weights, float(y.mean() - x.mean(0) @ weights)


def _slopes(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each unit's own slope `[H]`, 0 for one that never moves, and its mean."""
    centred = x - x.mean(0)
    square = np.square(centred).sum(0)
    moves = square > 0
    return np.where(moves, centred.T @ (y - y.mean()) / np.where(moves, square, 1), 0), x.mean(0)
