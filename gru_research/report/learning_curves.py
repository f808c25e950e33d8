"""The learning curves of a cell, from its evaluations."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from gru_research import records, stats


@dataclasses.dataclass(frozen=True)
class Curve:
    """The validation metric [N, S] at `steps` [N] (updates), with non-finite seeds ranked worst.

    Steps at which some seed has no value, and had not diverged before, are omitted: an IQM over fewer seeds isn't
    comparable with values at other steps.
    """

    steps: np.ndarray
    values: np.ndarray
    seeds: tuple[int, ...]


def curve(evaluations: Sequence[records.Evaluation], direction: stats.Direction) -> Curve:
    """Returns the learning curves from the evaluations of a cell."""
    # If a seed has two evaluations at a step, the later one counts.
    value: dict[tuple[int, int], float | None] = {}
    diverged: dict[int, int] = {}
    for line in evaluations:
        seed, step, diverged_at = line.seed, line.step, line.diverged_at
        value[seed, step] = None if diverged_at is not None else line.validation_metric
        if diverged_at is not None:
            diverged[seed] = min(diverged_at, diverged.get(seed, diverged_at))
    seeds = tuple(sorted({seed for seed, _ in value}))
    steps = [
        step
        for step in sorted({step for _, step in value})
        if all((seed, step) in value or diverged.get(seed, math.inf) <= step for seed in seeds)
    ]
    rows = [stats.rank_worst([value.get((seed, step)) for seed in seeds], direction) for step in steps]
    return Curve(np.array(steps, dtype=np.int64), np.array(rows).reshape(len(steps), len(seeds)), seeds)
