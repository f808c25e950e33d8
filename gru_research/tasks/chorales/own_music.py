"""Pieces of the user's own: which files hold them, and how they become three sets."""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research.config import UserError
from gru_research.data.own_files import OwnPiece, music_files, read_pieces
from gru_research.plural import several

from ..files.splits import SplitShares
from .pieces import Piece

_MUCH_OFF_GRID = 0.05
"""A share of notes off the grid of sixteenths above which a user should know."""


@dataclasses.dataclass(frozen=True)
class OwnMusic:
    """The options that name a user's pieces. Without `train` there are none.

    `files` are the paths by set, once found.

    Raises:
      ValueError: a share is out of range, or a set is named without `train`.
      UserError: a file isn't there, or serves for two sets.
    """

    train: str = ""
    validation: str = ""
    test: str = ""
    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0
    files: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for field in ("validation", "test"):
            if getattr(self, field) and not self.train:
                raise ValueError(
                    f"{field}={getattr(self, field)!r} belongs to pieces of your own: name them with train"
                )
            if not getattr(self, field) and not getattr(self, f"{field}_share"):
                raise ValueError(f"{field}_share={getattr(self, f'{field}_share')!r} must be above 0, or {field} named")
        if self.train and not self.files:
            object.__setattr__(self, "files", self._found())
        self._shares()

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> "OwnMusic":
        """Inverts `as_json`."""
        return cls(**saved)

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def name(self) -> str:
        """The name of the training file or folder, fit for a file name."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(self.train).stem)[:60] or "data"

    def paths(self) -> tuple[Path, ...]:
        """Returns all files."""
        return tuple(Path(file) for files in self.files.values() for file in files)

    def pieces(self) -> dict[str, list[Piece]]:
        """Returns the pieces of each set."""
        return {split: [piece.pitches for piece in pieces] for split, pieces in self._sets.items()}

    def warnings(self) -> list[str]:
        """Returns what a user should know of the pieces before training."""
        counts = ", ".join(f"{several(len(pieces), 'piece')} for {split}" for split, pieces in self._sets.items())
        found = [f"{self.train}: {counts}"]
        off = [piece for pieces in self._sets.values() for piece in pieces if piece.off_grid > _MUCH_OFF_GRID]
        if off:
            worst = max(off, key=lambda piece: piece.off_grid)
            found.append(
                f"{several(len(off), 'piece')} with notes that begin between two sixteenths and are rounded: "
                f"{worst.off_grid:.0%} of them in {worst.place}"
            )
        known = {piece.pitches.tobytes() for piece in self._sets["train"]}
        for split in ("validation", "test"):
            both = [piece for piece in self._sets[split] if piece.pitches.tobytes() in known]
            if both:
                found.append(f"{several(len(both), f'{split} piece')} also in training, such as {both[0].place}")
        return found

    @functools.cached_property
    def _sets(self) -> dict[str, list[OwnPiece]]:
        files = {split: [piece for file in found for piece in read_pieces(Path(file))] for split, found in
                 self.files.items()}  # fmt: skip
        drawn = self._shares().drawn(len(files["train"]), "pieces")
        parts = {split: [files["train"][n] for n in places.tolist()] for split, places in drawn.items()}
        return {split: parts[split] if split in parts else files[split] for split in ("train", "validation", "test")}

    def _shares(self) -> SplitShares:
        return SplitShares(
            validation=0.0 if self.validation else self.validation_share,
            test=0.0 if self.test else self.test_share,
            seed=self.seed,
        )

    def _found(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for split in ("train", "validation", "test"):
            name = getattr(self, split)
            if not name:
                continue
            files = [str(path) for path in music_files(split, name)]
            for other, its in found.items():
                if both := sorted(set(files) & set(its)):
                    raise UserError(f"{split}={name!r} has files of {other} too: {both[0]}")
            found[split] = files
        return found
