"""Naive Bayes against sums over words and pairs written out, and its published figures on SST-2."""

import itertools
import math

import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks.sentiment.facts import SMOOTHINGS, targets
from gru_research.tasks.sentiment.naive_bayes import LabelBayes, NaiveBayes, best_class
from gru_research.tasks.sentiment.reading import read_builtin
from gru_research.tasks.sentiment.scores import f1

TEXTS = [text.split() for text in ("a b a", "b c", "a a", "c d b", "d")]
CLASSES = np.array([0, 1, 0, 1, 2])
ASKED = [text.split() for text in ("a b", "c d x", "b b b", "x y", "d d")]


def grams(text: list[str]) -> set[tuple[str, ...]]:
    return {(word,) for word in text} | set(itertools.pairwise(text))


def oracle(text: list[str], members: list[int], smoothing: float) -> float:
    """Returns the log joint probability of a text with a class of some `members` of `TEXTS`."""
    known = set().union(*map(grams, TEXTS))
    counts = {gram: smoothing + sum(gram in grams(TEXTS[n]) for n in members) for gram in known}
    total = sum(counts.values())
    return math.log(len(members)) + sum(math.log(counts[gram] / total) for gram in grams(text) & known)


@pytest.mark.parametrize("smoothing", [1.0, 0.1])
def test_scores_are_the_sums_over_words_and_pairs(smoothing: float) -> None:
    scores = NaiveBayes.of(TEXTS, np.eye(3)[CLASSES]).scores(ASKED, smoothing)
    members = [np.flatnonzero(c == CLASSES).tolist() for c in range(3)]
    expected = np.array([[oracle(text, each, smoothing) for each in members] for text in ASKED])
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    if smoothing == 1:
        np.testing.assert_array_equal(best_class(TEXTS, CLASSES, ASKED, 3), expected.argmax(1))
        assert set(expected.argmax(1)) == {0, 1}


def test_each_label_has_a_model_of_its_own() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [1, 0]])
    found = LabelBayes.of(TEXTS, labels).likely(ASKED, 0.1)
    for n, text in enumerate(ASKED):
        for label in range(2):
            having, lacking = (np.flatnonzero(labels[:, label] == there).tolist() for there in (1, 0))
            assert found[n, label] == (oracle(text, having, 0.1) > oracle(text, lacking, 0.1))
    assert found.any() and not found.all()


@pytest.mark.processes
def test_the_published_figures_on_sst2_come_out(sst2_data_dir: str) -> None:
    sets = read_builtin("sst2", DataDirs(sst2_data_dir))
    wanted = {split: targets(texts, ("negative", "positive")).argmax(1) for split, texts in sets.items()}
    for split, share in (("test", 83.2), ("validation", 80.2)):
        found = best_class(sets["train"].words, wanted["train"], sets[split].words, 2)
        assert round(100 * float((found == wanted[split]).mean()), 1) == share
    assert round(100 * float((wanted["test"] == 1).mean()), 1) == 49.9


@pytest.mark.processes
def test_emotions_have_a_model_for_each_label(goemotions_data_dir: str) -> None:
    sets = read_builtin("goemotions", DataDirs(goemotions_data_dir))
    names = sorted({name for labels in sets["train"].labels for name in labels})
    wanted = {split: targets(texts, names).astype(bool) for split, texts in sets.items()}
    model = LabelBayes.of(sets["train"].words, wanted["train"])
    on = {s: f1(model.likely(sets["validation"].words, s), wanted["validation"])[0] for s in SMOOTHINGS}
    assert max(on, key=lambda s: on[s]) == 0.01
    macro, micro = f1(model.likely(sets["test"].words, 0.01), wanted["test"])
    assert (round(macro, 3), round(micro, 3)) == (0.277, 0.371)
