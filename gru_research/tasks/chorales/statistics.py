"""Statistics of music in four voices: histograms, rules of voice leading, and runs copied from training."""

from collections.abc import Sequence

import numpy as np

from gru_research.data.chorales import SILENT, VOICES

from .copies import longest_copies
from .pieces import Piece, Ranges

OCTAVE = 12


def pitch_classes(pieces: Sequence[Piece]) -> np.ndarray:
    """Returns the share of each of the 12 pitch classes, from C, among all notes."""
    notes = np.concatenate([piece[piece != SILENT] for piece in pieces]).astype(int)
    return _shares(notes % OCTAVE, OCTAVE)


def melodic_intervals(pieces: Sequence[Piece]) -> np.ndarray:
    """Returns the share `[25]` of each step in semitones, -12 to 12, among a voice's changes of pitch. Larger steps
    count as 12; the share of 0 is 0."""
    moves = []
    for piece in pieces:
        before, after = piece[:-1].astype(int), piece[1:].astype(int)
        moves.append((after - before)[(before != SILENT) & (after != SILENT) & (before != after)])
    return _shares(np.clip(np.concatenate(moves), -OCTAVE, OCTAVE) + OCTAVE, 2 * OCTAVE + 1)


def harmonic_intervals(pieces: Sequence[Piece]) -> np.ndarray:
    """Returns the share `[12]` of each interval in semitones modulo 12 among all pairs of voices in all frames."""
    found = []
    for piece in pieces:
        for above in range(len(VOICES)):
            for below in range(above + 1, len(VOICES)):
                upper, lower = piece[:, above].astype(int), piece[:, below].astype(int)
                found.append((upper - lower)[(upper != SILENT) & (lower != SILENT)] % OCTAVE)
    return _shares(np.concatenate(found), OCTAVE)


HISTOGRAMS = {
    "pitch classes": pitch_classes,
    "melodic intervals": melodic_intervals,
    "harmonic intervals": harmonic_intervals,
}


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the total variation distance of two histograms: half the sum of absolute differences, 0 to 1."""
    return float(np.abs(first - second).sum() / 2)


def crossings(pieces: Sequence[Piece]) -> float:
    """Returns the share of frames in which a voice sings below the next lower voice."""
    crossed = []
    for piece in pieces:
        above, below = piece[:, :-1], piece[:, 1:]
        crossed.append(((above != SILENT) & (below != SILENT) & (above < below)).any(1))
    return float(np.concatenate(crossed).mean())


def parallels(pieces: Sequence[Piece], interval: int) -> float:
    """Returns how many pairs of voices per 100 chord changes move in parallel at `interval` semitones modulo 12.

    Both voices move, by the same step, and form the interval before and after: 7 finds fifths, 0 octaves and unisons.
    """
    pairs = changes = 0
    for piece in pieces:
        before, after = piece[:-1].astype(int), piece[1:].astype(int)
        changes += int((before != after).any(1).sum())
        for above in range(len(VOICES)):
            for below in range(above + 1, len(VOICES)):
                four = np.stack([before[:, above], before[:, below], after[:, above], after[:, below]])
                same_step = (four[2] - four[0] == four[3] - four[1]) & (four[2] != four[0])
                held = (four[0] - four[1]) % OCTAVE == interval
                pairs += int((same_step & held & (four != SILENT).all(0)).sum())
    return 100 * pairs / max(changes, 1)


def outside(pieces: Sequence[Piece], ranges: Ranges) -> float:
    """Returns the share of notes outside the range of their voice."""
    low, high = np.array(ranges).T
    notes = np.concatenate(pieces).astype(int)
    sounding = notes != SILENT
    return float((sounding & ((notes < low) | (notes > high))).sum() / max(sounding.sum(), 1))


def repeats(pieces: Sequence[Piece]) -> float:
    """Returns the share of notes that are the same as in the frame before."""
    return float(np.concatenate([(piece[1:] == piece[:-1]).ravel() for piece in pieces]).mean())


def summary(pieces: Sequence[Piece], train: Sequence[Piece], test: Sequence[Piece], ranges: Ranges) -> dict[str, float]:
    """Returns the statistics of pieces by name: distances of histograms are to `test`, copies are from `train`."""
    copies = longest_copies(pieces, train)
    return {
        **distances(pieces, test),
        "repeated notes": repeats(pieces),
        "voice crossings": crossings(pieces),
        "parallel fifths": parallels(pieces, 7),
        "parallel octaves": parallels(pieces, 0),
        "outside the range": outside(pieces, ranges),
        "copied frames, median": float(np.median(copies)),
        "copied frames, longest": float(copies.max()),
    }


def distances(pieces: Sequence[Piece], test: Sequence[Piece]) -> dict[str, float]:
    """Returns the distance between each histogram and the same histogram of `test`, by name."""
    return {f"distance of {name}": distance(of(pieces), of(test)) for name, of in HISTOGRAMS.items()}


def _shares(values: np.ndarray, size: int) -> np.ndarray:
    counts = np.bincount(values, minlength=size).astype(float)
    return counts / max(counts.sum(), 1)
