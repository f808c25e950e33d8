"""A task of a user's own files: arrays, tables or texts."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from gru_research.data.own_files import TABLES, Table, read_table

from ..base import Task
from .format_inference import Format, infer_format
from .options import Options
from .pipelines import PIPELINES
from .splits import SplitShares


def files(
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    kind: Literal["auto", "classification", "regression", "tagging", "next_token", "forecasting"] = "auto",
    inputs: str = "",
    target: str = "",
    unit: Literal["auto", "characters", "words"] = "auto",
    length: int = 0,
    horizon: int = 1,
    season: int = 0,
    min_count: int = 1,
    normalise: bool = True,
    threshold: float | None = None,
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Makes a task of a user's own files. The extension of `train` determines how it is read:

    - .npz: `inputs [N, T]` integers (tokens) or floats, or `[N, T, I]` numbers; `targets [N]` integers or strings
      (classification), `[N]` or `[N, C]` floats (regression), `[N, T]` integers or strings (tagging: a label for each
      step), `[N, T, C]` floats (regression at each step); `lengths [N]` if sequences are padded.
    - .csv, .tsv: a header that names the columns, then rows. A row is a text with its label or number; or one step of
      a single series, optionally with times in the first column; or, if `kind` is given, a whole sequence with its
      label or number.
    - .npy: a series, `[N]` or `[N, I]` numbers.
    - .txt, and anything else with kind="next_token": a text in UTF-8.

    Args:
      validation, test: files like `train`; "" takes shares of `train` instead.
      validation_share, test_share: the shares of `train`: labelled examples at random, or the end of a series or text.
      seed: of the random draw.
      kind: the kind of prediction; "auto" infers it, and the plan states the result.
      inputs, target: columns of a table, separated by commas; or the names of the arrays in an .npz.
      unit: the unit of tokenisation; "auto" is words in tables and characters in plain texts. Words keep their
        spelling; punctuation marks are separate tokens, and line ends divide words.
      length: the steps of a window of a series, the units of a segment of a plain text, or the maximum number of units
        of a text in a table. 0 is the default: 32 steps, 128 characters or 64 words, fewer for short files; for a
        table, the whole text.
      horizon: the number of steps after the window that are forecast.
      season: the season length S of a series. A second trivial answer repeats the value S steps before. 0: no season.
      min_count: words and characters that occur in training fewer than `min_count` times become "<unknown>".
      normalise: whether each feature becomes (x - mean) / standard deviation; metrics are in original units.
      threshold: the validation metric that counts as solved; None: no threshold.
      learned: facts from an earlier run. Files are then read only when the data are loaded.

    Vocabularies, classes, means and deviations come from training alone. Metrics: "accuracy" and "macro_f1" for classes
    and labels; "rmse" and "mae" for numbers, and "rmse_COLUMN" for 2 to 8 columns of a series; "bits_per_character", or
    "perplexity" for words. Trivial answers: the most frequent training class or label, or the training mean; the last
    step or season repeated; the training frequencies.
    """
    if threshold is not None and threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")
    held: list[Any] = []  # the sets for the first load, freed afterwards
    if not learned:
        options = Options(
            train, validation, test, validation_share, test_share, seed, kind, inputs, target, unit, length, horizon,
            season, min_count, normalise,
        )  # fmt: skip
        learned, sets = _learned(options)
        held.append(sets)
    reading, family = Format(**learned["reading"]), PIPELINES[learned["reading"]["form"]]
    facts = family.facts(learned["facts"])
    paths = {split: Path(path) for split, path in learned["files"].items()}
    shares = SplitShares(**learned["shares"])

    def read() -> dict[str, Any]:
        known = held.pop() if held else _sets(reading, paths, shares)
        return {split: family.arrays(facts, known[split]) for split in ("train", "validation", "test")}

    return family.make(
        _name(paths["train"]),
        facts,
        read,
        threshold=threshold,
        learned=learned,
        files=tuple(paths.values()),
        warnings=tuple(learned["warnings"]),
    )


def _learned(options: Options) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the facts learned from the files in `options`, as plain JSON, and the sets."""
    paths, shares = options.paths(), options.shares()
    train = paths["train"]
    tables = {train: read_table(train)} if train.suffix.lower() in TABLES else {}
    reading, said = infer_format(train, tables.get(train), options)
    options.check_taken(reading.form)
    family = PIPELINES[reading.form]
    sets = _sets(reading, paths, shares, tables)
    facts = family.learn(sets, reading, options, train)
    learned = {
        "files": {split: str(path) for split, path in paths.items()},
        "reading": dataclasses.asdict(reading),
        "shares": dataclasses.asdict(shares),
        "facts": dataclasses.asdict(facts),
        "warnings": [
            *(f"{train.name}: {sentence}" for sentence in [*said, *family.inferred(reading, facts)]),
            *family.warn(sets, facts, reading, options),
        ],
    }
    return learned, sets


def _sets(
    reading: Format, paths: Mapping[str, Path], shares: SplitShares, tables: Mapping[Path, Table] = MappingProxyType({})
) -> dict[str, Any]:
    """Returns the sets. `tables` holds the tables that are already read."""
    family = PIPELINES[reading.form]
    files = {split: family.read(reading, path, tables.get(path)) for split, path in paths.items()}
    return family.divide(files, shares, reading)


def _name(path: Path) -> str:
    """Returns the name of the task. It also serves as a file name."""
    return "files-" + (re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem)[:60] or "data")
