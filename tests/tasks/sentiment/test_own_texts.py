"""A user's own texts with labels: from a table to a task; every mistake is one line with its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research.config import FileError, UserError, experiment
from gru_research.data import DataDirs
from gru_research.tasks import TASKS, Task
from gru_research.tasks.files import prediction_inputs
from gru_research.tasks.sentiment import sentiment
from gru_research.training import make_plan
from tests.faults import fault, seen

GOOD, BAD = ("a good film , {}", "good and fine {}"), ("bad film , {}", "not {} at all")


def rows(count: int = 40) -> list[tuple[str, str]]:
    return [
        ((GOOD if n % 2 else BAD)[n // 2 % 2].format("xyz"[n % 3]), "pos" if n % 2 else "neg") for n in range(count)
    ]


def write(path: Path, rows: Any, header: str = "text\tlabel") -> str:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def test_a_table_becomes_a_task(tmp_path: Path) -> None:
    task = sentiment(train=write(tmp_path / "films.tsv", rows()), validation_share=0.2, test_share=0.1, min_count=1)
    sets = task.data.load(DataDirs())
    assert {split: len(arrays["targets"]) for split, arrays in sets.items()} == {
        "train": 28,
        "validation": 8,
        "test": 4,
    }
    words, labels = task.vocabularies["inputs"], task.vocabularies["targets"]
    assert labels == ("neg", "pos") and task.name == "sentiment-films" and task.files == (tmp_path / "films.tsv",)
    texts = {
        (" ".join(words[token] for token in row[:length]), labels[target])
        for row, length, target in zip(*(sets["train"][n] for n in ("inputs", "lengths", "targets")), strict=True)
    }
    assert texts <= {(" ".join(text.split()), label) for text, label in rows()} and len(texts) > 8
    assert all(
        not row[length:].any() for row, length in zip(sets["test"]["inputs"], sets["test"]["lengths"], strict=True)
    )
    assert task.spec.vocabulary == len(words) and task.spec.unknown == len(words) - 1
    assert task.metric == "accuracy" and task.application is not None


def test_own_texts_out_of_scope(tmp_path: Path) -> None:
    sets = {
        split: write(tmp_path / f"{split}.tsv", rows(count)) for split, count in (("train", 40), ("validation", 12))
    }
    task = sentiment(**sets, test=write(tmp_path / "test.tsv", rows(10)), out_of_scope="neg")
    assert {"in_scope_accuracy", "oos_recall"} <= set(task.metrics) and task.application is not None
    always = task.application.trivial_metrics["always 'neg'"]
    assert always["in_scope_accuracy"] == 0 and always["oos_recall"] == 1 and task.trivial["always 'neg'"] == 0.5


def test_columns_files_and_csv(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", [], "review,stars\n" + "\n".join(f'"{t}",{y}' for t, y in rows(10)))
    other = write(tmp_path / "b.csv", [], 'review,stars\n"fine , fine",pos\n"a ""bad"" one",neg')
    third = write(tmp_path / "c.csv", [], "stars,review\npos,z\nneg,not")
    task = sentiment(train=train, validation=other, test=third, text="review", label="stars", min_count=1)
    sets = task.data.load(DataDirs())
    assert [len(arrays["targets"]) for arrays in sets.values()] == [10, 2, 2]
    assert sets["test"]["targets"].tolist() == [1, 0] and sets["test"]["lengths"].tolist() == [1, 1]
    assert any(line == "validation: 3 of 8 words aren't known from training: <unknown>" for line in task.warnings)


def again(task: Task) -> Task:
    """Returns the task of a run that is loaded."""
    return sentiment(learned=json.loads(json.dumps(task.learned)))


def test_a_loaded_run_reads_its_files_when_the_data_are_loaded(tmp_path: Path) -> None:
    task = sentiment(train=write(tmp_path / "films.tsv", rows()), seed=3)
    loaded = again(task)
    first, second = task.data.load(DataDirs()), loaded.data.load(DataDirs())
    for split, arrays in first.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(second[split][name], array)
    (tmp_path / "films.tsv").unlink()
    known = again(task)  # without its file
    assert known.trivial == task.trivial and known.spec == task.spec and known.name == task.name
    assert known.encode("a good film")["inputs"].tolist() == task.encode("a good film")["inputs"].tolist()
    with pytest.raises(UserError, match=r"films\.tsv"):
        known.data.load(DataDirs())


def test_several_labels(tmp_path: Path) -> None:
    several = [("a b", "x; y"), ("b c", "y"), ("c", ""), ("a", "x;x"), ("b b", "y;z")] * 6
    task = sentiment(train=write(tmp_path / "t.tsv", several), separator=";", min_count=1, label_threshold=0.4)
    sets = task.data.load(DataDirs())
    assert task.metric == "macro_f1" and task.vocabularies["targets"] == ("x", "y", "z")
    assert sets["train"]["targets"].shape == (24, 3) and sets["train"]["targets"].dtype == np.uint8
    words = task.vocabularies["inputs"]
    wanted = {"a b": [1, 1, 0], "b c": [0, 1, 0], "c": [0, 0, 0], "a": [1, 0, 0], "b b": [0, 1, 1]}
    for row, length, target in zip(*(sets["train"][n] for n in ("inputs", "lengths", "targets")), strict=True):
        assert target.tolist() == wanted[" ".join(words[token] for token in row[:length])]
    assert list(task.trivial) == ["always 'y'", "every label", "naive Bayes for each label"]
    assert again(task).data.load(DataDirs())["test"]["targets"].tolist() == sets["test"]["targets"].tolist()


def test_long_texts_are_cut_and_said(tmp_path: Path) -> None:
    texts = [("w " * n, "ab"[n % 2]) for n in range(1, 41)]
    task = sentiment(train=write(tmp_path / "t.tsv", texts), max_words=10)
    assert max(arrays["lengths"].max() for arrays in task.data.load(DataDirs()).values()) == 10
    cut = [line for line in task.warnings if "are cut to max_words=10" in line]
    assert len(cut) == 3 and sum(int(line.split()[1]) for line in cut) == 30
    assert len(task.encode("w " * 30)["inputs"]) == 10
    whole = sentiment(train=str(tmp_path / "t.tsv"), max_words=0)
    assert max(arrays["lengths"].max() for arrays in whole.data.load(DataDirs()).values()) == 40


def test_what_looks_like_several_labels_is_said(tmp_path: Path) -> None:
    joined = [(text, "x,y" if label == "pos" else "x") for text, label in rows()]
    (line,) = [w for w in sentiment(train=write(tmp_path / "t.tsv", joined)).warnings if "separator" in w]
    assert line == "the label 'x,y' may be several: separator divides them"
    (line,) = [w for w in sentiment(train=str(tmp_path / "t.tsv"), separator=";").warnings if "separator" in w]
    assert line == "no text has several labels: none has separator=';'"


def test_a_table_for_prediction_needs_no_labels(tmp_path: Path) -> None:
    task = sentiment(train=write(tmp_path / "t.tsv", rows(), "text\tlabel"))
    asked = tmp_path / "asked.csv"
    asked.write_text('id,text\n1,"good, fine"\n2,bad\n')
    assert prediction_inputs.from_table(task.learned, asked) == ["good, fine", "bad"]
    asked.write_text("id\n1\n")
    with pytest.raises(FileError, match=r"asked.csv: has no column 'text', which was trained on; it has id$"):
        prediction_inputs.from_table(task.learned, asked)


def mistakes(folder: Path) -> list[tuple[dict[str, Any], str]]:
    """Returns options and their message, in the order of the marks below."""
    ok = write(folder / "ok.tsv", rows())
    files = {
        "column.tsv": ("text\tsentiment\na\tpos\n", "1: lacks the column 'label'; it has text, sentiment"),
        "words.tsv": ("text\tlabel\na\tpos\n \tneg\n", "3: text=' ' has no word"),
        "label.tsv": ("text\tlabel\na\tpos\nb\t\n", "3: label='' is empty"),
        "ragged.tsv": ("text\tlabel\na\tpos\nb\tneg\tx\n", "3: has 3 cells, and the header has 2 (text, label)"),
        "header.tsv": ("text\tlabel\n", " has a header and no rows"),
        "empty.tsv": ("", " is empty"),
        "quote.csv": ('text,label\n"a,pos\n', "2: unexpected end of data: a cell that starts with a quote must end "
                      "with one, and double those inside"),
    }  # fmt: skip
    found: list[tuple[dict[str, Any], str]] = []
    for name, (content, line) in files.items():
        (folder / name).write_text(content)
        found.append(({"train": str(folder / name)}, f"{folder / name}:{line}"))
    (folder / "latin.tsv").write_bytes("text\tlabel\na\tpos\ncr\u00e8me\tneg\n".encode("latin-1"))
    found.append(
        ({"train": str(folder / "latin.tsv")},
         f"{folder / 'latin.tsv'}:3: the byte 0xe8 isn't UTF-8: save the file in that encoding")
    )  # fmt: skip
    one = write(folder / "one.tsv", [("a", "pos")] * 30)
    new = write(folder / "new.tsv", [("a", "pos"), ("b", "neutral")])
    single = write(folder / "single.tsv", [("a", "pos")])
    split = write(folder / "split.tsv", [*[("a", "x;y")] * 20, ("b", "x;;y")])
    within = write(folder / "within.tsv", rows()[1::2])
    beyond = write(folder / "beyond.tsv", rows()[::2])
    return [
        *found,
        ({"train": one}, f"{one}: all of training has the label 'pos', and must have two or more"),
        (
            {"train": ok, "test": new},
            f"{new}:3: the label 'neutral' is in test and not in training, which has neg, pos",
        ),
        ({"train": single}, "config.task.validation_share=0.1 of 1 texts is none"),
        ({"train": split, "separator": ";"}, f"{split}:22: label='x;;y' has an empty label"),
        ({"train": str(folder / "texts.txt")}, f"config.task.train={str(folder / 'texts.txt')!r}: no such file"),
        ({"test": ok}, f"config.task.test={ok!r} needs train: a file for training"),
        ({"train": ok, "label_threshold": 1.0}, "config.task.label_threshold=1.0 must be above 0 and below 1"),
        ({"train": ok, "max_words": -1}, "config.task.max_words=-1 must be at least 0"),
        (
            {"train": ok, "out_of_scope": "neq"},
            "config.task.out_of_scope='neq' is unknown; did you mean 'neg'?; choose from neg, pos",
        ),
        (
            {"train": ok, "test": within, "out_of_scope": "neg"},
            f"{within}: no text of test has the label out_of_scope='neg'; texts with it and texts without it are "
            "measured apart",
        ),
        (
            {"train": ok, "validation": beyond, "out_of_scope": "neg"},
            f"{beyond}: every text of validation has the label out_of_scope='neg'; texts with it and texts without it "
            "are measured apart",
        ),
        (
            {"train": ok, "separator": ";", "out_of_scope": "neg"},
            "config.task.out_of_scope='neg' must be '' where a text may have several labels",
        ),
    ]  # fmt: skip


@fault("file contents", "texts without a column of labels", "a row without a word", "a row with an empty label",
       "a row of texts with another number of cells", "texts with a header alone", "an empty file of texts",
       "texts with an open quote", "texts in another encoding", "texts of one label", "a label in the test file alone",
       "one text", "an empty label among several", "a missing file of texts", "a test file without one for training",
       "a threshold that isn't a probability", "a negative number of words", "an unknown label out of scope",
       "a test file without texts out of scope", "a validation file of texts out of scope alone",
       "a label out of scope among several")  # fmt: skip
def test_mistakes_are_one_line(tmp_path: Path) -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 2}}
    for options, line in mistakes(tmp_path):
        with pytest.raises(UserError) as caught:
            make_plan(experiment({"task": {"name": "sentiment", **options}, "cells": cells}))
        assert str(caught.value) == line
        seen(caught)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("text\tlabel\n")
    with pytest.raises(ValueError, match=r"t.txt' must end with .csv or .tsv: a table of texts and labels$"):
        sentiment(train=str(path))
    assert "sentiment" in TASKS


def test_no_label_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", [("a", "")] * 20)
    with pytest.raises(FileError, match=r"t.tsv: training has no label, and must have two or more$"):
        sentiment(train=path, separator=";")
