"""Utterances with their transcripts: reads a user's own files, and the built-in data sets."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs, load
from gru_research.data.own_files import WAV, read_table, read_wav, resample
from gru_research.data.text_arrays import to_texts

from .features import RATE

COLUMNS = ("path", "transcript")
TABLES = (".tsv",)


class Utterance(NamedTuple):
    """What a speaker said.

    Attributes:
      transcript: words, separated by single blanks.
      content: sound float32 `[N]` at 8 kHz, or cepstra `[T, 13]` for AN4.
      speaker: the speaker's name; "" if unknown.
      place: where the user's file names it, for messages.
    """

    transcript: str
    content: np.ndarray
    speaker: str = ""
    place: str = ""


Sets = Mapping[str, Sequence[Utterance]]
"""The utterances of "train", "validation" and "test"."""


def read_utterances(path: Path) -> list[Utterance]:
    """Returns the utterances of a table with the columns `path`, a WAV file relative to the table, and `transcript`.

    Raises:
      FileError: a column is missing; a path that isn't a WAV file's, is missing or can't be read; silence; or an empty
        transcript. The message has the table's line.
    """
    table = read_table(path)
    for column in COLUMNS:
        if column not in table.header:
            raise FileError(f"{path}:1: lacks the column {column!r}; it has {', '.join(table.header)}")
    found = []
    for row, (name, text) in enumerate(zip(*(table.texts(column) for column in COLUMNS), strict=True)):
        place = table.place(row)
        transcript = " ".join(text.split())
        if not transcript:
            raise FileError(f"{place}: transcript={text!r} is empty")
        if Path(name).suffix.lower() != WAV:
            raise FileError(f"{place}: path={name[:60]!r} must end with {WAV}")
        sound = read_wav(path.parent / name, place)
        found.append(Utterance(transcript, resample(sound, RATE), "", place))
    return found


def of_an4(dirs: DataDirs, validation: int, seed: int) -> dict[str, list[Utterance]]:
    """Returns AN4's "train", "validation" and "test". All utterances of speakers drawn by `seed`, at least `validation`
    of them, are taken from training for validation."""
    sets = load("an4", dirs)
    whole = {split: _of_arrays(arrays) for split, arrays in sets.items()}
    speakers = np.unique(sets["train"]["speaker"])
    held, count = set(), 0
    for speaker in np.random.RandomState(seed).permutation(speakers).tolist():
        if count >= validation:
            break
        held.add(str(speaker))
        count += int((sets["train"]["speaker"] == speaker).sum())
    return {
        "train": [one for one in whole["train"] if one.speaker not in held],
        "validation": [one for one in whole["train"] if one.speaker in held],
        "test": whole["test"],
    }


def _of_arrays(arrays: Mapping[str, Any]) -> list[Utterance]:
    rows = zip(
        to_texts(arrays["text"], arrays["length"]), arrays["frames"], arrays["frame_count"], arrays["speaker"],
        strict=True,
    )  # fmt: skip
    return [Utterance(text, frames[:count], str(speaker)) for text, frames, count, speaker in rows]


@dataclasses.dataclass(frozen=True)
class Units:
    """The labels of transcripts: 0 is the blank, and label n is `names[n - 1]`.

    Attributes:
      names: characters, or words.
      words: whether labels are words.
    """

    names: tuple[str, ...]
    words: bool

    @classmethod
    def learn(cls, transcripts: Sequence[str], words: bool) -> "Units":
        """Returns the units of transcripts, sorted."""
        parts = (one.split(" ") if words else list(one) for one in transcripts)
        return cls(tuple(sorted({unit for one in parts for unit in one})), words)

    @property
    def size(self) -> int:
        """C, with the blank."""
        return len(self.names) + 1

    def labels(self, transcript: str, place: str = "") -> list[int]:
        """Returns a transcript's labels.

        Raises:
          FileError: a unit that training lacks; the message begins with `place`.
        """
        numbers = {name: n for n, name in enumerate(self.names, 1)}
        found = []
        for unit in transcript.split(" ") if self.words else transcript:
            if unit not in numbers:
                what = "word" if self.words else "character"
                raise FileError(f"{place}: the {what} {unit[:40]!r} of the transcript isn't in training")
            found.append(numbers[unit])
        return found

    def text(self, labels: Sequence[int]) -> str:
        """Returns the transcript of labels, with single blanks between words."""
        names = [self.names[label - 1] for label in labels]
        return " ".join((" " if self.words else "").join(names).split())


def least_steps(labels: Sequence[int]) -> int:
    """Returns the fewest steps that a transcript needs: one a label, and one for a blank between two equal labels."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
