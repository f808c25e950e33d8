"""ROUGE against values computed by hand, and the trivial summaries of AESLC against the literature's."""

import pytest

import gru_research as gr
from gru_research.data import DataDirs
from gru_research.models import no_attention, pointer
from gru_research.tasks.summarisation import summarisation
from gru_research.tasks.summarisation.reading import Pair
from gru_research.tasks.summarisation.rouge import mean_rouge, rouge, tokens
from gru_research.tasks.summarisation.trivial import first_sentence, first_words, trivial_answers
from gru_research.training.attention_examples import has_attention


def test_tokens_are_stemmed_words() -> None:
    assert tokens("The meetings, re-scheduled: 10/30!") == ("the", "meet", "re", "schedul", "10", "30")
    assert tokens("was is AGREED agreement") == ("was", "is", "agre", "agreement")
    assert tokens("🎉 ... _ ") == ()
    assert tokens("Größe שלום") == ("größe", "שלום")


@pytest.mark.parametrize(
    ("summary", "reference", "values"),
    [
        # 3 of 4 and 3 of 3 words; 1 of 3 and 1 of 2 pairs; "a b" and "c" in order.
        ("a x b c", "a b c", (6 / 7, 2 / 5, 6 / 7)),
        # The same words in reverse: one in order.
        ("c b a", "a b c", (1.0, 0.0, 1 / 3)),
        # A word counts as often as in the text where it is rarer.
        ("a a a a", "a a b", (4 / 7, 2 / 5, 4 / 7)),
        ("a", "a", (1.0, 0.0, 1.0)),
        ("a", "b c", (0.0, 0.0, 0.0)),
        ("", "a", (0.0, 0.0, 0.0)),
        ("", "", (0.0, 0.0, 0.0)),
    ],
)
def test_rouge_by_hand(summary: str, reference: str, values: tuple[float, float, float]) -> None:
    assert rouge(summary.split(), reference.split()) == pytest.approx(values, abs=1e-12)
    assert rouge(reference.split(), summary.split()) == pytest.approx(values, abs=1e-12)


def test_the_best_reference_counts_for_each_measure() -> None:
    found = mean_rouge(["a b c", "x"], [["c b a", "a b d"], ["x"]])
    assert found["rouge_1"] == pytest.approx(100)
    assert found["rouge_2"] == pytest.approx(100 * (0.5 + 0) / 2)
    assert found["rouge_l"] == pytest.approx(100 * (2 / 3 + 1) / 2)


def test_beginnings_of_a_document() -> None:
    assert first_sentence(" Hi Jo, see you at\n1.30 p.m. sharp! Bye.") == "Hi Jo, see you at\n1.30 p.m."
    assert first_sentence("no end") == "no end"
    assert first_words("a  b\nc d", 3) == "a b c"


def test_trivial_summaries_of_a_small_set() -> None:
    train = [Pair("x", "lunch"), Pair("y", "dinner"), Pair("z", "lunch")]
    test = [Pair("lunch today. bring food", "lunch today", ("food", "lunch")), Pair("other", "dinner", ())]
    found = trivial_answers(train, test)
    assert found["the first sentence"]["rouge_1"] == pytest.approx(50)
    assert found["the most frequent summary"]["rouge_1"] == pytest.approx(100 * (2 / 3) / 2)
    assert found["the most frequent summary"]["rouge_1_best"] == pytest.approx(50)


def test_the_trivial_summaries_are_those_of_the_literature(aeslc_data_dir: str) -> None:
    task = summarisation(dirs=DataDirs(aeslc_data_dir))
    assert task.application is not None
    published = {
        "the first sentence": (15.24, 6.55, 13.96),
        "the first 8 words": (12.1, 4.9, 11.6),
        "the first 15 words": (15.0, 6.2, 13.7),
    }
    for name, values in published.items():
        own = task.application.trivial_metrics[name]
        assert (own["rouge_1"], own["rouge_2"], task.trivial[name]) == pytest.approx(values, abs=0.3)
        assert own["rouge_1_best"] > own["rouge_1"]
    assert task.trivial["the most frequent summary"] == pytest.approx(1.0, abs=0.3)
    model = pointer(task.spec, gr.GRU(4))
    assert no_attention(model) is None and not has_attention(model, task)  # a report shows nobody's e-mails
    sets = task.data.load(DataDirs(aeslc_data_dir))
    assert [len(arrays["inputs"]) for arrays in sets.values()] == [14_436, 1_960, 1_906]
    assert all((arrays["targets"] < task.spec.output_size).all() for arrays in sets.values())
