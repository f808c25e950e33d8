"""Trivial answers to dialogues: by hand, and the literature's numbers from the real data."""

import pytest

from gru_research.data import DataDirs, load
from gru_research.data.own_files import Dialogue, parse_dialogues
from gru_research.tasks.dialogue.trivial import (
    FREQUENT,
    SAME,
    per_dialogue,
    per_response,
    right_answers,
    trivial_answers,
)

TRAIN = "1 hi\thello\n2 a b c\n3 hi\tok\n1 hi\thello\n2 bye\tok\n1 bye\tok\n2 no\tok\n"
TEST = "1 hi\thello\n2 what\tok\n1 bye\tbye\n"


def test_answers_by_hand() -> None:
    train, test = parse_dialogues(TRAIN, "train"), parse_dialogues(TEST, "test")
    right = right_answers(test)
    found = trivial_answers(train, test)
    assert found[FREQUENT] == [[("ok",), ("ok",)], [("ok",)]]
    assert found[SAME] == [[("hello",), ("ok",)], [("ok",)]]
    assert (per_response(found[FREQUENT], right), per_dialogue(found[FREQUENT], right)) == (1 / 3, 0)
    assert (per_response(found[SAME], right), per_dialogue(found[SAME], right)) == (2 / 3, 1 / 2)


def dialogues(task: int, split: str, data_dir: str) -> list[Dialogue]:
    text = load(f"dialog_babi_{task}", DataDirs(data_dir))[split]["text"].tobytes().decode()
    return parse_dialogues(text, split)


@pytest.mark.processes
@pytest.mark.parametrize(
    ("task", "same", "frequent"),
    # In percent. The first column is the nearest neighbour of Bordes et al. 2017, table 2.
    [(1, 55.1, None), (2, 68.3, None), (3, 58.8, None), (4, 28.6, None), (5, 57.1, 11.0), (6, 21.9, 9.9)],
)
def test_the_nearest_neighbour_is_the_literature_s(
    task: int, same: float, frequent: float | None, dialog_babi_data_dir: str
) -> None:
    train, test = (dialogues(task, split, dialog_babi_data_dir) for split in ("train", "test"))
    found, right = trivial_answers(train, test), right_answers(test)
    assert 100 * per_response(found[SAME], right) == pytest.approx(same, abs=0.05)
    if frequent is not None:
        assert 100 * per_response(found[FREQUENT], right) == pytest.approx(frequent, abs=0.05)
