"""Converts the dialog bAbI tasks, dialogues about booking a table, to array_record.

Bordes, Boureau and Weston, ICLR 2017 (arXiv 1605.07683). The archive states the licence CC BY 3.0. Tasks 1 to 5 are
generated; task 6 is converted from the second Dialog State Tracking Challenge, with real users.

A split is one TFDS example, the text of its file, so that it is read as one array.
"""

import os
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.config import FileError
from gru_research.data.own_files.dialogues import parse_dialogues

_FOLDER = "dialog-bAbI-tasks"  # the archive's only folder
_SPLITS = {"train": "trn", "validation": "dev", "test": "tst", "test_oov": "tst-OOV"}
_KNOWLEDGE = "dialog-babi-kb-all.txt"


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `text` uint8 [N], the bytes of a file of dialogues in UTF-8 (`own_files.dialogues` has the format).

    `test_oov` has words for places and cuisines that training lacks. `knowledge` has the facts that an API call can
    return, one a line: "1 SUBJECT RELATION<TAB>OBJECT". Task 6 has neither.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split: the text of a file."}
    STEM: ClassVar[str]
    """The files' name, before the name of the split."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://arxiv.org/abs/1605.07683",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = self.url_infos
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, member) for split, member in self._members().items()}

    def _members(self) -> dict[str, str]:
        """Returns the archive's files by split."""
        return {split: f"{self.STEM}-{ending}.txt" for split, ending in _SPLITS.items()} | {"knowledge": _KNOWLEDGE}

    def _generate_examples(self, path: os.PathLike, member: str) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        text = read_member(path, member)
        if member != _KNOWLEDGE:
            check_dialogues(text, f"{os.fspath(path)}: {member}")
        yield 0, {"text": np.frombuffer(text.encode(), np.uint8)}


class ApiCalls(_Builder):
    """Task 1: 1,000 dialogues a set in which the bot asks for what is missing, and issues an API call."""

    name = "gru_research_dialog_babi_1"
    STEM = "dialog-babi-task1-API-calls"


class Refine(_Builder):
    """Task 2: 1,000 dialogues a set in which the user changes the request."""

    name = "gru_research_dialog_babi_2"
    STEM = "dialog-babi-task2-API-refine"


class Options(_Builder):
    """Task 3: 1,000 dialogues a set in which the bot proposes restaurants, the best rated first."""

    name = "gru_research_dialog_babi_3"
    STEM = "dialog-babi-task3-options"


class PhoneAddress(_Builder):
    """Task 4: 1,000 dialogues a set in which the user asks for a restaurant's phone number and address."""

    name = "gru_research_dialog_babi_4"
    STEM = "dialog-babi-task4-phone-address"


class FullDialogs(_Builder):
    """Task 5: 1,000 dialogues a set that combine tasks 1 to 4."""

    name = "gru_research_dialog_babi_5"
    STEM = "dialog-babi-task5-full-dialogs"


class Dstc2(_Builder):
    """Task 6: 1,618, 500 and 1,117 dialogues of real users with a restaurant system."""

    name = "gru_research_dialog_babi_6"
    STEM = "dialog-babi-task6-dstc2"

    def _members(self) -> dict[str, str]:
        return {split: member for split, member in super()._members().items() if split not in ("test_oov", "knowledge")}


def read_member(path: os.PathLike | str, member: str) -> str:
    """Returns the text of one file in the archive.

    Raises:
      ValueError: the file isn't a tar archive, is damaged, or lacks the text file, or that isn't UTF-8.
    """
    try:
        with tarfile.open(path) as archive:
            file = archive.extractfile(f"{_FOLDER}/{member}")
            assert file is not None, member
            return file.read().decode("utf-8")
    except KeyError as e:
        raise ValueError(f"{os.fspath(path)} has no file {member}") from e
    except (tarfile.TarError, OSError, EOFError, zlib.error, UnicodeError) as e:
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:100]
        raise ValueError(f"{os.fspath(path)}: {member} can't be read ({reason})") from e


def check_dialogues(text: str, place: str) -> None:
    """Raises ValueError if a text holds no dialogues or has a faulty line."""
    try:
        parse_dialogues(text, place)
    except FileError as e:
        raise ValueError(str(e)) from e
