"""The validated options of the task `files`."""

import dataclasses
from pathlib import Path

from .splits import SplitShares, check_shares, distinct_files

ENDINGS = (".npz", ".npy", ".csv", ".tsv", ".txt")
TAKEN = {
    "arrays": ("inputs", "target", "normalise", "seed"),
    "rows": ("inputs", "target", "normalise", "seed"),
    "sentences": ("inputs", "target", "unit", "length", "min_count", "normalise", "seed"),
    "series": ("inputs", "target", "length", "horizon", "season", "normalise"),
    "text": ("unit", "length", "min_count"),
}
"""The options that apply to each form of file. Other options must keep their defaults."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The arguments of `files`, validated.

    Raises:
      ValueError: no file, or a value out of range.
    """

    train: str
    validation: str = ""
    test: str = ""
    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0
    kind: str = "auto"
    inputs: str = ""
    target: str = ""
    unit: str = "auto"
    length: int = 0
    horizon: int = 1
    season: int = 0
    min_count: int = 1
    normalise: bool = True

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError(f"train={self.train!r} must name a file, which ends with {', '.join(ENDINGS)}")
        for field, least in {"length": 0, "horizon": 1, "season": 0, "min_count": 1}.items():
            if getattr(self, field) < least:
                raise ValueError(f"{field}={getattr(self, field)!r} must be at least {least}")
        check_shares(self._named(), {"validation": self.validation_share, "test": self.test_share})

    def _named(self) -> dict[str, str]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def paths(self) -> dict[str, Path]:
        """Returns the files by set. Raises ValueError if one is missing, used twice, or has another extension."""
        paths = distinct_files(self._named())
        for split, path in paths.items():
            if path.suffix.lower() != paths["train"].suffix.lower():
                name = getattr(self, split)
                raise ValueError(f"{split}={name!r} must end with {paths['train'].suffix}, as train does")
        return paths

    def shares(self) -> SplitShares:
        """Returns the shares of the training file; 0 for a set with its own file."""
        return SplitShares(
            validation=0.0 if self.validation else self.validation_share,
            test=0.0 if self.test else self.test_share,
            seed=self.seed,
        )

    def check_taken(self, form: str) -> None:
        """Raises ValueError for an option that has no effect on files of the form `form`."""
        for field in dataclasses.fields(self):
            forms = [other for other, names in TAKEN.items() if field.name in names]
            if forms and form not in forms and getattr(self, field.name) != field.default:
                raise ValueError(
                    f"{field.name}={getattr(self, field.name)!r} is for {', '.join(forms)}, and {self.train} is read "
                    f"as {form}"
                )
