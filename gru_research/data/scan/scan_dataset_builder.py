"""Converts SCAN, commands such as "walk twice and jump left" with their actions, to array_record.

Lake and Baroni, ICML 2018 (arXiv 1711.00350), from the archive of the authors' repository, which is under the BSD
licence. The address names a branch, not a commit; the sha256 sum fixes the state of the repository.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.config import choose
from gru_research.data.padding import padded

COMMANDS = (
    "after", "and", "around", "jump", "left", "look", "opposite", "right", "run", "thrice", "turn", "twice", "walk",
)  # fmt: skip
"""The words of commands; a word's number is its position here."""
ACTIONS = ("I_JUMP", "I_LOOK", "I_RUN", "I_TURN_LEFT", "I_TURN_RIGHT", "I_WALK")
"""The words of action sequences; a word's number is its position here."""
LONGEST_COMMAND = 9
LONGEST_ACTIONS = 48
_FOLDER = "SCAN-master"  # the archive's only folder


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `command` uint8 [N, 9] and `actions` uint8 [N, 48], the positions of words in `COMMANDS` and `ACTIONS`,
    and `command_length` and `actions_length` int32 [N], the numbers of words. Padding is 0.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the text files."}
    MEMBERS: ClassVar[dict[str, str]]
    """The archive's text files by split."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "command": tfds.features.Tensor(shape=(None, LONGEST_COMMAND), dtype=np.uint8, encoding="zlib"),
            "command_length": tfds.features.Tensor(shape=(None,), dtype=np.int32),
            "actions": tfds.features.Tensor(shape=(None, LONGEST_ACTIONS), dtype=np.uint8, encoding="zlib"),
            "actions_length": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/brendenlake/SCAN",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = self.url_infos
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, member) for split, member in self.MEMBERS.items()}

    def _generate_examples(self, path: os.PathLike, member: str) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        commands, actions = read_pairs(path, f"{_FOLDER}/{member}")
        block: dict[str, np.ndarray] = {}
        block["command"] = padded(commands, np.uint8, LONGEST_COMMAND)
        block["command_length"] = np.array([*map(len, commands)], np.int32)
        block["actions"] = padded(actions, np.uint8, LONGEST_ACTIONS)
        block["actions_length"] = np.array([*map(len, actions)], np.int32)
        yield 0, block


class Simple(_Builder):
    """Experiment 1: 20,910 commands, split at random into 16,728 for training and 4,182 for test."""

    name = "gru_research_scan_simple"
    MEMBERS: ClassVar[dict[str, str]] = {
        "train": "simple_split/tasks_train_simple.txt",
        "test": "simple_split/tasks_test_simple.txt",
    }


class Length(_Builder):
    """Experiment 2: 16,990 commands of up to 22 actions for training, and 3,920 of 24 to 48 actions for test."""

    name = "gru_research_scan_length"
    MEMBERS: ClassVar[dict[str, str]] = {
        "train": "length_split/tasks_train_length.txt",
        "test": "length_split/tasks_test_length.txt",
    }


class Jump(_Builder):
    """Experiment 3: training has the 13,203 commands without "jump", and "jump" alone 1,467 times, a tenth of all. The
    test set has the 7,706 other commands with "jump"."""

    name = "gru_research_scan_jump"
    MEMBERS: ClassVar[dict[str, str]] = {
        "train": "add_prim_split/tasks_train_addprim_jump.txt",
        "test": "add_prim_split/tasks_test_addprim_jump.txt",
    }


def read_pairs(path: os.PathLike | str, member: str) -> tuple[list[list[int]], list[list[int]]]:
    """Returns the commands and the action sequences of one text file in an archive, as the numbers of their words.

    Raises:
      ValueError: the file isn't a zip archive, is damaged or lacks the text file, or a line isn't a command with its
        actions in SCAN's words.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(member).decode("ascii")
    except KeyError as e:
        raise ValueError(f"{os.fspath(path)} has no file {member}") from e
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as e:
        raise ValueError(f"{os.fspath(path)}: {member} can't be read ({type(e).__name__}: {e})") from e
    commands, actions = [], []
    for n, line in enumerate(text.splitlines(), start=1):
        try:
            command, arrow, sequence = line.removeprefix("IN: ").partition(" OUT: ")
            if not line.startswith("IN: ") or not arrow:
                raise ValueError(f"{line[:80]!r} must be 'IN: COMMAND OUT: ACTIONS'")
            commands.append(numbers(command, COMMANDS, LONGEST_COMMAND))
            actions.append(numbers(sequence, ACTIONS, LONGEST_ACTIONS))
        except ValueError as e:
            raise ValueError(f"{os.fspath(path)}: line {n} of {member}: {e}") from e
    if not commands:
        raise ValueError(f"{os.fspath(path)}: {member} holds no commands")
    return commands, actions


def numbers(text: str, words: Sequence[str], longest: int) -> list[int]:
    """Returns the positions in `words` of a text's words, which are separated by blanks.

    Raises:
      ValueError: no word, more than `longest` words, or a word that isn't in `words`.
    """
    found = text.split()
    if not 1 <= len(found) <= longest:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise ValueError(f"{shown!r} has {len(found)} words and must have 1 to {longest}")
    return [words.index(choose("word", word, words)) for word in found]
