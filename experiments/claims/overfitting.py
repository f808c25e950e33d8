"""Claim: a GRU overfits small data sets."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.claims.context import ClaimContext, check_cells, check_named, folder
from experiments.diagnosis.gate_panels import plain_label
from gru_research import stats
from gru_research.config import UserError, split_names
from gru_research.plural import several
from gru_research.report import exhibits, formatting
from gru_research.report.claims.findings import Finding, Verdict
from gru_research.runs.comparison import load_sets
from gru_research.runs.trained import FinishedRun
from gru_research.tables import Column, Table, tabulate
from gru_research.training import Plan
from gru_research.training.plan import make_plan

CLAIM = "A GRU overfits small data sets."
_BAR = 0.05


@dataclasses.dataclass(frozen=True)
class Gap:
    """A cell's metric on the training set and on the test set, with the tested parameters of each seed, `[S]`."""

    train: np.ndarray
    test: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The metric on training minus test examples, `[S]`; infinite for a seed that diverged."""
        return np.where(np.isfinite(self.train) & np.isfinite(self.test), self.train - self.test, np.inf)

    @property
    def iqm(self) -> float:
        return stats.iqm(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        return stats.iqm_interval(self.values)


@dataclasses.dataclass(frozen=True)
class Overfitting:
    """Measures the cells' generalisation gap against the size of the training set, and the effect of remedies.

    Attributes:
      sizes: names of the runs that differ in `train_examples`, separated by commas, the smallest set first.
      remedies: names of the runs with a remedy against overfitting, separated by commas, all at the smallest size.
      gru: label of the claim's GRU.
    """

    sizes: str
    remedies: str = ""
    gru: str = "gru"

    @property
    def runs(self) -> tuple[str, ...]:
        return (*split_names(self.sizes), *split_names(self.remedies))

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        check_named(path, {"sizes": split_names(self.sizes)})
        for run in self.runs:
            check_cells(plans, path, run, [("gru", self.gru)])
        sizes = [plans[run].config.train_examples or np.inf for run in split_names(self.sizes)]  # 0 means the whole set
        if sizes != sorted(sizes):
            raise UserError(f"{path}.sizes={self.sizes!r} must begin with the run of the smallest train_examples")

    def find(self, context: ClaimContext, name: str) -> Finding:
        smallest = split_names(self.sizes)[0]
        try:
            load_sets(make_plan(context.runs[smallest], context.dirs), context.dirs)
        except UserError as e:
            return Finding(name, CLAIM, "Nothing: the data can't be had.", "not run", str(e))
        finished = {run: context.finished(run) for run in self.runs}
        by_size = {run: gaps(finished[run]) for run in split_names(self.sizes)}
        remedied = {run: gaps(finished[run])[self.gru] for run in split_names(self.remedies)}
        first, config = by_size[smallest], finished[smallest].plan.config
        more = self._more(first)
        sizes = ", ".join(f"{train_size(finished[run]):,}" for run in by_size)
        task = finished[smallest].plan.task
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"{task.name}, real data: {sizes} training examples, {config.updates:,} updates of "
                f"{config.batch_size}, {several(config.seeds, 'seed')}, cells of about "
                f"{finished[smallest].cells[0].plan.parameters:,} parameters. The gap is the {task.metric} on the "
                "training examples less that on the whole test set, without noise. Remedies at the smallest size."
            ),
            rule=(
                f"The GRU overfits at the smallest size if the 95 % interval of its gap lies above {_BAR:g}; otherwise "
                "the claim doesn't hold. It holds if the gap is also larger than every other cell's (exact paired "
                "test, Holm). If it isn't, the verdict is: holds when."
            ),
            verdict=verdict(first[self.gru].interval[0] > _BAR, list(more.values())),
            says=self._says(by_size, remedied, finished, more),
            shown=(
                _curve(by_size, finished),
                *([_remedies(first[self.gru], remedied)] if remedied else []),
                _table(by_size, remedied, finished, self.gru),
            ),
            runs=tuple(folder(run) for run in self.runs),
            left="One data set here, and rows of pixels instead of single ones.",
        )

    def _more(self, first: Mapping[str, Gap]) -> dict[str, bool]:
        """Returns, by each other cell's label, whether the GRU's gap is shown to be larger."""
        others = [label for label in first if label != self.gru]
        tests = [stats.paired_permutation_test(first[self.gru].values, first[label].values) for label in others]
        answers = [verdict.answer for verdict in stats.verdicts(tests)]
        return {label: answer == "better" for label, answer in zip(others, answers, strict=True)}

    def _says(
        self,
        by_size: Mapping[str, Mapping[str, Gap]],
        remedied: Mapping[str, Gap],
        finished: Mapping[str, FinishedRun],
        more: Mapping[str, bool],
    ) -> str:
        parts = [
            f"{_points(found[self.gru])} with {train_size(finished[run]):,} examples" for run, found in by_size.items()
        ]
        text = f"The GRU's gap is {', '.join(parts)}, in percentage points."
        larger = [plain_label(label) for label, is_more in more.items() if is_more]
        text += (
            f" It is larger than the gap of {', '.join(larger)}." if larger else " No other gap is shown to be smaller."
        )
        if remedied:
            best = max(remedied, key=lambda run: stats.iqm(_finite(remedied[run].test)))
            plain = stats.iqm(_finite(next(iter(by_size.values()))[self.gru].test))
            text += (
                f" Of the remedies {remedy_name(best)} does best on the test set: "
                f"{formatting.percent(stats.iqm(_finite(remedied[best].test)), 1)} "
                f"against {formatting.percent(plain, 1)} without one."
            )
        return text


def verdict(overfits: bool, more: Sequence[bool]) -> Verdict:
    """Returns the verdict. `more`: for each other cell, whether the GRU is shown to overfit more."""
    return "doesn't hold" if not overfits else "holds" if all(more) else "holds when"


def gaps(run: FinishedRun) -> dict[str, Gap]:
    """Returns each cell's gap, by label."""
    found = {}
    for cell in run.cells:
        mine = {result.seed: result for result in run.records.results if result.cell == cell.label}
        columns = [[getattr(mine[seed], field) for seed in cell.seeds] for field in ("train_set_metric", "test_metric")]
        train, test = (np.array([np.nan if v is None else v for v in column], np.float64) for column in columns)
        found[cell.label] = Gap(train, test)
    return found


def train_size(run: FinishedRun) -> int:
    """Returns the number of a run's training examples."""
    return len(next(iter(run.sets["train"].values())))


def remedy_name(run: str) -> str:
    """Returns the remedy's name, the last part of a run's name."""
    return run.rpartition("-")[2].replace("_", " ")


def _finite(values: np.ndarray) -> np.ndarray:
    """Replaces non-finite values, of seeds that diverged, by 0."""
    return np.where(np.isfinite(values), values, 0.0)


def _points(gap: Gap) -> str:
    low, high = gap.interval
    return f"{100 * gap.iqm:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _curve(by_size: Mapping[str, Mapping[str, Gap]], finished: Mapping[str, FinishedRun]) -> exhibits.Plot:
    sizes = tuple(float(train_size(finished[run])) for run in by_size)
    lines = []
    for place, label in enumerate(next(iter(by_size.values()))):
        mine = [found[label] for found in by_size.values()]
        ends = [gap.interval for gap in mine]
        y, low, high = (
            exhibits.numbers(100 * np.array(values))
            for values in ([gap.iqm for gap in mine], [low for low, _ in ends], [high for _, high in ends])
        )
        lines.append(exhibits.Line(plain_label(label), place, sizes, y, low, high))
    words = exhibits.Words(
        "Generalisation gap against the size of the training set",
        "; ".join(f"{line.label}: " + ", ".join(formatting.number(v, 3) for v in line.y) for line in lines)
        + " percentage points.",
        "How much better training examples are answered than test examples: interquartile means over seeds with their "
        "intervals (nominally 95 %). Lines that lie on each other overfit alike.",
    )
    x, y = exhibits.Axis("training examples", "log"), exhibits.Axis("gap in percentage points")
    return exhibits.Plot("gap", words, (exhibits.Panel("", tuple(lines), x, y),))


def _remedies(plain: Gap, remedied: Mapping[str, Gap]) -> exhibits.Dots:
    rows = []
    for label, gap in {"no remedy": plain, **{remedy_name(run): gap for run, gap in remedied.items()}}.items():
        test = _finite(gap.test)
        low, high = stats.iqm_interval(test)
        rows.append(exhibits.dot(label, (100 * stats.iqm(test), 100 * low, 100 * high)))
    words = exhibits.Words(
        "Remedies against overfitting, at the smallest size",
        "; ".join(f"{row.label}: {formatting.number(row.value, 3)} %" for row in rows),
        "Test accuracy of the GRU: interquartile means over seeds with their intervals (nominally 95 %); further "
        "right is better. The line is the GRU without a remedy.",
    )
    axis = exhibits.Axis("test accuracy in percent", references=exhibits.level(rows[0].value))
    return exhibits.Dots("remedies", words, tuple(rows), axis)


def _table(
    by_size: Mapping[str, Mapping[str, Gap]], remedied: Mapping[str, Gap], finished: Mapping[str, FinishedRun], gru: str
) -> Table:
    rows = [
        (f"{plain_label(label)}, {train_size(finished[run]):,} examples", gap)
        for run, found in by_size.items()
        for label, gap in found.items()
    ]
    smallest = train_size(finished[next(iter(by_size))])
    rows += [(f"{plain_label(gru)}, {smallest:,} examples, {remedy_name(run)}", gap) for run, gap in remedied.items()]
    columns = [
        Column("cell", lambda what, gap: what, "left"),
        Column("training accuracy, %", lambda what, gap: f"{100 * stats.iqm(_finite(gap.train)):.1f}"),
        Column("test accuracy, %", lambda what, gap: f"{100 * stats.iqm(_finite(gap.test)):.1f}"),
        Column("gap and 95 % interval, points", lambda what, gap: _points(gap)),
    ]
    return tabulate(columns, rows, "Interquartile means over seeds")
