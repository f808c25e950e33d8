"""Metrics of a ranking of points by their anomaly scores, for which no threshold is chosen."""

from collections.abc import Sequence

import numpy as np

THRESHOLDS = 250


def _ranks(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points from the highest score down, and how many are detected at each threshold."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the probability that an anomalous point has a higher score than another one; equal scores count half.

    Args:
      scores, labels: `[N]`; both labels must occur, otherwise it is NaN.
    """
    order, counts = _ranks(scores)
    hits = np.concatenate([[0], np.cumsum(labels[order])[counts - 1]])
    misses = np.concatenate([[0], counts]) - hits
    total = hits[-1] * misses[-1]
    return float(np.sum(np.diff(misses) * (hits[1:] + hits[:-1])) / 2 / total) if total else float("nan")


def auprc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the average precision, the precision at each threshold weighted by the recall gained; NaN without an
    anomalous point."""
    order, counts = _ranks(scores)
    hits = np.cumsum(labels[order])[counts - 1]
    if not hits[-1]:
        return float("nan")
    return float(np.sum(np.diff(hits, prepend=0) * hits / counts) / hits[-1])


def vus_pr(scores: np.ndarray, labels: np.ndarray, buffer: int) -> float:
    """Returns the volume under the surface of precision and recall over thresholds and buffers.

    Paparrizos et al. (VLDB 2022, "Volume under the surface") define it.
    Labels extend beyond each anomaly with weights that fall over half a buffer, because a detection close to an anomaly
    is better than one far away. The recall is also multiplied by the share of anomalies with a detection. The volume is
    the mean over buffers of 0 to `buffer` steps. As in `RangeAUC_volume_opt` of the authors' code, there are 250
    thresholds, only detected points of an extension count as positive, and areas are sums of rectangles.

    Args:
      scores, labels: `[N]`; NaN without an anomalous point.
      buffer: the longest buffer, in steps.
    """
    labels = np.asarray(labels, bool)
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), int)
    rank[order] = np.arange(len(scores))
    places = np.linspace(0, len(scores) - 1, THRESHOLDS).astype(int)
    counts = len(scores) - np.searchsorted(np.sort(scores), scores[order][places], side="left")
    edges = np.diff(np.concatenate([[0], labels.astype(np.int8), [0]]))
    runs = list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
    inside = np.cumsum(labels[order])[counts - 1]
    places = np.flatnonzero(extension(runs, len(labels), buffer) * ~labels)
    bins = np.searchsorted(counts, rank[places], side="right")  # the first threshold that detects each of these
    areas = []
    for steps in range(buffer + 1):
        weights = extension(runs, len(labels), steps)[places]
        near = np.cumsum(np.bincount(bins, weights, len(counts)))
        first = np.array([rank[start:stop].min() for start, stop in _segments(runs, len(labels), steps // 2)])
        existing = (first < counts[:, None]).mean(1)
        recall = np.minimum((inside + near) / (labels.sum() + near / 2), 1) * existing
        areas.append(np.sum(np.diff(recall, prepend=0) * (inside + near) / counts))
    return float(np.mean(areas))


def extension(runs: Sequence[tuple[int, int]], length: int, buffer: int) -> np.ndarray:
    """Returns weights `[N]`: `sqrt(1 - d / buffer)` at a distance d of up to half a buffer from a run, added up and at
    most 1.

    Args:
      runs: the first point of each run, and the first after it.
    """
    weights = np.zeros(length)
    if buffer:
        for start, stop in runs:
            after = np.arange(stop, min(stop + buffer // 2, length))
            before = np.arange(max(start - buffer // 2, 0), start)
            weights[after] += np.sqrt(1 - (after - stop + 1) / buffer)
            weights[before] += np.sqrt(1 - (start - before) / buffer)
    return np.minimum(weights, 1)


def _segments(runs: Sequence[tuple[int, int]], length: int, reach: int) -> list[tuple[int, int]]:
    """Returns the runs, extended by `reach` points on both sides, and joined where they overlap."""
    found: list[tuple[int, int]] = []
    for start, stop in runs:
        extended = max(start - reach, 0), min(stop + reach, length)
        if found and start - reach < found[-1][1]:
            extended = found.pop()[0], extended[1]
        found.append(extended)
    return found
