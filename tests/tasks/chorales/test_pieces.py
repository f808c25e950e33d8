"""Pieces as tokens: alphabets, segments with their context, transpositions; and counts of notes as trivial answers."""

import math
from collections import Counter

import numpy as np
import pytest

from gru_research.data import DataDirs, load
from gru_research.tasks.chorales.pieces import (
    Alphabet,
    Piece,
    alphabet_of,
    from_stored,
    in_all_keys,
    ranges_of,
    rows,
    shifts_within,
    transposed,
)
from gru_research.tasks.chorales.trivial import BIGRAM, SMOOTHING, UNIGRAM, trivial_answers


def piece(*frames: tuple[int, int, int, int]) -> Piece:
    return np.array(frames, np.int8)


def drawn(length: int, seed: int, low: int = 50, high: int = 60) -> Piece:
    """Returns a random piece; one note in ten is silent."""
    draws = np.random.RandomState(seed)
    notes = draws.randint(low, high + 1, (length, 4))
    return np.where(draws.rand(length, 4) < 0.1, -1, notes).astype(np.int8)


def test_tokens_are_silence_then_the_pitches_upwards() -> None:
    alphabet = Alphabet(50, 52)
    tokens = alphabet.tokens(piece((52, 51, -1, 50), (50, -1, -1, 52)))
    assert (alphabet.size, alphabet.begin) == (4, 4)
    assert tokens.tolist() == [3, 2, 0, 1, 1, 0, 0, 3]
    np.testing.assert_array_equal(alphabet.pitches(tokens), [[52, 51, -1, 50], [50, -1, -1, 52]])


def test_a_pitch_outside_the_alphabet_is_named() -> None:
    with pytest.raises(ValueError, match="step 1: pitch 53 of the tenor must be from 50 to 52, the pitches that"):
        Alphabet(50, 52).tokens(piece((50, 50, 50, 50), (50, 51, 53, 49)))


def test_transpositions_keep_each_voice_within_its_range() -> None:
    ranges = [(60, 70), (50, 60), (40, 50), (128, -1)]
    high = piece((64, 58, -1, -1), (62, 57, 41, -1))
    assert shifts_within(high, ranges) == range(-1, 3)
    assert shifts_within(piece((70, 50, 40, -1), (70, 60, 45, -1)), ranges) == range(0, 1)
    np.testing.assert_array_equal(transposed(high, -1), [[63, 57, -1, -1], [61, 56, 40, -1]])
    assert len(in_all_keys([high, high], ranges)) == 8


def test_rows_cover_each_piece_once_behind_what_comes_before() -> None:
    alphabet, pieces = Alphabet(50, 60), [drawn(7, 0), drawn(3, 1), drawn(8, 2)]
    got = rows(pieces, alphabet, segment=4, context=2)
    assert got["tokens"].dtype == np.uint8
    assert got["tokens"].shape == (5, 1 + 4 * 6)
    assert (got["clock"] // 4).tolist() == [0, 1, 0, 0, 2]
    assert (got["context"] // 4).tolist() == [0, 2, 0, 0, 2]
    assert (got["length"] // 4).tolist() == [3, 6, 3, 4, 6]
    of_piece = [0, 0, 1, 2, 2]
    joined: list[list[int]] = [[], [], []]
    for row, n, clock, length, context in zip(
        got["tokens"], of_piece, got["clock"], got["length"], got["context"], strict=True
    ):
        whole = [alphabet.begin, *alphabet.tokens(pieces[n]).tolist()]
        assert row[: 1 + length].tolist() == whole[clock : clock + length + 1]
        assert not row[1 + length :].any()
        joined[n] += row[1 + context : 1 + length].tolist()
    assert joined == [alphabet.tokens(one).tolist() for one in pieces]


def test_uncut_rows_are_whole_pieces() -> None:
    got = rows([drawn(7, 0), drawn(3, 1)], Alphabet(50, 60))
    assert got["length"].tolist() == [28, 12]
    assert not got["clock"].any() and not got["context"].any()


def test_counts_against_plain_python() -> None:
    alphabet = Alphabet(50, 53)
    train, test = ([drawn(9, s + n, 50, 53) for n in range(3)] for s in (0, 10))
    found = trivial_answers(train, test, alphabet)
    for name, pairs in {UNIGRAM: False, BIGRAM: True}.items():
        counts: Counter[tuple[int, ...]] = Counter()
        for one in train:
            for voice in range(4):
                last = None
                for pitch in one[:, voice].tolist():
                    counts[voice, last if pairs else None, pitch] += 1
                    last = pitch
        total, right, notes = 0.0, 0, 0
        for one in test:
            for voice in range(4):
                last = None
                for pitch in one[:, voice].tolist():
                    known = [counts[voice, last if pairs else None, p] + SMOOTHING for p in (-1, 50, 51, 52, 53)]
                    place = (-1, 50, 51, 52, 53).index(pitch)
                    total -= math.log(known[place] / sum(known))
                    right += known.index(max(known)) == place
                    notes += 1
                    last = pitch
        assert found[name]["nll"] == pytest.approx(total / notes, rel=1e-9)
        assert found[name]["nll_frame"] == pytest.approx(4 * total / notes, rel=1e-9)
        assert found[name]["accuracy"] == right / notes


@pytest.fixture(scope="module")
def chorales(chorales_data_dir: str) -> dict[str, list[Piece]]:
    return {split: from_stored(arrays) for split, arrays in load("chorales", DataDirs(chorales_data_dir)).items()}


def test_the_chorales_are_as_published(chorales: dict[str, list[Piece]]) -> None:
    """Sizes and trivial answers prove that pieces are read and scored as elsewhere."""
    assert [sum(map(len, pieces)) for pieces in chorales.values()] == [55_228, 18_408, 18_900]
    alphabet = alphabet_of(chorales["train"])
    assert alphabet == alphabet_of([one for pieces in chorales.values() for one in pieces]) == Alphabet(36, 81)
    assert ranges_of(chorales["train"]) == [(60, 81), (52, 74), (46, 69), (36, 66)]
    found = trivial_answers(chorales["train"], chorales["test"], alphabet)
    rounded = {name: (f"{m['nll']:.2f}", f"{m['nll_frame']:.2f}") for name, m in found.items()}
    assert rounded[UNIGRAM] == ("2.64", "10.55")
    assert f"{found[BIGRAM]['nll']:.3f}" == "0.983" and rounded[BIGRAM][1] == "3.93"
    repeats = np.concatenate([(one[1:] == one[:-1]).ravel() for one in chorales["test"]])
    assert f"{repeats.mean():.2f}" == "0.77"


def test_every_chorale_is_heard_in_several_keys(chorales: dict[str, list[Piece]]) -> None:
    ranges = ranges_of(chorales["train"])
    everywhere = in_all_keys(chorales["train"], ranges)
    assert len(everywhere) == 1692
    assert ranges_of(everywhere) == ranges
