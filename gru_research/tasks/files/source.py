"""Where an application's data come from: a built-in data set, or a user's own files."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from .options import Options


@dataclasses.dataclass(frozen=True)
class DataSource:
    """A built-in `dataset`, or `files`. `dataclasses.asdict` makes plain JSON of it.

    Attributes:
      dataset: a name; "" for files.
      files: the user's own, with absolute paths; None for a data set.
    """

    dataset: str
    files: Options | None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Inverts `dataclasses.asdict`."""
        files = None if fields["files"] is None else Options(**fields["files"])
        return cls(**{**fields, "files": files})

    @property
    def paths(self) -> tuple[Path, ...]:
        """The user's own files."""
        if self.files is None:
            return ()
        return tuple(Path(path) for path in (self.files.train, self.files.validation, self.files.test) if path)

    @property
    def name(self) -> str:
        """A name that is fit for a file."""
        return self.dataset or re.sub(r"[^A-Za-z0-9_.-]+", "_", self.paths[0].stem)[:60] or "data"


def own_files(
    train: str, validation: str, test: str, validation_share: float, test_share: float, seed: int
) -> Options | None:
    """Returns the user's own files, with absolute paths; None if `train` is "".

    Raises:
      ValueError: other files without one for training, a share that is out of range, or a file that is missing or used
        twice.
    """
    if not train:
        for field, value in (("validation", validation), ("test", test)):
            if value:
                raise ValueError(f"{field}={value!r} needs train: a file for training")
        return None
    files = Options(train, validation, test, validation_share, test_share, seed)
    return dataclasses.replace(files, **{split: str(path) for split, path in files.paths().items()})
