"""The ChatterBot corpus from its YAML files to dialogues of one turn; faults are one line."""

from pathlib import Path

import pytest

from gru_research.data import DataDirs, load
from gru_research.data.chatterbot.chatterbot_dataset_builder import LONGEST, read_pairs
from gru_research.data.own_files import Turn, parse_dialogues
from tests.faults import fault, seen


def test_the_pairs_are_those_of_the_files(chatterbot_data_dir: str, chatterbot_manual_dir: str) -> None:
    text = load("chatterbot", DataDirs(chatterbot_data_dir))["train"]["text"].tobytes().decode()
    found = [part for (part,) in parse_dialogues(text, "chatterbot")]
    pairs = [pair for file in sorted(Path(chatterbot_manual_dir).glob("*.yml")) for pair in read_pairs(file)]
    assert len(pairs) == 2_306 and len(found) == 2_166
    words = [tuple(tuple(side.split()) for side in pair) for pair in pairs]
    assert [(turn.user, turn.bot) for turn in found if isinstance(turn, Turn)] == [
        pair for pair in words if max(map(len, pair)) <= LONGEST
    ]
    assert found[0] == Turn(("what", "is", "ai", "?"), tuple(pairs[0][1].split()))


def test_each_statement_answers_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "talk.yml"
    path.write_text("conversations:\n- - Hi, it's me!\n  - Who?\n  - Me.\n- alone\n", encoding="utf-8")
    assert read_pairs(path) == [("hi , it's me !", "who ?"), ("who ?", "me .")]


@fault("data", "a corpus that isn't YAML", "a corpus without conversations", "a conversation that is no list of texts")
def test_faults_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "talk.yml"
    for content, says in (
        ("a: [1", "talk.yml can't be read as YAML"),
        ("categories:\n- talk\n", "talk.yml has no conversations"),
        ("conversations:\n- - hi\n  - hello\n- - 1\n", "talk.yml: conversation 1 must be a list of texts"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=says) as caught:
            read_pairs(path)
        assert "\n" not in str(caught.value)
        seen(caught)
