"""What is kept of each test example, from which metrics can be computed again without training."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gru_research import records
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
    """The seeds, and the arrays as `save_test` was given them."""
    kept: dict[str, dict[str, np.ndarray]] = {}
    with np.load(test_file(workdir, label), allow_pickle=False) as arrays:
        for key in arrays.files:
            metric, slash, name = key.partition("/")
            if slash:
                kept.setdefault(metric, {})[name] = arrays[key]
        return tuple(int(seed) for seed in arrays[SEEDS]), kept


def compute(metric: Metric, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """A metric of each member `[S]` from its examples' arrays `[S, N, ...]`."""
    if isinstance(metric, Additive):
        return metric.finish({name: a.sum(1, dtype=np.float64) for name, a in parts.items()})
    members = len(next(iter(parts.values())))
    return np.array([metric.score({name: a[s] for name, a in parts.items()}) for s in range(members)])


def again(metrics: Mapping[str, Metric], workdir: Path, label: str) -> dict[str, np.ndarray]:
    """The metrics of a finished cell's test set, `[S]` by name, from what was kept of it."""
    _, kept = load_test(workdir, label)
    return {name: compute(metric, kept[name]) for name, metric in metrics.items() if name in kept}
