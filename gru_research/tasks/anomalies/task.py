"""Finds anomalies in series by forecasting each next value."""

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gru_research.data import DataDirs
from gru_research.spec import Spec
from gru_research.types import Batch

from ..application import Application, without_metric
from ..base import Stored, Task
from . import examples, metrics, nab_score, published, tables, trivial
from .answers import Decode, Encode, detect, example, learned_points
from .options import Options
from .series import Series, check_lengths, of_nab, scaled, split_arrays
from .surprise import threshold

FORM = "anomalies"
USE = "anomaly detection"


def anomalies(
    dataset: Literal["nab"] = "nab",
    train: str = "",
    value: str = "",
    label: str = "",
    learning_share: float = nab_score.LEARNING_SHARE,
    window: int = 200,
    quiet: float = 0.5,
    tail: float = 1e-5,
    calendar: bool = True,
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Forecast each next value of a series with a normal distribution, and be surprised where it was improbable.

    The first points of each series are for learning: they scale it, train the model, which all series share, and
    validate it with their last fifth. All points after them are tested as a stream. A point is an alarm where its tail
    probability is low, and lower than at all points shortly before. A model reads `inputs [B, T, 1 + F]`, the
    scaled value and F numbers of the calendar, and returns `[B, T, 2]`: the change to the next value, and its scale.

    With labels, "nab" is the score of the Numenta Anomaly Benchmark with its standard profile, from 0 (no alarm) to
    100, and "nab_low_fp" and "nab_low_fn" have its other profiles. Labels choose the threshold, as in the benchmark.
    "nab_label_free" has the threshold of `tail`. "vus_pr", "auprc" and "auroc" are means over series, of all points and
    not of alarms. Without labels the metric is "loss", the negative log-likelihood.

    Args:
      dataset: the benchmark's 58 series; see `data.nab`.
      train: tables of your own (.csv, .tsv), separated by commas, a series each, in place of `dataset`.
      value, label: their columns; "": the only column of numbers, and one of `tables.LABELS` if there is one.
      learning_share: the share of a series that is for learning; in the benchmark it is at most 750 points.
      window: the steps of a training example.
      quiet: an alarm must be more surprising than as many points before it as `quiet` times those for learning.
      tail: the tail probability below which a point is an alarm.
      calendar: whether inputs have the time of the day and the week, where series have times.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: see `trivial.trivial_answers` and, without labels, `trivial.likelihoods`.
    """
    options = Options(
        dataset="" if train else dataset, train=train, value=value, label=label, learning_share=learning_share,
        window=window, quiet=quiet, tail=tail, calendar=calendar,
    )  # fmt: skip
    held: list[list[Series]] = []  # the series for the first load, freed afterwards
    if not learned:
        learned, series = _learned(options, dirs)
        held.append(series)
    facts = _Facts(options, learned)

    def read() -> dict[str, Any]:
        series = held.pop() if held else facts.read(dirs)
        points = [scaled(one, count, facts.calendar).inputs for one, count in zip(series, facts.learning, strict=True)]
        return split_arrays(points, facts.learning, options.window)

    return _make(facts, read)


@dataclasses.dataclass(frozen=True)
class _Facts:
    """The options and what was learned from the data, as plain JSON."""

    options: Options
    learned: Mapping[str, Any]

    @property
    def paths(self) -> list[Path]:
        return [Path(path) for path in self.learned["files"]]

    @property
    def columns(self) -> tables.Columns:
        return tables.Columns(**self.learned["columns"])

    @property
    def calendar(self) -> bool:
        """Whether inputs include the calendar."""
        return self.learned["calendar"]

    @property
    def labelled(self) -> bool:
        """Whether there is an anomaly to find."""
        return any(self.learned["windows"])

    @property
    def learning(self) -> list[int]:
        return [self.learned_points(length) for length in self.learned["lengths"]]

    @property
    def most(self) -> int | None:
        return nab_score.LEARNING_MOST if self.options.dataset else None

    def learned_points(self, length: int) -> int:
        return learned_points(length, self.options.learning_share, self.most)

    @property
    def series(self) -> list[nab_score.Series]:
        """The series as the score takes them."""
        return [
            nab_score.Series(length, [(first, last) for first, last in windows], count)
            for length, windows, count in zip(
                self.learned["lengths"], self.learned["windows"], self.learning, strict=True
            )
        ]

    def scorer(self) -> metrics.Scorer | None:
        """The scorer; None without an anomaly."""
        return metrics.Scorer(self.series, self.options.quiet, self.options.tail) if self.labelled else None

    def read(self, dirs: DataDirs) -> list[Series]:
        if self.options.dataset:
            return of_nab(dirs)
        return [tables.read_series(path, self.columns) for path in self.paths]


def _learned(options: Options, dirs: DataDirs) -> tuple[dict[str, Any], list[Series]]:
    """Returns the facts learned from the data, as plain JSON, and the series."""
    paths, columns = options.paths(), tables.Columns("value", times="timestamp")
    if paths:
        columns, series = tables.read_all(paths, options.value, options.label)
    else:
        series = of_nab(dirs)
    learned: dict[str, Any] = {
        "files": [str(path) for path in paths],
        "columns": dataclasses.asdict(columns),
        "names": [one.name for one in series],
        "lengths": [len(one.values) for one in series],
        "windows": [list(one.windows or ()) for one in series],
        "calendar": options.calendar and all(len(one.times) > 0 for one in series),
    }
    facts = _Facts(options, learned)
    check_lengths(series, facts.learning)
    learned["warnings"] = _warnings(facts, series) if paths else []
    scorer = facts.scorer()
    values = [
        scaled(one, count, calendar=False).inputs[:, 0].astype(float)
        for one, count in zip(series, facts.learning, strict=True)
    ]
    if scorer is None:
        found = {name: {"loss": loss} for name, loss in trivial.likelihoods(values, facts.learning).items()}
    else:
        found = trivial.trivial_answers([one.values for one in series], values, scorer)
    return learned | {"trivial": found}, series


def _warnings(facts: _Facts, series: list[Series]) -> list[str]:
    """Returns what a user should know of the files before training."""
    columns, said = facts.columns, []
    said.append(f"watched: {columns.value} (value)" + (f"; labels: {columns.label} (label)" if columns.label else ""))
    if columns.label and not facts.labelled:
        said.append(f"{columns.label} marks no anomaly: the metric is the loss")
    if not columns.label:
        said.append("there is no column of labels: the metric is the loss, the negative log-likelihood")
    for one, count in zip(series, facts.learning, strict=True):
        if one.values[:count].std() == 0:
            said.append(f"{one.name}: the {count:,} points for learning are constant, and values are only shifted")
    return said


def _prepare(batch: Batch) -> Batch:
    """Returns `inputs`, `targets`, and the `lengths` that a model reads, from the stored points."""
    made = example(batch["points"])
    return made | {"lengths": batch["stop"] - 1, "start": batch["start"], "stop": batch["stop"]}


def _make(facts: _Facts, read: Any) -> Task:
    options, learned, scorer = facts.options, facts.learned, facts.scorer()
    shapes = {
        "inputs": jax.ShapeDtypeStruct((options.window - 1, 5 if facts.calendar else 1), jnp.float32),
        "lengths": jax.ShapeDtypeStruct((), jnp.int32),
    }
    metric = "loss" if scorer is None else "nab"
    stem = options.dataset or re.sub(r"[^A-Za-z0-9_.-]+", "_", facts.paths[0].stem)[:60] or "data"
    answers = learned["trivial"]
    return Task(
        name=f"{FORM}-{stem}",
        data=Stored(prepare=_prepare, read=read),
        spec=Spec(shapes, 2, "every"),
        loss=metrics.loss,
        metrics=metrics.metrics_of(scorer),
        metric=metric,
        validation_metric="loss",
        trivial={name: values[metric] for name, values in answers.items()},
        length=options.window - 1,
        scaling="The length is the training window's: a longer one trains a longer memory on fewer examples.",
        encode=Encode(options.learning_share, facts.most, facts.calendar),
        decode=Decode(options.quiet, options.tail),
        learned=learned,
        files=tuple(facts.paths),
        warnings=tuple(learned["warnings"]),
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(answers, metric),
            published=published.NAB if options.dataset else (),
            examples=functools.partial(
                examples.collect, learned["names"], facts.series, threshold(options.tail), _prepare
            ),
            generate=detect,
        ),
    )
