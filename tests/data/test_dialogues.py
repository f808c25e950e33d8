"""Dialogues in the bAbI text format: what is read, and the line that says what is wrong."""

from pathlib import Path

import pytest

from gru_research.config import FileError
from gru_research.data.own_files import Fact, Turn, parse_dialogues, read_dialogues
from tests.faults import fault, seen

GOOD = "1 hi\thello there\n2 table_9 R_seats two\n3 <SILENCE>\twhat do you think of table_9\n"


def test_turns_and_facts_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + f"{GOOD}1 \tgood  day \n\n1 bye\tbye\n".replace("\n", "\r\n").encode())
    first = (
        Turn(("hi",), ("hello", "there")),
        Fact(("table_9", "R_seats", "two")),
        Turn(("<SILENCE>",), ("what", "do", "you", "think", "of", "table_9")),
    )
    assert read_dialogues(path) == [first, (Turn((), ("good", "day")),), (Turn(("bye",), ("bye",)),)]
    assert parse_dialogues("\n\n1 a\tb", "a") == [(Turn(("a",), ("b",)),)]


FAULTS = [
    ("a line of a dialogue without its number", f"{GOOD}hello\thi\n",
     "a.txt:4: 'hello\\thi' must be 'NUMBER USER<TAB>BOT' or 'NUMBER FACT'"),
    ("a number of a dialogue that is left out", f"{GOOD}5 bye\tbye\n",
     "a.txt:4: the number 5 must be 4, or 1 for a new dialogue"),
    ("a dialogue that doesn't begin at 1", f"{GOOD}\n4 bye\tbye\n",
     "a.txt:5: the number 4 must be 1: a new dialogue begins here"),
    ("a turn with two tabs", "1 hi\thello\tthere\n", "a.txt:1: has 2 tabs, and must have one, between the user and "
     "the bot"),
    ("a turn whose answer is empty", "1 hi\thello\n2 bye\t \n", "a.txt:2: the bot's answer is empty"),
    ("a dialogue without a turn", f"{GOOD}1 a R_b c\n2 a R_d e\n1 hi\thello\n",
     "a.txt:4: the dialogue that begins here has no turn: 'NUMBER USER<TAB>BOT'"),
    ("a word that marks speakers", f"{GOOD}4 say <bot>\tno\n", "a.txt:4: the word '<bot>' is reserved: <user>, <bot>, "
     "<fact>, <end> mark who speaks"),
    ("a fact without words", f"{GOOD}4  \n", "a.txt:4: has no words after its number"),
    ("a file of dialogues that is empty", " \n\n", "a.txt: is empty"),
    ("a file of dialogues that isn't UTF-8", f"{GOOD}4 caf\xe9\tno\n".encode("latin-1"),
     "a.txt:4: the byte 0xe9 isn't UTF-8: save the file in that encoding"),
]  # fmt: skip


@fault("file contents", "a line of a dialogue without its number", "a number of a dialogue that is left out",
       "a dialogue that doesn't begin at 1", "a turn with two tabs", "a turn whose answer is empty",
       "a dialogue without a turn", "a word that marks speakers", "a fact without words",
       "a file of dialogues that is empty", "a file of dialogues that isn't UTF-8")  # fmt: skip
def test_a_fault_is_one_line_with_file_and_line(tmp_path: Path) -> None:
    for _, content, says in FAULTS:
        path = tmp_path / "a.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(FileError) as caught:
            read_dialogues(path)
        assert str(caught.value).endswith(f"/{says}")
        seen(caught)


def test_a_text_without_dialogues_is_refused() -> None:
    with pytest.raises(FileError, match=r"^split: holds no dialogues$"):
        parse_dialogues("\n", "split")
