"""Dialogues as streams of words, and the numbers of words: known, copied only, and unknown."""

import numpy as np

from gru_research.data.own_files import Fact, Turn
from gru_research.tasks.dialogue import streams, vocabulary
from gru_research.tasks.dialogue.vocabulary import BOT, END, SLOTS, USER

HELLO = Turn(("hi",), ("hello", "you"))
ASKED = Turn(("book", "rome"), ("going", "rome"))
FACT = Fact(("inn", "R_rating", "8"))
DIALOGUE = (HELLO, FACT, ASKED)


def test_a_stream_asks_for_each_answer_s_words_after_the_words_before_them() -> None:
    stream = streams.to_stream(DIALOGUE)
    assert stream.words == [USER, "hi", BOT, "hello", "you", "inn", "R_rating", "8", "inn", USER, "book", "rome", BOT,
                            "going", "rome"]  # fmt: skip
    assert stream.targets == ["hello", "you", END, "going", "rome", END] and stream.turns == [0, 0, 0, 1, 1, 1]
    for position, target in zip(stream.positions, stream.targets, strict=True):
        following = stream.words[position + 1 : position + 2]
        assert target == END or following == [target], "a position is the word before its target"
    assert stream.words[stream.positions[0]] == stream.words[stream.positions[3]] == BOT


def test_a_dialogue_is_cut_between_parts() -> None:
    assert streams.shortened(DIALOGUE, 9) == (HELLO, FACT) and streams.shortened(DIALOGUE, 8) == (HELLO,)
    assert streams.with_fewer_facts((FACT, FACT, HELLO, FACT), 1) == (FACT, HELLO, FACT)


def test_a_word_that_was_always_heard_before_is_only_copied() -> None:
    made = vocabulary.learn_vocabulary([DIALOGUE])
    assert made.words[0] == END and set(made.words[: made.generated]) == {END, "hello", "you", "going"}
    assert "rome" in {made.words[number] for number in made.novel}
    everything = vocabulary.learn_vocabulary([DIALOGUE], generate_all=True)
    assert "rome" in everything.words[: everything.generated]
    assert made.size == len(made.words) + SLOTS == len(made.tokens)


def test_unknown_words_get_slots_in_the_order_in_which_they_come() -> None:
    made = vocabulary.learn_vocabulary([DIALOGUE])
    other = (Turn(("book", "oslo"), ("going", "oslo")), Turn(("and", "riga"), ("going", "riga")))
    arrays = streams.encode([other, DIALOGUE], made)
    known, first = made.numbers(), len(made.words)
    assert arrays["inputs"][0, : arrays["length"][0]].tolist() == [
        known[USER], known["book"], first, known[BOT], known["going"], first,
        known[USER], first + 1, first + 2, known[BOT], known["going"], first + 2,
    ]  # fmt: skip
    assert arrays["targets"][0].tolist() == [known["going"], first, 0, known["going"], first + 2, 0]
    assert arrays["inputs"].shape == (2, 15) and (arrays["inputs"][0, 12:] == 0).all()
    assert arrays["targets_length"].tolist() == [6, 6] and arrays["turns"][1].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_masked_copy_has_one_slot_for_each_novel_word() -> None:
    made = vocabulary.learn_vocabulary([DIALOGUE])
    places = [n for n, word in enumerate(streams.to_stream(DIALOGUE).words) if word == "rome"]
    slots = set()
    for seed in range(20):
        row = streams.encode([DIALOGUE], made, np.random.RandomState(seed))["inputs"][0]
        assert row[places[0]] == row[places[1]]
        slots.add(int(row[places[0]]))
    assert made.numbers()["rome"] in slots and max(slots) >= len(made.words) and len(slots) > 5
