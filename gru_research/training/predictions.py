"""Saves the arrays of each test example, from which metrics can be recomputed without training."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_research import records
from gru_research.config import UserError
from gru_research.lookup import describe_error
from gru_research.metrics import Additive, Metric

FOLDER = "arrays"
SEEDS = "seeds"


def test_file(workdir: Path, label: str) -> Path:
    return workdir / FOLDER / f"test-{label}.npz"


def save_test(workdir: Path, label: str, seeds: Sequence[int], kept: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Writes the test set's arrays `[S, N, ...]`, by metric (or "predictions") and name, in the test set's order."""
    arrays = {f"{metric}/{name}": a for metric, parts in kept.items() for name, a in parts.items()}
    whole = io.BytesIO()
    np.savez_compressed(whole, **{SEEDS: np.asarray(seeds), **arrays})  # pyright: ignore[reportArgumentType]
    path = test_file(workdir, label)
    path.parent.mkdir(exist_ok=True)
    records.write_whole(path, whole.getvalue())


def load_test(workdir: Path, label: str) -> tuple[tuple[int, ...], dict[str, dict[str, np.ndarray]]]:
    """Returns the seeds and the arrays that `save_test` wrote."""
    kept: dict[str, dict[str, np.ndarray]] = {}
    with np.load(test_file(workdir, label), allow_pickle=False) as arrays:
        for key in arrays.files:
            metric, slash, name = key.partition("/")
            if slash:
                kept.setdefault(metric, {})[name] = arrays[key]
        return tuple(int(seed) for seed in arrays[SEEDS]), kept


def compute(metric: Metric, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Computes a metric of each member `[S]` from its examples' arrays `[S, N, ...]`.

    Raises:
      UserError: the metric's function fails, or doesn't return one number for each seed.
    """
    if isinstance(metric, Additive):
        return finished(metric, {name: a.sum(1, dtype=np.float64) for name, a in parts.items()})
    members = len(next(iter(parts.values())))
    each = [_called("score", metric.score, {name: a[s] for name, a in parts.items()}) for s in range(members)]
    return _one_number("score", each, (members,))


def finished(metric: Additive, sums: Mapping[str, np.ndarray]) -> np.ndarray:
    """Computes a metric of each member `[S]` from its sums `[S]`. Raises UserError where its function fails."""
    return _one_number("finish", _called("finish", metric.finish, sums), next(iter(sums.values())).shape)


def _called(name: str, function: Callable[[Any], Any], parts: Mapping[str, np.ndarray]) -> Any:
    try:
        return function(parts)
    except Exception as e:  # a user's metric may raise anything; the user sees it
        raise UserError(f"a metric's {name} fails ({describe_error(e)})") from e


def _one_number(name: str, found: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Converts the result of a metric's function to numbers `[S]`."""
    try:
        values = np.asarray(found)
    except ValueError:  # values of different shapes
        values = np.empty(0, object)
    if values.shape != shape or values.dtype.kind not in "biuf":
        text = " ".join(repr(found).split())[:60]
        raise UserError(f"a metric's {name} gives {text}, and must give one number for each seed")
    return values


def recompute(metrics: Mapping[str, Metric], workdir: Path, label: str) -> dict[str, np.ndarray]:
    """Recomputes a finished cell's test metrics, `[S]` by name, from the saved arrays."""
    _, kept = load_test(workdir, label)
    return {name: compute(metric, kept[name]) for name, metric in metrics.items() if name in kept}
