"""CLINC150 from its archive to arrays: the questions of the CSV files; faults are one line."""

import csv
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load
from gru_research.data.clinc_oos import OUT_OF_SCOPE, clinc_oos_dataset_builder
from gru_research.data.text_arrays import to_texts
from tests.data.test_music import flip_byte
from tests.faults import fault, seen

SIZES = {"train": (15_000, 100), "validation": (3_000, 100), "test": (4_500, 1_000)}
FILES = {"train": "train", "validation": "val", "test": "test"}


def test_the_arrays_are_the_rows_of_the_csv_files(clinc_oos_data_dir: str, clinc_oos_manual_dir: str) -> None:
    sets = load("clinc_oos", DataDirs(clinc_oos_data_dir))
    names = to_texts(sets["intents"]["text"], sets["intents"]["length"])
    assert list(sets) == [*SIZES, "intents"] and len(set(names)) == 151 and names[OUT_OF_SCOPE] == "oos"
    with zipfile.ZipFile(f"{clinc_oos_manual_dir}/clinc_oos.zip") as archive:
        for split, (inside, outside) in SIZES.items():
            arrays = sets[split]
            rows = [
                row
                for part in ("", "_ood")
                for row in csv.DictReader(io.StringIO(archive.read(f"{FILES[split]}{part}.csv").decode()))
            ]
            assert to_texts(arrays["text"], arrays["length"]) == [row["text"] for row in rows]
            assert [names[label] for label in arrays["label"]] == [row["intent_name"] for row in rows]
            counts = np.bincount(arrays["label"], minlength=151)
            assert set(counts[:OUT_OF_SCOPE]) == {inside // 150} and counts[OUT_OF_SCOPE] == outside
            assert not arrays["text"][np.arange(arrays["text"].shape[1]) >= arrays["length"][:, None]].any()


def test_a_damaged_archive_is_named_and_leaves_nothing(clinc_oos_manual_dir: str, tmp_path: Path) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    shutil.copyfile(f"{clinc_oos_manual_dir}/clinc_oos.zip", raw / "clinc_oos.zip")
    flip_byte(raw / "clinc_oos.zip")
    with pytest.raises(UserError, match=r"^clinc_oos.zip in manual_dir=.* has a wrong checksum: get that file again$"):
        load("clinc_oos", DataDirs(str(data_dir), str(raw)))
    assert list(data_dir.iterdir()) == []


HEADER = "text,intent,domain,intent_name,domain_name\n"
FAULTS = [
    ("", "line 1 of train.csv must be text,intent,domain,intent_name,domain_name"),
    (f"{HEADER}hi,1,2,greeting\n", "line 2 of train.csv: must be a question and intent, domain, intent_name, "
     "domain_name"),
    (f"{HEADER}hi,151,2,greeting,talk\n", "line 2 of train.csv: intent='151' must be a number from 0 to 150"),
    (HEADER, "train.csv holds no questions"),
    (f"{HEADER}hi,1,2,greeting,talk\nbye,1,2,goodbye,talk\n", "intent 1 of train has two names, greeting and goodbye"),
]  # fmt: skip


@fault("data", "a CSV file of intents without its header", "a question without its intent",
       "an intent that isn't there", "a CSV file without questions", "an intent with two names")  # fmt: skip
def test_faults_of_the_csv_files_are_one_line(tmp_path: Path) -> None:
    for content, says in FAULTS:
        path = tmp_path / "clinc_oos.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("train.csv", content)
            archive.writestr("train_ood.csv", f"{HEADER}who,150,10,oos,oos\n")
        with pytest.raises(ValueError, match=r"clinc_oos\.zip") as caught:
            clinc_oos_dataset_builder.read_split(path, "train")
        assert str(caught.value) == f"{path}: {says}"
        seen(caught)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"train.csv can't be read \(BadZipFile: "):
        clinc_oos_dataset_builder.read_split(path, "train")
