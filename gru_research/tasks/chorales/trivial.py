"""Trivial answers for music in four voices: counts of notes, and of pairs of notes, in training."""

from collections.abc import Sequence

import numpy as np

from gru_research.data.chorales import VOICES

from .pieces import Alphabet, Piece

SMOOTHING = 0.1
"""What is added to each count."""
UNIGRAM, BIGRAM = "how often each voice sings each note", "each voice's last note"


def trivial_answers(train: Sequence[Piece], test: Sequence[Piece], alphabet: Alphabet) -> dict[str, dict[str, float]]:
    """Returns the metrics on `test` of trivial answers, by their names, from counts in `train`.

    `UNIGRAM` is each voice's share of notes; `BIGRAM` the share of notes after the note that the voice sang in the
    frame before. `SMOOTHING` is added to each count.
    """
    learned, asked = ([alphabet.tokens(piece).reshape(-1, len(VOICES)) for piece in pieces] for pieces in (train, test))
    return {UNIGRAM: _metrics(learned, asked, alphabet, False), BIGRAM: _metrics(learned, asked, alphabet, True)}


def _metrics(
    train: Sequence[np.ndarray], test: Sequence[np.ndarray], alphabet: Alphabet, pairs: bool
) -> dict[str, float]:
    """Returns the metrics of counts of single notes or of pairs, from tokens `[T, 4]` of each piece."""
    counts = np.full((len(VOICES), alphabet.size + 1, alphabet.size), SMOOTHING)
    voices = np.arange(len(VOICES))
    for tokens in train:
        np.add.at(counts, (voices, _before(tokens, alphabet, pairs), tokens), 1)
    shares = counts / counts.sum(-1, keepdims=True)
    found = [shares[voices, _before(tokens, alphabet, pairs)] for tokens in test]
    shares_TV = np.concatenate(found).reshape(-1, alphabet.size)
    sung_T = np.concatenate(test).reshape(-1)
    nll = -float(np.log(shares_TV[np.arange(len(sung_T)), sung_T]).mean())
    accuracy = float((shares_TV.argmax(-1) == sung_T).mean())
    return {"nll": nll, "nll_frame": len(VOICES) * nll, "accuracy": accuracy}


def _before(tokens: np.ndarray, alphabet: Alphabet, pairs: bool) -> np.ndarray:
    """Returns the context of each token `[T, 4]`: the voice's last token, or `begin`; always `begin` without pairs."""
    begin = np.full((1, len(VOICES)), alphabet.begin, np.int64)
    return np.concatenate([begin, tokens[:-1]]) if pairs else np.broadcast_to(begin, tokens.shape)
