"""BLEU from counts, and the paired bootstrap, beside sacrebleu's own."""

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from gru_research import stats

WORDS = np.array("a b c d e f g h i j".split())


def corpus(seed: int, noise: float) -> tuple[list[str], list[str]]:
    """Sentences, and copies in which the share `noise` of the words is drawn anew."""
    rng = np.random.default_rng(seed)
    wanted = [rng.choice(WORDS, rng.integers(5, 15)) for _ in range(60)]
    given = [np.where(rng.random(len(row)) < noise, rng.choice(WORDS, len(row)), row)[: len(row) - n % 2]
             for n, row in enumerate(wanted)]  # fmt: skip
    return [" ".join(row) for row in given], [" ".join(row) for row in wanted]


def counts(given: list[str], wanted: list[str]) -> np.ndarray:
    return np.array(BLEU()._extract_corpus_statistics(given, [wanted]))


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.6, 1.0])
def test_it_is_the_score_of_sacrebleu(noise: float) -> None:
    given, wanted = corpus(0, noise)
    assert stats.corpus_bleu(counts(given, wanted).sum(0)) == pytest.approx(BLEU().corpus_score(given, [wanted]).score)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["a b c d e"], ["a x c y e"]),  # no pair is right: smoothing
        (["a b x d e"], ["a b c d e"]),
        (["x y z v w"], ["a b c d e"]),  # nothing is right
        (["a b"], ["a b"]),  # too short for 4-grams
        ([""], ["a b c d"]),
        (["a b c d a b c d"], ["a b c d"]),  # too long
    ],
)
def test_it_is_the_score_of_sacrebleu_at_the_edges(given: list[str], wanted: list[str]) -> None:
    expected = BLEU().corpus_score(given, [wanted]).score
    assert stats.corpus_bleu(counts(given, wanted).sum(0)) == pytest.approx(expected, abs=1e-9)


def test_the_test_is_that_of_sacrebleu() -> None:
    """Resamples differ, so p agrees up to the error of 4,000 draws of a probability."""
    (first, wanted), (second, _) = corpus(0, 0.30), corpus(0, 0.31)
    x, y = counts(first, wanted), counts(second, wanted)
    found = stats.paired_bleu(x, y, resamples=4000)
    _, scores = PairedTest(
        [("x", first), ("y", second)], {"BLEU": BLEU(references=[wanted])}, None, test_type="bs", n_samples=4000
    )()  # fmt: skip
    theirs, other = scores["BLEU"]
    assert found.x == pytest.approx(theirs.score) and found.y == pytest.approx(other.score)
    assert 0.01 < other.p_value < 0.99
    assert found.p == pytest.approx(other.p_value, abs=4 * np.sqrt(2 * 0.25 / 4000))
    assert found.difference.low < found.difference.value < found.difference.high
    back = stats.paired_bleu(y, x, resamples=4000)
    assert back.difference.value == -found.difference.value and back.p == found.p


def test_equal_systems_do_not_differ() -> None:
    x = counts(*corpus(1, 0.3))
    found = stats.paired_bleu(x, x, resamples=50)
    assert (found.difference.low, found.difference.value, found.difference.high) == (0, 0, 0)
    assert found.p == pytest.approx(1 / 51)  # as sacrebleu: a difference of 0 is not due to chance


@pytest.mark.parametrize("shapes", [((3, 10), (4, 10)), ((3, 9), (3, 9)), ((0, 10), (0, 10))])
def test_wrong_shapes_are_refused(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="must be counts"):
        stats.paired_bleu(*(np.ones(shape) for shape in shapes))
