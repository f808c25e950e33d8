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
    """What files ask for. The ending of `train` says how it is read:

    - .npz: `inputs [N, T]` whole numbers (tokens) or floats, or `[N, T, I]` numbers; `targets [N]` whole numbers or
      texts (classification), `[N]` or `[N, C]` floats (regression), `[N, T]` whole numbers or texts (tagging: a label
      each step), `[N, T, C]` floats (regression at each step); `lengths [N]` where sequences are padded.
    - .csv, .tsv: a header that names the columns, then rows. Either a text and its label or number a row; or a step of
      one series a row, with times in the first column or without; or (say `kind`) a whole sequence a row, with its
      label or number.
    - .npy: a series, `[N]` or `[N, I]` numbers.
    - .txt, and anything else with kind="next_token": a text in UTF-8.

    Args:
      validation, test: files as `train`; "" makes them shares of it.
      validation_share, test_share: of labelled examples they are drawn; of a series, and of a text, they are its end.
      seed: of the draw.
      kind: what is asked; "auto" infers it, and the plan says what was inferred.
      inputs, target: columns of a table, separated by commas; or the names of the arrays in an .npz.
      unit: what a text is cut into; "auto" is words in tables and characters in plain texts. Words are as they are
        written, with punctuation apart; ends of lines divide words.
      length: of a series the steps of a window, of a plain text the units of a segment, of texts in tables the units
        that are read at most; 0 is the form's own: 32 steps, 128 characters or 64 words, fewer where files are short;
        the whole text.
      horizon: how many steps behind the window are forecast.
      season: of a series, its length S: a second trivial answer repeats what was S steps before; 0: there is none.
      min_count: words and characters that training has less often become "<unknown>", as those do that it lacks.
      normalise: whether numbers become (x - mean) / standard deviation, a feature each; metrics are in original units.
      threshold: the validation metric that counts as solved; None: nothing does.
      learned: of an earlier run; then files are read when the data are loaded.

    Vocabularies, classes, means and deviations come from training alone. Metrics: "accuracy" and "macro_f1" for classes
    and labels; "rmse" and "mae" for numbers, and "rmse_COLUMN" of 2 to 8 columns of a series; "bits_per_character", or
    "perplexity" for words. Trivial answers: the most frequent class or label of training, its mean; the last step or
    season again; the frequencies of training.
    """
    if threshold is not None and threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")
    held: list[Any] = []  # the sets for the first load: a run that has its arrays needs them no more
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
    """What is learned of the files that options name, as plain JSON; and the sets."""
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
    """The sets; `tables` are those that are read already."""
    family = PIPELINES[reading.form]
    files = {split: family.read(reading, path, tables.get(path)) for split, path in paths.items()}
    return family.divide(files, shares, reading)


def _name(path: Path) -> str:
    """Of the task: it names files, too."""
    return "files-" + (re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem)[:60] or "data")
