"""Collects a few series with their forecasts and surprise, for the report's figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Batch, Params

from . import metrics, nab_score

SHOWN = 4
"""The most series that a report shows."""
POINTS = 2000
"""The most points of a series in a figure: of more, each shown one is the most surprising of its neighbours."""


def collect(
    names: Sequence[str],
    series: Sequence[nab_score.Series],
    threshold: float,
    prepare: Any,
    model: Any,
    params: Params,
    test: Mapping[str, np.ndarray],
    kept: Any,
) -> dict[str, np.ndarray]:
    """Returns for series K, evenly spaced among those with anomalies: its `name/K`, `value/K`, `expected/K`, scaled,
    and `surprise/K` at the points `place/K`, `window/K [W, 2]`, `start/K`, the first point that
    counts; and `threshold`, the surprise of an alarm."""
    del kept
    labelled = [n for n, one in enumerate(series) if one.windows] or list(range(len(series)))
    shown = [labelled[k] for k in np.unique(np.linspace(0, len(labelled) - 1, SHOWN).round().astype(int))]
    batch = {name: jnp.asarray(array[np.array(shown)]) for name, array in test.items()}

    def program(params: Params, batch: Batch) -> Any:
        made = prepare(batch)
        outputs = model.apply(params, made)
        mean, _ = metrics.forecast(outputs, made["inputs"])
        return mean, metrics.sizes(outputs, made)["size"]

    means, sizes = jax.tree.map(np.asarray, jax.jit(program)(params, batch))
    found: dict[str, np.ndarray] = {"threshold": np.array(threshold)}
    for k, n in enumerate(shown):
        count = series[n].length
        scores = metrics.of_sizes(sizes[k], count)
        values = test["points"][n, :count, 0]
        places = thinned(scores, POINTS)
        found |= {
            f"name/{k}": np.array(names[n]),
            f"place/{k}": places,
            f"value/{k}": values[places],
            f"expected/{k}": np.concatenate([[np.nan], means[k, : count - 1]])[places],
            f"surprise/{k}": scores[places],
            f"window/{k}": np.asarray(series[n].windows, int).reshape(-1, 2),
            f"start/{k}": test["start"][n],
        }
    return found


def thinned(scores: np.ndarray, most: int) -> np.ndarray:
    """Returns up to `most` places: of each block of neighbours the one with the highest score."""
    width = -(-len(scores) // most)
    padded = np.pad(scores, (0, -len(scores) % width), constant_values=-1).reshape(-1, width)
    return np.arange(len(padded)) * width + padded.argmax(1)
