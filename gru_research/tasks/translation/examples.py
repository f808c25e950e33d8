"""What a report shows of a cell's translations: a few test sentences, and what BLEU counts in each."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.types import Params

from .pieces import Pieces
from .scores import statistics

SHOWN = 5
"""The number of translations that a report shows, evenly spaced over the test set."""


def collect(
    pieces: Pieces, model: Any, params: Params, test: Mapping[str, np.ndarray], kept: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Returns `counts [N, 10]` of all test sentences (`scores.statistics`), and of K of them the texts `source [K]`,
    `wanted [K]` and `given [K]`, with their `places [K]` in the test set."""
    del model, params
    given, wanted = (pieces.decode(kept["bleu"][name].tolist()) for name in ("answers", "targets"))
    places = np.unique(np.linspace(0, len(given) - 1, SHOWN).round().astype(np.int64))
    lengths = test["source_length"][places].tolist()
    sources = [row[:n] for row, n in zip(test["source"][places].tolist(), lengths, strict=True)]
    return {
        "counts": statistics(given, wanted),
        "places": places,
        "source": np.array(pieces.decode(sources)),
        "wanted": np.array([wanted[n] for n in places]),
        "given": np.array([given[n] for n in places]),
    }
