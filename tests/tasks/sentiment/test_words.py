"""Words of texts: as in the treebanks, whole where they are known, and SST-2's own."""

import pytest

from gru_research.data import DataDirs, load
from gru_research.data.text_arrays import to_texts
from gru_research.tasks.files.categorical import UNKNOWN
from gru_research.tasks.sentiment.words import NEGATIONS, split_words, words_of_training


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's NOT bad!", "it 's not bad !"),
        ("I don't, can't, won't; they\u2019re", "i do n't , ca n't , wo n't ; they 're"),
        ("well-made (3.5/10)...", "well-made ( 3.5/10 ) ..."),
        ("Really?! \u201cyes\u201d", "really ?! \u201c yes \u201d"),
        ("[NAME] likes <unknown> o'clock", "[name] likes <unknown> o'clock"),
        ("cr\u00e8me br\u00fbl\u00e9e \u00e7a", "cr\u00e8me br\u00fbl\u00e9e \u00e7a"),
        ("a  tab\tand\nlines", "a tab and lines"),
        (" ", ""),
    ],
)
def test_words_and_marks_are_divided(text: str, words: str) -> None:
    assert split_words(text) == words.split()
    assert split_words(words) == words.split()  # once divided, they stay


def test_known_words_stay_whole() -> None:
    assert split_words("Mr. X, a.i.") == ["mr", ".", "x", ",", "a.i", "."]
    assert split_words("Mr. X, a.i.", {"mr.", "a.i."}) == ["mr.", "x", ",", "a.i."]


def test_sst2_is_divided_as_it_is(sst2_data_dir: str) -> None:
    sets = load("sst2", DataDirs(sst2_data_dir))
    texts = {split: to_texts(arrays["text"], arrays["length"]) for split, arrays in sets.items()}
    known = set(words_of_training([text.split() for text in texts["train"]], 2))
    assert len(known) == 14_310 and UNKNOWN in known and len(known & set(NEGATIONS)) >= 12
    other = {split: sum(split_words(t, known) != t.split() for t in found) for split, found in texts.items()}
    # The treebank's brackets, slashes and abbreviations that training lacks.
    assert other["train"] < 10 and other["validation"] < 0.07 * 872 and other["test"] < 0.06 * 1821


def test_rare_words_are_unknown() -> None:
    texts = [["b", "a", "b"], ["a", "c"]]
    assert words_of_training(texts, 2) == ["a", "b", UNKNOWN]
    assert words_of_training(texts, 1) == ["a", "b", "c", UNKNOWN]
