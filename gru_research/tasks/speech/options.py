"""The validated options of the task `speech`, and the sets that they name."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gru_research.config import choose
from gru_research.data import DataDirs, load
from gru_research.data.an4 import CEPSTRA
from gru_research.data.fsdd import SPEAKERS

from ..files.options import Options as Files
from .strings import Recordings, strings
from .trivial import NEAREST, nearest_recording
from .utterances import TABLES, Sets, Utterance, of_an4, read_utterances

DATASETS = ("digits", "an4")
AN4_VALIDATION = 100
STRINGS = {"validation": 300, "test": 500}
"""The numbers of strings of digits."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The arguments of `speech`, validated.

    Raises:
      ValueError: an unknown name, a value out of range, files without one for training, or one that isn't a table.
    """

    dataset: str
    train: str
    validation: str
    test: str
    validation_share: float
    test_share: float
    seed: int
    speaker: str
    strings: int
    speed: float
    unit: str
    stack: int
    normalise: str
    beams: int
    language_weight: float

    def __post_init__(self) -> None:
        choose("unit", self.unit, ("auto", "characters", "words"))
        choose("normalise", self.normalise, ("utterance", "running"))
        choose("speaker", self.speaker, SPEAKERS)
        for field, least in {"strings": 1, "beams": 1, "stack": 0}.items():
            if getattr(self, field) < least:
                raise ValueError(f"{field}={getattr(self, field)!r} must be at least {least}")
        if not 0 <= self.speed < 1:
            raise ValueError(f"speed={self.speed!r} must be 0 or more, and below 1")
        if not 0 <= self.language_weight < float("inf"):
            raise ValueError(f"language_weight={self.language_weight!r} must be 0 or more, and finite")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed={self.seed!r} must be 0 or more and below 2**31")
        if self.train:
            if Path(self.train).suffix.lower() not in TABLES:
                raise ValueError(f"train={self.train!r} must end with {TABLES[0]}")
            self._files().paths()
            return
        choose("dataset", self.dataset, DATASETS)
        for field in ("validation", "test"):
            if getattr(self, field):
                raise ValueError(f"{field}={getattr(self, field)!r} needs train: a file for training")
        if self.dataset == "digits" and self.unit == "characters":
            raise ValueError("unit='characters' is for other transcripts than digits")

    def _files(self) -> Files:
        return Files(self.train, self.validation, self.test, self.validation_share, self.test_share, self.seed)

    @property
    def words(self) -> bool:
        """Whether a label is a word."""
        return self.unit == "words" or (self.unit == "auto" and self.dataset == "digits")

    @property
    def cepstra(self) -> int:
        """The number of cepstra of a frame, where utterances are these and not sound; 0: they are sound."""
        return CEPSTRA if self.dataset == "an4" else 0

    @property
    def frames(self) -> int:
        """The number of frames in an input."""
        return self.stack or (3 if self.dataset == "digits" else 2)

    @property
    def name(self) -> str:
        """A name that is fit for a file."""
        if self.dataset == "digits":
            return f"digits-{self.speaker}"
        return self.dataset or re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(self.train).stem)[:60] or "data"

    def paths(self) -> tuple[Path, ...]:
        """Returns the user's own tables."""
        return tuple(self._files().paths().values()) if self.train else ()

    def own_sets(self) -> dict[str, list[Utterance]]:
        """Returns the utterances of the user's tables."""
        sets = {split: read_utterances(path) for split, path in self._files().paths().items()}
        rows = self._files().shares().drawn(len(sets["train"]), "utterances")
        drawn = {split: [sets["train"][row] for row in part.tolist()] for split, part in rows.items()}
        return {**drawn, **{split: part for split, part in sets.items() if split != "train"}}


class Read(NamedTuple):
    """The sets "train", "validation" and "test", and the digit error rates of further trivial answers."""

    sets: Sets
    trivial: Mapping[str, float]


def read_sets(options: Options, dirs: DataDirs) -> Read:
    """Returns what the options name. Raises FileError for a fault in a file of the user's."""
    if options.train:
        return Read(options.own_sets(), {})
    if options.dataset == "an4":
        return Read(of_an4(dirs, AN4_VALIDATION, options.seed), {})
    recordings = Recordings.of(load("fsdd", dirs)["recordings"])
    tested = SPEAKERS.index(options.speaker)
    held = (tested + 1) % len(SPEAKERS)
    speakers = [n for n in range(len(SPEAKERS)) if n not in (tested, held)]
    counts = {"train": options.strings, **STRINGS}
    seeds = np.random.SeedSequence(options.seed).generate_state(len(counts)).tolist()
    who = {"train": speakers, "validation": [held], "test": [tested]}
    made = {
        split: strings(recordings, who[split], count, options.speed if split == "train" else 0.0, number)
        for (split, count), number in zip(counts.items(), seeds, strict=True)
    }
    nearest = nearest_recording(recordings, speakers, made["test"])
    return Read({split: [one.utterance for one in part] for split, part in made.items()}, {NEAREST: nearest})
