"""Non-finite values in stored data raise an error with data set, split, array and example, in memory and on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds_library

from gru_research import records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs, DiskArrays
from gru_research.runs.comparison import prepare_comparison, run_comparison
from gru_research.training import make_plan
from tests.faults import fault, seen

TRAIN, TEST = 20, 6
STEPS = 3


class Holes(tfds_library.core.GeneratorBasedBuilder, skip_registration=True):
    """`nan` has NaN in train's example 7, `inf` is infinite in test's example 4, `behind` is NaN after its end."""

    name = "holes"
    VERSION = tfds_library.core.Version("1.0.0")

    def _info(self) -> tfds_library.core.DatasetInfo:
        f = tfds_library.features
        series = f.Tensor(shape=(STEPS, 1), dtype=np.float32)
        features = {name: series for name in ("whole", "nan", "behind")} | {
            "inf": f.Scalar(np.float32),
            "sum": f.Scalar(np.float32),
            "steps": f.Scalar(np.int32),
        }
        return tfds_library.core.DatasetInfo(builder=self, features=f.FeaturesDict(features), disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples("train", TRAIN), "test": self._generate_examples("test", TEST)}

    def _generate_examples(self, split: str, count: int) -> Any:
        for i in range(count):
            whole, steps = np.full((STEPS, 1), i, np.float32), 1 + i % STEPS
            nan, behind = whole.copy(), whole.copy()
            behind[steps:] = np.nan
            if (split, i) == ("train", 7):
                nan[1] = np.nan
            yield (
                i,
                {
                    "whole": whole,
                    "nan": nan,
                    "behind": behind,
                    "inf": np.float32(np.inf if (split, i) == ("test", 4) else i),
                    "sum": np.float32(i),
                    "steps": steps,
                },
            )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("data_dir"))
    Holes(data_dir=folder).download_and_prepare(file_format="array_record")
    return folder


def config(**task: Any) -> Any:
    fields = {"name": "tfds", "dataset": "holes", "train": "train[:15]", "validation": "train[15:]"}
    cells = {"gru": {"kind": "gru", "hidden_size": 2}}
    return experiment(
        {"task": fields | task, "cells": cells, "updates": 6, "eval_every": 6, "batch_size": 5, "seeds": 1}
    )


@fault("data", "a non-finite input", "a non-finite target")
def test_it_is_named_before_anything_trains(data_dir: str) -> None:
    dirs = DataDirs(data_dir)
    with pytest.raises(UserError) as caught:
        prepare_comparison(config(inputs="nan", targets="sum"), dirs)
    seen(caught)
    where = f"dataset='holes' in {data_dir}/holes/1.0.0"
    assert str(caught.value).startswith(f"{where}, 'train[:15]': inputs of example 7 holds nan, and must be finite")
    with pytest.raises(UserError) as caught:
        prepare_comparison(config(inputs="whole", targets="inf"), dirs)
    seen(caught)
    assert str(caught.value).startswith(f"config.task.{where}, 'test': targets of example 4 holds inf")
    prepare_comparison(config(inputs="nan", targets="sum", train="train[:7]", validation="train[8:]"), dirs)


@fault("data", "a non-finite input, in a set that is read batch by batch")
def test_from_disk_it_ends_the_run_at_the_batch_that_holds_it(data_dir: str, tmp_path: Path) -> None:
    dirs = DataDirs(data_dir)
    plan, sets = prepare_comparison(config(inputs="nan", targets="sum", memory=120 / 2**30), dirs)
    assert isinstance(sets["train"], DiskArrays) and not isinstance(sets["test"], DiskArrays)
    with pytest.raises(UserError, match=r"'train\[:15\]': inputs of example 7 holds nan") as caught:
        run_comparison(plan, tmp_path / "run", dirs, sets=sets)
    seen(caught)
    end = records.read(tmp_path / "run" / records.FILE_NAME).end
    assert end is not None and end.status == "interrupted"


def test_behind_a_sequence_s_end_anything_may_stand(data_dir: str) -> None:
    with pytest.raises(UserError, match="inputs of example 0 holds nan"):
        prepare_comparison(config(inputs="behind", targets="sum"), DataDirs(data_dir))
    plan = make_plan(config(inputs="behind", targets="sum", lengths="steps"), DataDirs(data_dir))
    train = plan.task.data.load(DataDirs(data_dir))["train"]
    steps = 1 + np.arange(15) % STEPS
    assert train["lengths"].tolist() == steps.tolist()
    real = np.arange(STEPS) < steps[:, None]
    np.testing.assert_array_equal(train["inputs"][..., 0], np.where(real, np.arange(15)[:, None], 0))
