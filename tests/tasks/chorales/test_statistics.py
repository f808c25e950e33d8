"""Statistics of music against counts by hand, and copied runs against a search through everything."""

import numpy as np
import pytest

from gru_research.tasks.chorales import statistics
from gru_research.tasks.chorales.copies import Runs, longest_copies
from gru_research.tasks.chorales.pieces import Piece, transposed
from tests.tasks.chorales.test_pieces import drawn, piece

C, D, E, G = 60, 62, 64, 67


def test_histograms_by_hand() -> None:
    music = piece((G, E, C, C - 12), (G, D, -1, C - 12), (-1, D, C, -1))
    of_classes = statistics.pitch_classes([music])
    assert of_classes * 9 == pytest.approx([4, 0, 2, 0, 1, 0, 0, 2, 0, 0, 0, 0])
    melodic = statistics.melodic_intervals([music])
    assert melodic[12 - 2] == 1 and melodic.sum() == 1  # E to D; silence is no step
    harmonic = statistics.harmonic_intervals([music]) * 10
    pairs = [3, 7, 7, 4, 4, 0, 5, 7, 2, 2]  # three frames: all six pairs, three pairs, one pair
    assert harmonic == pytest.approx(np.bincount(pairs, minlength=12))


def test_wide_steps_count_as_an_octave() -> None:
    melodic = statistics.melodic_intervals([piece((50, 50, 50, 50), (70, 35, 49, 50))])
    assert [melodic[24], melodic[0], melodic[11]] == pytest.approx([1 / 3] * 3)


def test_the_distance_of_histograms_is_half_the_sum_of_differences() -> None:
    assert statistics.distance(np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])) == pytest.approx(0.5)
    assert statistics.distance(np.array([1.0, 0]), np.array([0, 1.0])) == 1


def test_rules_of_voice_leading_by_hand() -> None:
    # Soprano and alto: fifths in parallel. Tenor and bass: an octave in parallel, then contrary motion to an octave.
    music = piece((G, C, 50, 38), (G + 2, C + 2, 52, 40), (G + 2, C + 2, 50, 50), (G, G + 1, 50, 50))
    assert statistics.parallels([music], 7) == pytest.approx(100 / 3)
    assert statistics.parallels([music], 0) == pytest.approx(100 / 3)
    assert statistics.crossings([music]) == 1 / 4
    assert statistics.repeats([music]) == 4 / 12
    assert statistics.outside([music], [(G, G + 2), (C, C + 2), (50, 52), (38, 40)]) == 3 / 16


def test_voices_that_stand_still_are_not_parallel() -> None:
    still = piece((G, C, 50, 38), (G, C, 50, 38))
    assert statistics.parallels([still], 7) == statistics.parallels([still], 0) == 0


def runs_of(music: Piece, length: int) -> set[bytes]:
    """Returns all runs of frames of a length, each relative to its own first lowest note."""
    found = set()
    for start in range(len(music) - length + 1):
        part = music[start : start + length].astype(int)
        lowest = part[0][part[0] >= 0].min()
        found.add(np.where(part < 0, -1, part - lowest).astype(np.int16).tobytes())
    return found


def test_copies_against_a_search_through_everything() -> None:
    def voices(length: int, seed: int) -> Piece:
        notes = np.random.RandomState(seed).randint(50, 52, (length, 4))
        return np.where(np.arange(4) == 3, np.clip(notes, 40, 50), notes).astype(np.int8)

    train = [voices(40, seed) for seed in range(6)]
    asked = [voices(30, 20 + seed) for seed in range(6)]
    asked.append(transposed(train[2][5:25], 3))
    want = []
    for one in asked:
        lengths = [n for n in range(1, len(one) + 1) if runs_of(one, n) & set().union(*(runs_of(t, n) for t in train))]
        want.append(max(lengths, default=0))
    assert longest_copies(asked, train).tolist() == want
    assert want[-1] == 20 and min(want) >= 2


def test_a_chord_that_training_lacks_is_no_copy() -> None:
    assert longest_copies([piece((70, 60, 51, 40))], [drawn(5, 0)]).tolist() == [0]


def test_runs_end_where_a_sequence_ends() -> None:
    runs = Runs(["abcab", "xaby"])
    for text, length in {"cabx": 3, "abab": 2, "zzz": 0, "abcab": 5, "bxab": 3, "": 0}.items():
        assert runs.longest(text) == length, text
    draws = np.random.RandomState(0)
    for _ in range(50):
        known, asked = ("".join(draws.choice(list("ab"), 20)) for _ in range(2))
        want = max(n for n in range(21) if any(asked[i : i + n] in known for i in range(21 - n)))
        assert Runs([known]).longest(asked) == want


def test_a_set_is_at_no_distance_to_itself() -> None:
    music = [drawn(40, seed) for seed in range(3)]
    ranges = [(50, 60)] * 4
    found = statistics.summary(music, music, music, ranges)
    assert [value for name, value in found.items() if name.startswith("distance")] == [0, 0, 0]
    assert found["copied frames, longest"] == 40 and found["outside the range"] == 0
