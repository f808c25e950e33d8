"""What an application adds to a task: figures from the literature, groups of examples, and how answers are shown."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gru_research.types import Batch, Params, PRNGKey

Collect = Callable[
    [Any, Params, Mapping[str, np.ndarray], Mapping[str, Mapping[str, np.ndarray]]], Mapping[str, np.ndarray]
]
"""`(model, params, test, kept) -> arrays by name`."""
Generate = Callable[[Any, Params, Batch, PRNGKey, Any], Any]
"""`(model, params, batch, keys [B], sampling) -> outputs`, inside jit."""


def without_metric(answers: Mapping[str, Mapping[str, float]], metric: str) -> dict[str, dict[str, float]]:
    """Returns the metrics of each answer by name, without `metric`.

    They are the `trivial_metrics` of an `Application`, whose task has `metric` in `trivial`.
    """
    return {name: {other: v for other, v in values.items() if other != metric} for name, values in answers.items()}


@dataclasses.dataclass(frozen=True)
class Published:
    """Test metrics that somebody else reports.

    Attributes:
      name: the model or the paper.
      metrics: values by the names of this task's metrics.
      protocol: how the measurement differs from this task's, such as "look-back 720"; "" if it doesn't.
      source: where the figures were read.
    """

    name: str
    metrics: Mapping[str, float]
    protocol: str = ""
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """One metric for each group of the test examples.

    Attributes:
      title: what the figure shows, such as "accuracy by sentence length".
      by: the label of the groups' axis, such as "words".
      groups: the name of the task's metric for each group, in the order of the axis. These metrics are left out of the
        tables of all metrics.
      unit: the label of the values' axis.
      numeric: whether the groups' names are numbers, which makes the axis continuous.
    """

    title: str
    by: str
    groups: Mapping[str, str]
    unit: str
    numeric: bool = False

    def __post_init__(self) -> None:
        if self.numeric:
            for name in self.groups:
                float(name)


@dataclasses.dataclass(frozen=True)
class Application:
    """What a report and `predict` need of an application beyond its task.

    Attributes:
      form: the form of answers: a name in `report.examples.FORMS`, and in `experiments.prediction.outputs.WRITERS` if
        answers can be written to files.
      use: the name of this use of a GRU, such as "time series forecasting", which the report judges by the numbers.
      trivial_metrics: further test metrics of the trivial answers, by answer and metric.
      published: results from the literature.
      breakdowns: metrics by group, by a name that is fit for a file.
      examples: collects what the report draws of a trained cell: `(model, params, test, kept) -> arrays by name`, for
        the seed with the best validation metric. `test` is the stored test set `[N, ...]`; `kept` has the arrays `[N,
        ...]` that each metric kept of it.
      generate: computes the answers to a batch of raw inputs, where that isn't `model.apply` or the task's decoder:
        `(model, params, batch, keys [B], sampling) -> outputs`. `sampling` is a `runs.predict.Sampling`.
      samples: whether answers and examples are drawn token by token. The model must then generate, and `predict` takes
        the options of `runs.predict.Sampling`.
      sampling: the defaults of these options, by field.
      private: whether the examples were written by people who didn't publish them. A report then shows none.
    """

    form: str
    use: str
    trivial_metrics: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    published: tuple[Published, ...] = ()
    breakdowns: Mapping[str, Breakdown] = dataclasses.field(default_factory=dict)
    examples: Collect | None = None
    generate: Generate | None = None
    samples: bool = False
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    private: bool = False

    def check(self, metrics: Mapping[str, Any], trivial: Mapping[str, float]) -> None:
        """Raises ValueError unless every metric and every trivial answer that is named exists."""
        named = [
            *(("published", name) for one in self.published for name in one.metrics),
            *(("breakdowns", name) for one in self.breakdowns.values() for name in one.groups.values()),
            *(("trivial_metrics", name) for one in self.trivial_metrics.values() for name in one),
        ]
        for field, name in named:
            if name not in metrics:
                raise ValueError(f"{field}: the metric {name!r} must be one of {', '.join(metrics)}")
        for answer in self.trivial_metrics:
            if answer not in trivial:
                raise ValueError(f"trivial_metrics: the answer {answer!r} must be one of {', '.join(trivial)}")

    def summary(self) -> dict[str, Any]:
        """Returns the facts that a report states, as plain JSON."""
        return {
            "form": self.form,
            "use": self.use,
            "trivial_metrics": {answer: dict(values) for answer, values in self.trivial_metrics.items()},
            "published": [dataclasses.asdict(one) for one in self.published],
            "breakdowns": {name: dataclasses.asdict(one) for name, one in self.breakdowns.items()},
        }
