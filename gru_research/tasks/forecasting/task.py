"""Forecasts the next steps of several series, with intervals."""

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs, ett, load
from gru_research.data.own_files import read_table
from gru_research.spec import Spec

from ..application import Application, without_metric
from ..base import Stored, Task
from ..files.scaling import Scale
from . import metrics, tables
from .answers import Decode, Encode
from .examples import collect
from .options import Options
from .published import PUBLISHED
from .series import Part, check_lengths, divided, joined, split_windows, windows
from .tables import Layout
from .trivial import trivial_answers

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FORM = "forecasts"
USE = "time series forecasting"


def forecasting(
    dataset: Literal["etth1", "etth2"] = "etth1",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.2,
    test_share: float = 0.2,
    columns: str = "",
    look_back: int = 336,
    horizon: int = 96,
    season: int = 24,
    quantiles: tuple[float, ...] = DECILES,
    missing: Literal["refuse", "carry"] = "refuse",
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Forecast the `horizon` steps after each window of `look_back` steps, for all series at once.

    Values are scaled by the mean and standard deviation of the training part. A model reads `inputs [B, T, C]`, T steps
    of C series, and returns `[B, U, C, Q]`: U steps for each of Q quantile levels. Windows of all sets begin at every
    step, and look-backs of validation and test reach into the part before. Windows share the memory of the series.

    "mse" and "mae" are on scaled values, as in the literature, of the median or, without quantiles, of the mean.
    "mase" divides absolute errors by those of the seasonal naive forecast within training. "crps" and "coverage_80" are
    of the quantiles: twice the mean pinball loss over the levels, and the share of values within the outermost levels.

    Args:
      dataset: ETTh1 or ETTh2, hourly values of 7 series of a transformer; see `data.ett`.
      train: a table of your own (.csv, .tsv) with a header, optionally a first column of times, and numbers, in place
        of `dataset`.
      validation, test: files like `train`; "" takes shares of `train`, its end, instead.
      validation_share, test_share: of `train`.
      columns: the series to read, separated by commas; "" is every column of numbers.
      look_back, horizon: T and U, in steps.
      season: the steps of a season, for seasonal naive forecasts and "mase"; 0: no season.
      quantiles: the levels that are forecast, with the median in their middle, trained by the pinball loss; ()
        forecasts the mean, trained by squared error.
      missing: "refuse" refuses a file with a missing value, by its line and column. "carry" masks missing values: the
        cell's carry passes them unchanged, and no loss or metric reads them. They are never filled in.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: see `trivial.trivial_answers`.
    """
    own = {} if not train else {"dataset": ""}
    options = Options(
        **{"dataset": dataset, **own}, train=train, validation=validation, test=test, validation_share=validation_share,
        test_share=test_share, columns=columns, look_back=look_back, horizon=horizon, season=season,
        quantiles=quantiles, missing=missing,
    )  # fmt: skip
    held: list[dict[str, Part]] = []  # the sets for the first load, freed afterwards
    if not learned:
        learned, parts = _learned(options, dirs)
        held.append(parts)
    facts = _Facts(options, learned, dirs)

    def read() -> dict[str, Any]:
        parts = held.pop() if held else facts.scaled(facts.read())
        return {split: {"windows": windows(part, look_back, horizon)} for split, part in parts.items()}

    return _make(facts, read)


@dataclasses.dataclass(frozen=True)
class _Facts:
    """The options and what was learned from the data, as plain JSON."""

    options: Options
    learned: Mapping[str, Any]
    dirs: DataDirs

    @property
    def layout(self) -> Layout:
        return Layout(**self.learned["layout"])

    @property
    def scale(self) -> Scale:
        return Scale(**self.learned["scale"])

    @property
    def paths(self) -> dict[str, Path]:
        return {split: Path(path) for split, path in self.learned["files"].items()}

    @property
    def masked(self) -> bool:
        """Whether values may be missing."""
        return self.options.missing == "carry"

    def read(self, known: Mapping[Path, Any] | None = None) -> dict[str, Part]:
        """Returns the parts in their own units."""
        if self.options.dataset:
            splits = load(self.options.dataset, self.dirs)
            return joined({split: arrays["values"] for split, arrays in splits.items()})
        series = tables.read_files(self.paths, self.layout, self.options.missing, known or {})
        return divided(series, self.options.shares())

    def scaled(self, parts: Mapping[str, Part]) -> dict[str, Part]:
        mean, std = np.asarray(self.scale.mean), np.asarray(self.scale.std)
        return {split: Part((part.values - mean) / std, part.start) for split, part in parts.items()}


def _learned(options: Options, dirs: DataDirs) -> tuple[dict[str, Any], dict[str, Part]]:
    """Returns the facts learned from the data, as plain JSON, and the scaled parts."""
    paths = options.paths()
    known, said, layout = {}, [], Layout(ett.COLUMNS)
    if paths:
        known = {paths["train"]: read_table(paths["train"])}
        layout, said = tables.layout_of(known[paths["train"]], options.columns)
    where = paths.get("train", Path(options.dataset))
    learned: dict[str, Any] = {
        "files": {split: str(path) for split, path in paths.items()},
        "layout": dataclasses.asdict(layout),
        "warnings": [f"{where.name}: {sentence}" for sentence in said],
    }
    parts = _Facts(options, learned, dirs).read(known)
    check_lengths(parts, options.look_back, options.horizon, where)
    for split, part in parts.items():
        empty = np.isnan(part.values[part.start :]).all(0)
        if empty.any():
            raise FileError(f"{where}: {layout.columns[int(empty.argmax())]} has no value in {split}")
    learned["scale"] = dataclasses.asdict(_scale(parts["train"].values))
    scaled = _Facts(options, learned, dirs).scaled(parts)
    scales = metrics.mase_scales(scaled["train"].values, options.season)
    trivial = trivial_answers(scaled, options.look_back, options.horizon, options.season, scales)
    return learned | {"mase_scales": scales, "trivial": trivial}, scaled


def _scale(train: np.ndarray) -> Scale:
    """Returns the scale of the values `[N, C]` that aren't missing."""
    of_each = [Scale.of(column[~np.isnan(column), None], normalise=True) for column in train.T]
    return Scale([one.mean[0] for one in of_each], [one.std[0] for one in of_each])


def _make(facts: _Facts, read: Any) -> Task:
    options, learned, layout, scale = facts.options, facts.learned, facts.layout, facts.scale
    columns, levels = layout.columns, options.quantiles
    inputs, targets = (options.look_back, len(columns)), (options.horizon, len(columns))
    example = {
        "inputs": jax.ShapeDtypeStruct(inputs, jnp.float32),
        "targets": jax.ShapeDtypeStruct(targets, jnp.float32),
    }
    if facts.masked:
        example |= {"observed": jax.ShapeDtypeStruct(inputs, bool), "wanted": jax.ShapeDtypeStruct(targets, bool)}
    trivial = learned["trivial"]
    stem = options.dataset or re.sub(r"[^A-Za-z0-9_.-]+", "_", facts.paths["train"].stem)[:60] or "data"
    decode = Decode(scale, columns, levels)
    return Task(
        name=f"forecasting-{stem}-{options.horizon}",
        data=Stored(prepare=functools.partial(split_windows, options.look_back, facts.masked), read=read),
        spec=Spec(example, max(1, len(levels)), answers=None),
        loss=metrics.loss_of(levels),
        metrics=metrics.metrics_of(levels, columns, options.horizon, learned["mase_scales"]),
        metric="mse",
        trivial={name: values["mse"] for name, values in trivial.items()},
        length=options.look_back,
        scaling="The length is the look-back: a longer one shows more of the past, and leaves fewer training windows.",
        encode=Encode(scale, options.look_back, facts.masked),
        decode=decode,
        learned=learned,
        files=tuple(facts.paths.values()),
        warnings=tuple(learned["warnings"]),
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(trivial, "mse"),
            published=PUBLISHED.get((options.dataset, options.horizon), ()),
            breakdowns=metrics.breakdowns_of(columns, options.horizon),
            examples=functools.partial(collect, decode, options.look_back, facts.masked),
        ),
    )
