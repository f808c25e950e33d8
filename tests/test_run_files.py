"""Vocabularies and attention in a run's directory survive writing and reading; damaged files give a one-line error."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import records, run_files
from gru_research.run_files import AttentionExamples

WORDS = {"inputs": ("walk", "twice", "\u6b69\u304f"), "targets": ("<end>", 'a "word"', "")}


def attended(**changes: Any) -> AttentionExamples:
    """Returns two examples: two words (of a vocabulary of three) answered by three tokens, and one word by one."""
    fields: dict[str, Any] = {
        "seed": 3,
        "examples": np.array([0, 17]),
        "inputs": np.array([[0, 1], [2, 0]], np.int32),
        "lengths": np.array([2, 1]),
        "answers": np.array([[1, 1, 0], [0, 0, 0]], np.int32),
        "answer_lengths": np.array([3, 1]),
        "targets": np.array([[1, 1, 0], [1, 0, 0]], np.int32),
        "target_lengths": np.array([3, 2]),
        "weights": np.array([[[1, 0], [0.25, 0.75], [0.5, 0.5]], [[1, 0], [0, 0], [0, 0]]], np.float32),
        "right": np.array([True, False]),
        "wrong_one": np.array([False, True]),
    }
    return AttentionExamples(**fields | changes)


def test_vocabularies_come_back_as_they_were(tmp_path: Path) -> None:
    run_files.save_vocabularies(tmp_path, WORDS)
    assert run_files.load_vocabularies(tmp_path) == WORDS
    assert [path.name for path in tmp_path.iterdir()] == [run_files.VOCABULARIES]
    run_files.save_vocabularies(tmp_path, {})  # of a run that was killed before its header, in the same directory
    assert not list(tmp_path.iterdir()) and run_files.load_vocabularies(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"inputs": ["a"', "isn't JSON (Expecting ',' delimiter)"),
        ("[]", "must hold lists of words by the names of fields"),
        ('{"inputs": "walk"}', "must hold lists of words by the names of fields"),
        ('{"inputs": ["walk", 3]}', "must hold lists of words by the names of fields"),
        ("\udcff", "isn't JSON ('utf-8' codec can't decode byte 0xff"),
    ],
)
def test_vocabularies_that_are_none_are_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / run_files.VOCABULARIES).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(records.RecordsError) as caught:
        run_files.load_vocabularies(tmp_path)
    assert says in str(caught.value) and run_files.VOCABULARIES in str(caught.value) and "\n" not in str(caught.value)


def test_attention_comes_back_as_it_was_and_in_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run_files.save_attention(tmp_path / name, "gru", attended())
        written.append((tmp_path / name / "arrays" / "attention-gru.npz").read_bytes())
        found = run_files.load_attention(tmp_path / name, "gru")
        assert found is not None and found.seed == 3
        for field in dataclasses.fields(AttentionExamples):
            expected = np.asarray(getattr(attended(), field.name))
            actual = np.asarray(getattr(found, field.name))
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)
    assert written[0] == written[1]
    assert run_files.load_attention(tmp_path / "one", "lstm") is None
    assert run_files.load_attention(tmp_path / "three", "gru") is None


def test_a_label_leads_to_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "run" / "arrays" / "attention-x").mkdir(parents=True)
    run_files.save_attention(tmp_path, "gru", attended())
    assert (tmp_path / "run/arrays/attention-x/../../../arrays/attention-gru.npz").is_file()
    assert run_files.load_attention(tmp_path / "run", "x/../../../arrays/attention-gru") is None
    assert run_files.load_attention(tmp_path / "run", 5000 * "x") is None


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("lengths", np.array([2]), "lengths has the shape (1,) and must have (2,)"),
        ("inputs", np.zeros((2, 3), np.int32), "inputs has the shape (2, 3) and must have (2, 2)"),
        ("answers", np.zeros((2, 2), np.int32), "answers has the shape (2, 2) and must have (2, 3)"),
        ("targets", np.zeros(2, np.int32), "targets has the shape (2,) and must be [B, W]"),
        ("weights", np.zeros((2, 3)), "weights has the shape (2, 3) and must be [B, U, T]"),
        ("answers", np.zeros((2, 3)), "answers has the type float64 and must be whole numbers"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        attended(**{field: value})


def _without(path: Path, field: str) -> None:
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in arrays.files if name != field})


def _with_objects(path: Path) -> None:
    with np.load(path) as arrays:
        changed: dict[str, Any] = {**arrays, "inputs": np.array([[{}, {}], [{}, {}]], object)}
    np.savez(path, **changed)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "nothing in it": lambda path: path.write_bytes(b""),
    "a text": lambda path: path.write_text(json.dumps(WORDS)),
    "another byte": _flip,
    "a field less": lambda path: _without(path, "targets"),
    "pickled objects": _with_objects,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    run_files.save_attention(tmp_path, "gru", attended())
    DAMAGES[damage](tmp_path / "arrays" / "attention-gru.npz")
    with pytest.raises(records.RecordsError, match=r"attention-gru\.npz is damaged: remove it"):
        run_files.load_attention(tmp_path, "gru")
