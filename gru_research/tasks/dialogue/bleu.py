"""BLEU of answers, as sacrebleu computes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.config import UserError


def _metric() -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU  # in the extra "applications"
    except ImportError as e:
        raise UserError("bleu=True needs sacrebleu: pip install 'gru_research[applications]'") from e
    return BLEU(tokenize="none", force=True)


def signature() -> str:
    """Returns how BLEU is computed, in sacrebleu's notation."""
    metric = _metric()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def of_arrays(arrays: Mapping[str, np.ndarray]) -> float:
    """Returns BLEU, from 0 to 100, of the tokens of `answers` beside those of `references`, `[N, R, L]`, padded with 0.
    A turn whose reference is 0 alone isn't there. Tokens are the words of BLEU."""
    pairs = [
        (given, wanted)
        for given, wanted in zip(_rows(arrays["answers"]), _rows(arrays["references"]), strict=True)
        if wanted
    ]
    given, wanted = zip(*pairs, strict=True)
    return float(_metric().corpus_score(list(given), [list(wanted)]).score)


def _rows(tokens: np.ndarray) -> list[str]:
    return [" ".join(map(str, row[row != 0].tolist())) for row in tokens.reshape(-1, tokens.shape[-1])]
