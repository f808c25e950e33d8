"""A user's own documents with summaries: from a file to a task; every mistake is one line with its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research.config import FileError, UserError
from gru_research.data import DataDirs
from gru_research.tasks import Task
from gru_research.tasks.summarisation import summarisation
from gru_research.tasks.summarisation.metrics import to_bytes, to_text
from gru_research.tasks.summarisation.reading import read_pairs
from gru_research.tasks.summarisation.words import LONGEST_WORD, Vocabulary, join_words, learn_vocabulary, split_words
from tests.faults import fault, seen

NAMES = ("Ann", "Bob", "Cy", "Dot")


def rows(count: int = 40) -> list[tuple[str, str]]:
    return [(f"Dear all, we meet {NAMES[n % 4]} on day {n}.", f"Meeting with {NAMES[n % 4]}") for n in range(count)]


def table(path: Path, rows: Any) -> str:
    path.write_text("\n".join(["document\tsummary", *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def lines(path: Path, objects: Any) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in objects), encoding="utf-8")
    return str(path)


def again(task: Task) -> Task:
    """Returns the task of a run that is loaded."""
    return summarisation(learned=json.loads(json.dumps(task.learned)))


def texts_of(task: Task, split: str) -> list[tuple[str, str]]:
    """Returns the documents and summaries of a set, from its arrays."""
    arrays, vocabulary = task.data.load(DataDirs())[split], Vocabulary(**task.learned["vocabulary"])
    found = []
    for row in range(len(arrays["inputs"])):
        names = [to_text(name) for name in arrays["names"][row]]
        words = vocabulary.read(arrays["inputs"][row, : arrays["lengths"][row]].tolist(), names)
        found.append((" ".join(words), join_words(vocabulary.read(arrays["targets"][row].tolist(), names))))
    return found


def test_a_table_becomes_a_task(tmp_path: Path) -> None:
    task = summarisation(train=table(tmp_path / "mails.tsv", rows()), validation_share=0.2, document_words=10)
    sets = task.data.load(DataDirs())
    assert {split: len(arrays["inputs"]) for split, arrays in sets.items()} == {
        "train": 28,
        "validation": 8,
        "test": 4,
    }
    assert task.name == "summarisation-mails" and task.files == (tmp_path / "mails.tsv",)
    assert task.application is not None and task.application.form == "summaries" and task.metric == "rouge_l"
    assert set(task.trivial) == set(task.application.trivial_metrics) and not task.application.published
    assert not any(name.endswith("_best") for name in task.metrics)
    for document, summary in texts_of(again(task), "test"):
        assert document.startswith("dear all , we meet") and summary.startswith("Meeting with ")
        assert summary.split()[-1] in document  # both as in training summaries


def test_a_loaded_run_reads_its_files_when_the_data_are_loaded(tmp_path: Path) -> None:
    task = summarisation(train=table(tmp_path / "mails.tsv", rows()), seed=3)
    loaded = again(task)
    first, second = task.data.load(DataDirs()), loaded.data.load(DataDirs())
    for split, arrays in first.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(second[split][name], array)
    (tmp_path / "mails.tsv").unlink()
    known = again(task)  # without its file
    assert known.trivial == task.trivial and known.spec == task.spec and known.name == task.name
    with pytest.raises(UserError, match=r"mails\.tsv"):
        known.data.load(DataDirs())


def test_json_lines_may_have_further_summaries(tmp_path: Path) -> None:
    objects = [{"id": n, "document": d, "summary": s, "others": ["other one"]} for n, (d, s) in enumerate(rows())]
    path = lines(tmp_path / "mails.jsonl", objects)
    assert read_pairs(Path(path))[1].others == ("other one",)
    task = summarisation(train=path)
    assert "rouge_1_best" in task.metrics
    references = task.data.load(DataDirs())["test"]["references"]
    assert references.shape[1] == 2 and {to_text(row[1]) for row in references} == {"other one"}


def test_words() -> None:
    assert split_words("Re: e-mail of 10/30/01, O'Neil's (at 5.30)!") == [
        "Re", ":", "e-mail", "of", "10/30/01", ",", "O'Neil's", "(", "at", "5.30", ")", "!",
    ]  # fmt: skip
    assert split_words("שלום עולם 🎉🎉 x") == ["שלום", "עולם", "🎉", "🎉", "x"]
    assert split_words("a b c", 2) == ["a", "b"] and split_words(" \n ") == []
    assert [len(word) for word in split_words("x" * 100)] == [40, 40, 20] and LONGEST_WORD == 40
    assert join_words(["Lunch", "(", "noon", ")", ":", "who", "?", "$", "5"]) == "Lunch (noon): who? $5"
    for text in ("größe", "🎉" * 9, "a\0b"):
        assert to_text(to_bytes([text], 40)[0]) == text.replace("\0", " ")
    assert to_text(to_bytes(["ab🎉"], 5)[0]) == "ab"  # never a part of a letter


def test_the_vocabulary_has_slots_for_what_training_lacks() -> None:
    documents = [["Hi", "Ann", "x"], ["hi", "ANN", "y"], ["hi", "z", "z"]]
    vocabulary = learn_vocabulary(documents, [["Ann"], ["Ann"], ["ann"]], read=2, generated=3, slots=4)
    assert vocabulary.words == ("<end>", "Ann", "<unknown>", "<begin>", "hi", "z") and vocabulary.size == 10
    tokens, names = vocabulary.document(["HI", "Bob", "ann", "BOB", "q"])
    assert tokens == [4, 6, 1, 6, 7] and names == ["Bob", "q"]
    assert vocabulary.summary(["Q", "Ann", "bob", "w"], names) == [7, 1, 6, 2]
    assert vocabulary.read([7, 1, 6, 0, 4], names) == ["q", "Ann", "Bob"]


@pytest.mark.parametrize("text", ["x", "?", "🎉", "שלום עולם", "w " * 100_000, "x" * 100_000])
def test_any_text_is_read(text: str, tmp_path: Path) -> None:
    task = summarisation(train=table(tmp_path / "mails.tsv", [*rows(), (text, text[:50])]), document_words=10)
    encoded = task.encode(text)
    assert 1 <= encoded["lengths"] <= 10 and encoded["inputs"].shape == (10,)
    assert (encoded["inputs"] < task.spec.vocabulary).all()


def test_a_text_without_a_word_is_refused(tmp_path: Path) -> None:
    encode = summarisation(train=table(tmp_path / "mails.tsv", rows())).encode
    with pytest.raises(ValueError, match=r"^' ' has no word$"):
        encode(" ")
    with pytest.raises(TypeError, match=r"^'3' must be a text$"):
        encode(3)


FILES = {
    "column.tsv": ("text\tsummary\na\tb\n", "1: lacks the column 'document'; it has text, summary"),
    "document.tsv": ("document\tsummary\na\tb\n \tc\n", "3: document=' ' has no word"),
    "summary.csv": ("document,summary\na,b\nb,\n", "3: summary='' has no word"),
    "ragged.tsv": ("document\tsummary\na\tb\nb\tc\td\n", "3: has 3 cells, and the header has 2 (document, summary)"),
    "json.jsonl": ('{"document": "a", "summary": "b"}\n{"document": "a"\n', "2: isn't JSON (Expecting ',' delimiter: "
                   "line 1 column 17 (char 16)): each line must be an object, as "
                   '{"document": "...", "summary": "..."}'),
    "list.jsonl": ('["a", "b"]\n', "1: '[\"a\", \"b\"]' must be an object, as "
                   '{"document": "...", "summary": "..."}'),
    "field.jsonl": ('\n{"document": "a", "title": "b"}\n', "2: lacks 'summary'; it has 'document', 'title'"),
    "number.jsonl": ('{"document": 3, "summary": "b"}\n', "1: document='3' must be a text"),
    "others.jsonl": ('{"document": "a", "summary": "b", "others": "c"}\n', "1: others='c' must be a list of texts"),
    "blank.jsonl": ('{"document": "a", "summary": " "}\n', "1: summary=' ' has no word"),
}  # fmt: skip


@fault("file contents", "documents without their column", "a document without a word", "a summary without a word",
       "a row of documents with a cell too many", "a line of documents that isn't JSON",
       "a line of documents that is no object", "a document without its summary", "a document that is a number",
       "further summaries that are no list", "a summary of blanks")  # fmt: skip
def test_a_fault_is_one_line_with_file_and_line(tmp_path: Path) -> None:
    for name, (content, says) in FILES.items():
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        with pytest.raises(FileError) as caught:
            summarisation(train=str(path))
        assert str(caught.value) == f"{path}:{says}"
        seen(caught)


@fault("file contents", "documents in a file of another form", "a file of documents that is empty",
       "a file of documents that isn't UTF-8")  # fmt: skip
def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, content, says in (
        ("a.txt", b"a", "must end with .tsv, .csv or .jsonl"),
        ("a.jsonl", b"", "a.jsonl: is empty"),
        ("b.jsonl", b'{"document": "a", "summary": "b"}\n\xe9', "b.jsonl:2: the byte 0xe9 isn't UTF-8"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((FileError, ValueError), match=says) as caught:
            summarisation(train=str(tmp_path / name))
        assert "\n" not in str(caught.value)
        seen(caught)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dataset": "enron"}, r"dataset"),
        ({"validation": "x.tsv"}, r"^validation='x.tsv' needs train: a file for training$"),
        ({"document_words": 1}, r"^document_words=1 must be at least 2$"),
        ({"beams": 0}, r"^beams=0 must be at least 1$"),
        ({"coverage": -1.0}, r"^coverage=-1.0 must be 0 or more, and finite$"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, UserError), match=says):
        summarisation(**options)
