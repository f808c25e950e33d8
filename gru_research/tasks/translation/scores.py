"""BLEU and chrF of translations, as sacrebleu computes them (Post 2018, arXiv 1804.08771)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from gru_research.config import UserError

from .pieces import Pieces

Kind = Literal["bleu", "bleu_lowercase", "chrf"]


@functools.cache
def _metric(kind: Kind) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU  # in the extra "applications"
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as e:
        raise UserError("translation needs sacrebleu: pip install 'gru_research[applications]'") from e
    return CHRF() if kind == "chrf" else BLEU(lowercase=kind == "bleu_lowercase")


def score(kind: Kind, given: Sequence[str], wanted: Sequence[str]) -> float:
    """Returns a corpus's score, from 0 to 100; without sentences NaN."""
    return float(_metric(kind).corpus_score(given, [wanted]).score) if given else float("nan")


def signature(kind: Kind) -> str:
    """Returns how a score is computed, in sacrebleu's notation."""
    metric = _metric(kind)
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def statistics(given: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Returns what BLEU counts in each sentence, `[N, 10]`: words given and wanted, right 1- to 4-grams, and 1- to
    4-grams given. BLEU is a function of the sums."""
    found = _metric("bleu")._extract_corpus_statistics(given, [wanted])
    return np.array(found, np.int64).reshape(len(given), 10)


@dataclasses.dataclass(frozen=True)
class OfArrays:
    """A score of the texts of `answers` beside those of `targets`, pieces `[N, U]`.

    It is of the sentences whose number of source words, `words [N]`, is at least `least` and below `end`; without `end`
    there is no limit.
    """

    pieces: Pieces
    kind: Kind
    least: int = 0
    end: int | None = None

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> float:
        counted = np.ones(len(arrays["answers"]), bool)
        if "words" in arrays:
            words = arrays["words"]
            counted = (words >= self.least) & (words < (np.inf if self.end is None else self.end))
        given, wanted = (self.pieces.decode(arrays[name][counted].tolist()) for name in ("answers", "targets"))
        return score(self.kind, given, wanted)
