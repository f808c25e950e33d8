"""The task on pieces of the user's own: sets, what is learned from training, warnings; faults are one line."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import runs
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.data.own_files import write_midi
from gru_research.tasks.chorales.pieces import Piece
from gru_research.tasks.chorales.task import chorales
from gru_research.training import make_plan
from tests.faults import fault, seen
from tests.runs import small
from tests.tasks.chorales.test_pieces import drawn


def music(count: int, seed: int = 0, low: int = 50, high: int = 60) -> list[Piece]:
    return [drawn(6 + n % 3, seed + n, low, high) for n in range(count)]


def as_json(path: Path, pieces: list[Piece]) -> str:
    path.write_text(json.dumps([piece.tolist() for piece in pieces]))
    return str(path)


def pieces_of(task: Any, split: str) -> list[list[int]]:
    rows = task.data.load(DataDirs())[split]
    return [row[1 : 1 + length].tolist() for row, length in zip(rows["tokens"], rows["length"], strict=True)]


def test_shares_are_drawn_and_named_files_are_whole(tmp_path: Path) -> None:
    train = as_json(tmp_path / "train.json", music(20))
    task = chorales(train=train, transpose=False)
    sizes = {split: len(pieces_of(task, split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 16, "validation": 2, "test": 2}
    assert task.name == "chorales-train" and task.files == (Path(train),)
    assert task.warnings == (f"{train}: 16 pieces for train, 2 pieces for validation, 2 pieces for test",)
    other = chorales(train=train, seed=1, transpose=False)
    assert pieces_of(other, "test") != pieces_of(task, "test")
    test = as_json(tmp_path / "test.json", music(3, 100))
    named = chorales(train=train, test=test, transpose=False)
    assert len(pieces_of(named, "test")) == 3 and len(pieces_of(named, "train")) == 18


def test_what_is_learned_comes_from_training_but_for_the_alphabet(tmp_path: Path) -> None:
    train = as_json(tmp_path / "train.json", music(8, 0, 50, 55))
    wide = as_json(tmp_path / "wide.json", music(4, 50, 45, 60))
    wider = as_json(tmp_path / "wider.json", music(4, 70, 45, 60))
    task = chorales(train=train, validation=wide, test=wider)
    facts = task.learned["facts"]
    assert (facts["lowest"], facts["highest"]) == (45, 60)
    assert facts["ranges"] == [[50, 55]] * 4
    assert task.spec.output_size == 17
    assert len(task.warnings) == 1


def test_a_folder_may_mix_midi_and_json(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for n, piece in enumerate(music(9)):
        write_midi(folder / f"{n}.mid", np.abs(piece), 90, list("SATB"))
    as_json(folder / "more.json", music(3, 40))
    task = chorales(train=str(folder), transpose=False)
    assert sum(len(pieces_of(task, split)) for split in ("train", "validation", "test")) == 12
    assert len(task.files) == 10


def test_a_loaded_task_reads_the_files_it_was_made_of(tmp_path: Path) -> None:
    task = chorales(train=as_json(tmp_path / "train.json", music(20)))
    (tmp_path / "train.json").rename(tmp_path / "gone.json")
    again = chorales(train=str(tmp_path / "train.json"), learned=json.loads(json.dumps(task.learned)))
    assert (again.name, again.trivial, again.warnings) == (task.name, task.trivial, task.warnings)
    with pytest.raises(UserError, match=r"train.json: no such file"):
        again.data.load(DataDirs())
    (tmp_path / "gone.json").rename(tmp_path / "train.json")
    assert pieces_of(again, "test") == pieces_of(task, "test")


def test_pieces_in_two_sets_and_notes_off_the_grid_are_said(tmp_path: Path) -> None:
    both = music(20)
    task = chorales(
        train=as_json(tmp_path / "train.json", both),
        validation=as_json(tmp_path / "validation.json", music(2, 200)),
        test=as_json(tmp_path / "test.json", [*both[:2], drawn(9, 99)]),
    )
    assert task.warnings[1:] == (f"2 test pieces also in training, such as {tmp_path}/test.json:1",)
    folder = tmp_path / "played"
    folder.mkdir()
    for n, piece in enumerate(np.abs(one) for one in both):
        write_midi(folder / f"{n}.mid", piece, 90, list("SATB"))
    content = (folder / "0.mid").read_bytes()
    # With fewer ticks in a quarter, what were sixteenths begin between two of them.
    (folder / "0.mid").write_bytes(content[:12] + (400).to_bytes(2, "big") + content[14:])
    found = chorales(train=str(folder)).warnings
    assert len(found) == 2
    assert found[1].startswith("1 piece with notes that begin between two sixteenths and are rounded: ")
    assert found[1].endswith(f"% of them in {folder}/0.mid")


@fault(
    "tasks",
    "a share of no piece",
    "shares that leave nothing for training",
    "a test set without a training set",
    "no share and no file for validation",
    "a file of music for two sets",
    "a share beyond 1",
)
def test_options_amiss_are_one_line(tmp_path: Path) -> None:
    few = as_json(tmp_path / "few.json", music(3))
    for options, says in (
        ({"train": few}, "validation_share=0.1 of 3 pieces is none"),
        ({"train": few, "validation_share": 0.5, "test_share": 0.5}, "test_share=0.5 and validation_share=0.5 leave"),
        ({"test": few}, f"test={few!r} belongs to pieces of your own: name them with train"),
        ({"train": few, "validation_share": 0.0}, "validation_share=0.0 must be above 0, or validation named"),
        ({"train": few, "test": few}, f"test={few!r} has files of train too: {few}"),
        ({"train": few, "test_share": 1.5}, "test_share=1.5 must be above 0 and below 1"),
    ):
        with pytest.raises(ValueError, match="^" + says.replace("[", r"\[")) as caught:
            chorales(**options)
        seen(caught)


def test_own_pieces_train_and_predict(tmp_path: Path) -> None:
    train = as_json(tmp_path / "train.json", music(20))
    workdir = small.trained(
        tmp_path / "run",
        {"name": "chorales", "train": train, "segment": 4, "context": 1},
        model={"kind": "voices", "layers": 1, "embedding_size": 4},
        seeds=1,
        only="gru",
    )
    Path(train).unlink()
    run = runs.load(workdir)
    how = dataclasses.replace(runs.predict.sampling_of(run.task), length=2)
    (answer,) = [one.answer for one in runs.predict.predict(run, [[55, 56]], "gru", sampling=how)]
    assert [step[0] for step in answer["pitches"]] == [55, 56]
    with pytest.raises(UserError, match="input 1: step 0: pitch 90 of the soprano must be from 50 to 60"):
        run.predict([[90]], "gru")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            {"kind": "linen"},
            "config.model.kind='linen' has no start and step, and chorales-train asks for generated answers",
        ),
        ({"kind": "sequence", "bidirectional": True}, "config.model.bidirectional=True reads the very tokens"),
    ],
)
def test_a_model_that_can_not_compose_is_refused_before_training(
    model: dict[str, Any], says: str, tmp_path: Path
) -> None:
    task = {"name": "chorales", "train": as_json(tmp_path / "train.json", music(20))}
    with pytest.raises(UserError, match=says):
        make_plan(experiment({"task": task, "model": model, "cells": {"gru": {"kind": "gru", "hidden_size": 2}}}))
