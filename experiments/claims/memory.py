"""Claim: a GRU remembers longer than a vanilla RNN."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.claims import verdicts
from experiments.claims.context import ClaimContext, check_against, folder
from experiments.diagnosis import horizons
from experiments.diagnosis.gate_panels import plain_label
from gru_research.config import UserError, split_names
from gru_research.plural import several
from gru_research.report import exhibits, formatting, pairwise_tests, results
from gru_research.report.claims.findings import Finding
from gru_research.training import Plan

CLAIM = "A GRU remembers longer than a vanilla RNN."


@dataclasses.dataclass(frozen=True)
class Memory:
    """Compares the cells of a run on a task that needs memory over the whole sequence, and on further tasks.

    Attributes:
      run: the name of the run. In its trained cells, the claim also measures how far back an input matters.
      gru, vanilla: label of the claim's GRU; labels of the vanilla RNNs, separated by commas.
      also: names of further runs with these cells, separated by commas.
      examples: the number of validation sequences in which inputs are exchanged to measure how long they matter.
      remembered: the fraction of the trivial error below which a cell has remembered something.
    """

    run: str
    gru: str
    vanilla: str
    also: str = ""
    examples: int = 64
    remembered: float = 0.9

    def __post_init__(self) -> None:
        if self.examples < 2:
            raise ValueError(f"examples={self.examples!r} must be at least 2: inputs are exchanged between sequences")
        if not 0 < self.remembered <= 1:
            raise ValueError(f"remembered={self.remembered!r} must be above 0 and at most 1")

    @property
    def runs(self) -> tuple[str, ...]:
        return (self.run, *split_names(self.also))

    @property
    def vanilla_labels(self) -> tuple[str, ...]:
        return split_names(self.vanilla)

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        for run in self.runs:
            check_against(plans, path, run, self.gru, self.vanilla_labels)
            task = plans[run].task
            if task.direction != "min" or task.baseline is None:
                raise UserError(f"{path}: {task.name}, of the run {run!r}, has no error with a trivial one beside it")

    def find(self, context: ClaimContext, name: str) -> Finding:
        first = context.followed(self.run)
        context.say("memory: how long an input matters")
        reach = {cell.label: horizons.measure(first, cell, self.examples) for cell in first.cells}
        tasks = [self._outcome(verdicts.collect(context.followed(run))) for run in self.runs]
        config = first.plan.config
        shown: list[exhibits.Exhibit] = []
        for run, of in zip(self.runs, tasks, strict=True):
            shown += [
                verdicts.dots(of.task, f"memory-{run}", _words(of.task), of.task.task.baseline),
                verdicts.table(of.task, of.pairs, f"{of.task.task.name}, {of.task.task.length} steps"),
            ]
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"{'; '.join(self._ran(context, run, of.task) for run, of in zip(self.runs, tasks, strict=True))}. "
                f"{config.batch_size} sequences an update; sizes matched in parameters; the learning rate of each "
                f"cell by the same {config.tune.draws} draws, with other seeds. Then how far back an input of the "
                f"cells trained on {first.plan.task.name} still matters: the lag at which exchanging it for another "
                f"sequence's changes the last state by {formatting.percent(horizons.SHARE)} of the most that any "
                "lag does."
            ),
            rule=(
                "On a task, the GRU remembers longer than a vanilla RNN if its test error is lower by the exact paired "
                f"test, corrected over {several(len(self.vanilla_labels), 'vanilla RNN')} (Holm, p at most "
                f"{pairwise_tests.LEVEL}), and the interval of its error lies below {self.remembered:g} of the trivial "
                "error, which a cell without memory reaches. The claim holds if this is so for every vanilla RNN on "
                "every task. If for some, the verdict is: holds when. If for none, it doesn't hold, or isn't shown if "
                "there are too few seeds to show a difference."
            ),
            verdict=verdicts.verdict([is_better for of in tasks for is_better in of.better.values()]),
            says=" ".join(_says(of) for of in tasks),
            shown=(*shown, horizons.figure(reach), horizons.table(reach)),
            runs=tuple(folder(run) for run in self.runs),
            left=(
                "More seeds and updates; copy memory over a delay of 1,000, at which published GRUs and LSTMs stay at "
                "the trivial error (arXiv 1803.01271); other lengths, which a horizon of `experiments.compare` sweeps."
            ),
        )

    def _outcome(self, task: results.TaskResults) -> "Outcome":
        found = pairwise_tests.against(task, self.gru, self.vanilla_labels)
        row, baseline = verdicts.rows(task)[self.gru], task.task.baseline
        remembers = baseline is not None and verdicts.worse_end(row, "min") < self.remembered * baseline
        better = {label: won if remembers else False for label, won in verdicts.better(found).items()}
        return Outcome(task, found, better, remembers)

    def _ran(self, context: ClaimContext, run: str, task: results.TaskResults) -> str:
        config, about = context.runs[run], task.task
        seeds = several(config.seeds, "seed")
        return f"{about.name} with {about.length} steps, {seeds} a cell, {config.updates:,} updates"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome on one task.

    Attributes:
      pairs: the tests of the GRU against each vanilla RNN.
      better: whether the GRU is better, by the vanilla RNN's label.
      remembers: whether the GRU remembered anything.
    """

    task: results.TaskResults
    pairs: Sequence[pairwise_tests.Pair]
    better: Mapping[str, bool | None]
    remembers: bool


def _says(of: Outcome) -> str:
    rows = verdicts.rows(of.task)
    name = f"On {of.task.task.name} the GRU"
    if not of.remembers:
        return f"{name} has remembered nothing: its error is about the trivial one."
    solved = ", ".join(f"{plain_label(label)} {row.solved_seeds} of {row.seeds}" for label, row in rows.items())
    shown = [plain_label(label) for label, is_better in of.better.items() if is_better]
    other = [plain_label(label) for label, is_better in of.better.items() if is_better is False]
    unknown = [plain_label(label) for label, is_better in of.better.items() if is_better is None]
    parts = [f"is better than {', '.join(shown)}"] if shown else []
    parts += [f"isn't shown to be better than {', '.join(other)}"] if other else []
    parts += [f"has too few seeds to be compared with {', '.join(unknown)}"] if unknown else []
    return f"{name} {' and '.join(parts)}; seeds that solved it: {solved}."


def _words(task: results.TaskResults) -> exhibits.Words:
    rows = verdicts.rows(task)
    return exhibits.Words(
        f"Test {task.task.metric} on {task.task.name}",
        "; ".join(f"{plain_label(label)} {verdicts.estimate(row)}" for label, row in rows.items()),
        f"Interquartile means over seeds with their bootstrap intervals (nominally 95 %). The line is what "
        f"{task.task.baseline_name!r} reaches: a cell there has remembered nothing." + verdicts.without_mark(task),
    )
