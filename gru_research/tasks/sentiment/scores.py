"""Scores of answered labels, in NumPy: of a network's answers on the host, and of trivial answers."""

import numpy as np


def f1(answered: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Returns the macro and the micro F1 score of booleans `[N, C]`: the mean over labels that occur or are answered,
    and the score of all labels' counts together."""
    hits, both = (answered & wanted).sum(0), answered.sum(0) + wanted.sum(0)
    there = both > 0
    if not there.any():
        return float("nan"), float("nan")
    return float((2 * hits[there] / both[there]).mean()), float(2 * hits.sum() / both.sum())


def of_labels(answered: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Returns the metrics of several labels a text, from booleans `[N, C]`."""
    macro, micro = f1(answered, wanted)
    return {"macro_f1": macro, "micro_f1": micro, "exact_match": float((answered == wanted).all(1).mean())}


def of_one_label(answered: np.ndarray, wanted: np.ndarray, outside: int | None = None) -> dict[str, float]:
    """Returns the metrics of one label a text, from booleans `[N, C]` with one True in a row; `outside` is the label of
    texts that no other label is meant for."""
    right = np.asarray((answered & wanted).any(1))
    found = {"accuracy": float(right.mean()), "macro_f1": f1(answered, wanted)[0]}
    if outside is None:
        return found
    beyond = np.asarray(wanted[:, outside])
    return found | {"in_scope_accuracy": _mean(right[~beyond]), "oos_recall": _mean(right[beyond])}


def _mean(right: np.ndarray) -> float:
    return float(right.mean())
