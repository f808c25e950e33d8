"""Notes, captions and tables of a study's report, computed from its results."""

import collections
import functools
import math
from collections.abc import Sequence

from gru_research import stats, tables
from gru_research.plural import several
from gru_research.report import formatting, pairwise_tests
from gru_research.report.study import aggregate, horizon, reading
from gru_research.tables import Column

_MOST_PUBLISHED = 3


def notes(study: reading.Study) -> list[str]:
    """Returns notes on incomplete runs and incomplete cells."""
    lines = []
    for run in study.runs:
        if run.problem and not is_over(study, run):
            lines.append(f"{run.name} {run.problem}.")
        if run.outcome is None:
            continue
        incomplete = [cell.label for cell in run.outcome.cells if not cell.complete]
        if incomplete:
            lines.append(f"{run.name} lacks results of some seeds of {', '.join(incomplete)}.")
    return lines


def state(study: reading.Study, run: reading.StudyRun) -> str:
    if is_over(study, run):
        return "not trained: no cell was left"
    return run.problem or "finished"


def score(value: float) -> str:
    """Formats a score with two decimals. Scores between 0 and 1 are never rounded to 0 or 1."""
    shown = f"{value:.2f}"
    if value < 1 and shown == "1.00":
        return ">0.99"
    return "<0.01" if value > 0 and shown == "0.00" else shown


def table(study: reading.Study, caption: str, intervals: bool = True) -> tables.Table:
    """Returns a row for each run: its baseline, then every cell's IQM, interval and solved seeds."""
    columns = [
        Column("run", lambda run: run.name, "left"),
        Column("test metric", lambda run: run.outcome.task.metric if run.outcome else formatting.UNKNOWN),
        Column("baseline", _baseline),
        *(Column(label, functools.partial(_result, label=label, intervals=intervals)) for label in study.labels),
    ]
    if any(map(_published, study.runs)):
        columns.append(Column("published", lambda run: _published(run) or formatting.UNKNOWN, "left"))
    return tables.tabulate(columns, zip(study.runs), caption)


def _published(run: reading.StudyRun) -> str:
    """Returns the published results of an application with the study's metric, the best first; "" if there is none."""
    task = None if run.outcome is None else run.outcome.task
    if task is None or task.application is None:
        return ""
    metric = task.metric
    found = [(one.metrics[metric], one.name) for one in task.application.published if metric in one.metrics]
    ranked = sorted(found, reverse=task.direction == "max")
    return "; ".join(f"{name} {formatting.number(value)}" for value, name in ranked[:_MOST_PUBLISHED])


def verdict_table(tested: Sequence[pairwise_tests.Pair]) -> tables.Table:
    """Returns a row for each pair of cells: the number of tasks with each verdict."""
    counted: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for pair in tested:
        counted[f"{pair.x} over {pair.y}"][pair.verdict.answer] += 1
    columns = [
        Column("pair", lambda pair, answers: pair, "left"),
        Column("first better", lambda pair, answers: str(answers["better"])),
        Column("second better", lambda pair, answers: str(answers["worse"])),
        Column("no difference shown", lambda pair, answers: str(answers["not shown"])),
        Column("too few seeds", lambda pair, answers: str(answers["too few seeds"])),
    ]
    return tables.tabulate(columns, counted.items(), "Number of tasks, by verdict")


def tests_table(tested: Sequence[pairwise_tests.Pair]) -> tables.Table:
    """Returns a row for each pair on each task."""
    run = Column("run", lambda pair: pair.task, "left")
    return tables.tabulate([run, *pairwise_tests.columns(needed=False)], zip(tested), "One row a pair and task")


def tests_explanation(tested: Sequence[pairwise_tests.Pair]) -> str:
    most = max(pair.tests for pair in tested)
    return (
        "The number of tasks with each verdict. Verdicts come from the exact permutation test of the signed ranks of "
        "the differences of the test metric, seed by seed. Each pair is a separate question: Holm's correction is over "
        f"its tasks, at most {most}, not over pairs. A verdict needs a corrected p at or below {pairwise_tests.LEVEL}, "
        f"which needs at least {stats.seeds_needed_for_level(pairwise_tests.LEVEL, most)} seeds for {most} tasks; "
        "\u201cno difference shown\u201d is not \u201cequal\u201d."
    )


def heat_map_caption(study: reading.Study, found: aggregate.Scores) -> str:
    text = (
        "The interquartile mean over seeds of the normalised test metric, 0 at the trivial baseline or worse and 1 at "
        "the threshold of \u201csolved\u201d or better, logarithmic for errors; below it the seeds that solved the "
        "task in training."
    )
    if any(label not in found.by_run.get(run.name, {}) for run in study.runs for label in found.cells):
        text += " Hatched: no score."
    full = {label: sum(_mean(found, run.name, label) >= 1 for run in study.runs) for label in found.cells}
    best = "; ".join(f"{label} on {count} of {len(study.runs)}" for label, count in full.items())
    return f"{text} At the threshold or better: {best}."


def means_caption(found: aggregate.Scores) -> str:
    said = "; ".join(
        f"{label} {score(estimate.value)}{_ends(estimate) if has_intervals(found) else ''}"
        for label, estimate in aggregate.iqms(found).items()
    )
    return f"{_common(found)} {said}.{_interval_words(found, 'bar')}"


def means_line(found: aggregate.Scores) -> str:
    """Describes the means for a terminal."""
    said = "; ".join(f"{label} {score(estimate.value)}" for label, estimate in aggregate.iqms(found).items())
    return f"Normalised score, 0 at the baseline and 1 at the threshold, interquartile mean. {_common(found)} {said}."


def profiles_caption(found: aggregate.Scores) -> str:
    """Explains the curves, and gives each cell's share of runs above the baseline and at the threshold."""
    ends = {label: (p.share[0], p.share[-1]) for label, p in aggregate.profiles(found).items()}
    said = "; ".join(
        f"{label} {formatting.percent(low)} and {formatting.percent(high)}" for label, (low, high) in ends.items()
    )
    return (
        "The share of runs, a run being one seed on one task, that score more than the value below; higher is better, "
        f"and where curves cross neither cell is better throughout. {_common(found)} Better than the baseline and at "
        f"the threshold are: {said}.{_interval_words(found, 'band')}"
    )


def left_out(found: aggregate.Scores) -> list[str]:
    """Returns which runs the means and profiles omit, and why."""
    if not found.cells:
        return []
    nothing = [] if found.common else ["No run has every cell's score: there are no means and no profiles."]
    return nothing + [f"Not in the means and profiles: {name}, as {why}." for name, why in found.without.items()]


def least_seeds(study: reading.Study) -> int:
    counts = [len(cell.seeds) for run in study.runs if run.outcome for cell in run.outcome.complete]
    return min(counts, default=0)


def horizon_caption(study: reading.Study) -> str:
    share = formatting.percent(study.solved)
    return (
        f"Above: the share of seeds that solved the task. A cell is trained at the next value while this share is at "
        f"least {share} (filled marks). "
        "Below: the test metric, the interquartile mean over seeds with the lowest and the highest. "
        + " ".join(horizon.words(study, reach) for reach in horizon.reaches(study))
    )


def _baseline(run: reading.StudyRun) -> str:
    trivial = run.outcome.task.trivial if run.outcome else {}
    return "; ".join(f"{name}: {formatting.number(value)}" for name, value in trivial.items()) or formatting.UNKNOWN


def _result(run: reading.StudyRun, label: str, intervals: bool) -> str:
    row = next((row for row in run.rows if row.cell == label), None)
    if row is None:
        return formatting.UNKNOWN
    text = formatting.number(row.iqm, 3)
    if intervals and row.ci_low is not None:
        text += f" [{formatting.number(row.ci_low, 3)}, {formatting.number(row.ci_high, 3)}]"
    assert run.outcome is not None
    return text if run.outcome.task.threshold is None else f"{text}, {row.solved_seeds}/{row.seeds} solved"


def _mean(found: aggregate.Scores, name: str, label: str) -> float:
    scores = found.by_run.get(name, {}).get(label)
    return -math.inf if scores is None else stats.iqm(scores)


def is_over(study: reading.Study, run: reading.StudyRun) -> bool:
    """Whether all cells failed before this value of a horizon, so that none was trained."""
    if study.kind != "horizon" or run.outcome is not None:
        return False
    found = horizon.reaches(study)
    return bool(found) and all(reach.failed is not None and reach.failed < (run.value or 0) for reach in found)


def _common(found: aggregate.Scores) -> str:
    count = len(found.common)
    return f"Over {'the one task that has' if count == 1 else f'the {count} tasks that have'} every cell."


def has_intervals(found: aggregate.Scores) -> bool:
    return found.least_seeds >= aggregate.MIN_SEEDS_FOR_INTERVAL


def _ends(estimate: stats.Estimate) -> str:
    return f" [{score(estimate.low)}, {score(estimate.high)}]"


def _interval_words(found: aggregate.Scores, what: str) -> str:
    seeds = found.least_seeds
    if not has_intervals(found):
        return f" With {several(seeds, 'seed')} a task no interval is shown."
    few = f"; with {seeds} seeds a task it is too narrow" if seeds < 10 else ""
    return f" The {what} is the bootstrap interval, stratified over tasks (nominally 95 %{few})."
