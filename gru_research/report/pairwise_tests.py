"""Compares pairs of cells on one task or several: how often one beats the other, and the verdict of a test.

Tests of one question are corrected together (Holm). In a run, that is all pairs; in a study, one pair on all tasks.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from gru_research import stats, tables
from gru_research.plural import several
from gru_research.report import exhibits, formatting, results, summary
from gru_research.tables import Column

LEVEL = 0.05
_POWER = 0.8
_MOST_SEEDS = 200
_MOST_LINES = 3


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two cells on one task over their common seeds. `scores` holds two arrays [S], for x and y; higher is better.

    `difference` is the paired difference of `metric`, x minus y, in its units. `verdict` is corrected over a family of
    `tests` tests.
    """

    task: str
    x: str
    y: str
    scores: tuple[np.ndarray, np.ndarray]
    metric: str
    difference: stats.Estimate
    improvement: stats.Estimate
    test: stats.PermutationTest
    verdict: stats.Verdict
    tests: int

    @property
    def seeds(self) -> int:
        return len(self.scores[0])

    def needed(self) -> int | None:
        """Returns how many seeds would probably show the cell that is ahead as better; None: too many."""
        ahead, behind = self.scores if self.test.effect > 0 else self.scores[::-1]
        return stats.seeds_needed(ahead, behind, _POWER, LEVEL / self.tests, _MOST_SEEDS)


def within(task: results.TaskResults) -> list[Pair]:
    """Tests all pairs of complete cells on a task, as one family of tests."""
    return _tested({task.task.name: task}, list(itertools.combinations([cell.label for cell in task.complete], 2)))


def over(tasks: Mapping[str, results.TaskResults], x: str, y: str) -> list[Pair]:
    """Tests one pair of cells on each of `tasks` (by name) that has both, as one family of tests."""
    return _tested(tasks, [(x, y)])


def against(task: results.TaskResults, x: str, others: Sequence[str]) -> list[Pair]:
    """Tests one cell against each of `others` on a task, as one family of tests."""
    return _tested({task.task.name: task}, [(x, y) for y in others])


def _tested(tasks: Mapping[str, results.TaskResults], labels: Sequence[tuple[str, str]]) -> list[Pair]:
    found = []
    for name, task in tasks.items():
        cells = {cell.label: cell for cell in task.complete}
        for x, y in labels:
            if x in cells and y in cells:
                values = _common(cells[x], cells[y], task.task.direction)
                found += [(name, x, y, task.task, values)] * bool(len(values[0]))
    scored = [(stats.as_scores(x, about.direction), stats.as_scores(y, about.direction)) for *_, about, (x, y) in found]
    tests = [stats.paired_permutation_test(*scores) for scores in scored]
    return [
        Pair(
            name,
            x,
            y,
            scores,
            about.metric,
            stats.paired_difference(*values),
            stats.probability_of_improvement(*scores),
            test,
            verdict,
            len(tests),
        )
        for (name, x, y, about, values), scores, test, verdict in zip(
            found, scored, tests, stats.verdicts(tests, LEVEL), strict=True
        )
    ]


def columns(needed: bool = True) -> list[Column]:
    """Returns the columns of a table with a row for each `Pair`. `needed` adds the seeds that a claim would need."""
    return [
        Column("pair", lambda pair: f"{pair.x} over {pair.y}", "left"),
        Column("seeds", lambda pair: str(pair.seeds)),
        Column("wins", _wins),
        Column("difference", difference),
        Column("p", lambda pair: formatting.number(pair.test.p, 3)),
        Column("p (Holm)", lambda pair: formatting.number(pair.verdict.adjusted_p, 3)),
        Column("verdict", verdict),
        *[Column("seeds needed", _needed)] * needed,
    ]


def table(pairs: Sequence[Pair]) -> tables.Table:
    """Returns the table of the pairs of one task."""
    caption = f"{pairs[0].task}: pairs of cells, by the test {pairs[0].metric}"
    return tables.tabulate(columns(), zip(pairs), caption)


def sentences(pairs: Sequence[Pair]) -> list[str]:
    """Describes the pairs of one task for a terminal, one line each. With one seed, or many pairs with too few seeds,
    one line covers all."""
    if pairs and all(pair.seeds == 1 for pair in pairs):
        least = stats.seeds_needed_for_level(LEVEL, len(pairs))
        return [f"With one seed no cells can be told apart; with {least} it is possible."]
    if len(pairs) > _MOST_LINES and all(pair.verdict.answer == "too few seeds" for pair in pairs):
        least = stats.seeds_needed_for_level(LEVEL, len(pairs))
        return [f"None of the {len(pairs)} pairs of cells can be told apart: {verdict(pairs[0])}; "
                f"with {least} it is possible."]  # fmt: skip
    return [
        f"{pair.x} over {pair.y}: wins {_wins(pair)}, {pair.metric} differs by {difference(pair)}, "
        f"p = {formatting.number(pair.verdict.adjusted_p, 3)}"
        f"{' (Holm)' if len(pairs) > 1 else ''}: {verdict(pair)}."
        for pair in pairs
    ]


def explanation(pairs: Sequence[Pair]) -> str:
    """Explains the columns of `table`."""
    several = f", over the {len(pairs)} pairs" if len(pairs) > 1 else ""
    return (
        "Wins: how often a seed of the first cell has the better test metric than one of the second, ties counted "
        "half (probability of improvement). Difference: the first cell's test metric minus the second's, seed by seed: "
        "the interquartile mean of these differences, with its bootstrap interval over seeds (nominally 95 %) from "
        f"{summary.MIN_SEEDS_FOR_INTERVAL} seeds on. p: the exact permutation test of the signed ranks of "
        f"these differences; p (Holm): corrected for making several tests{several}. A verdict needs a "
        f"corrected p at or below {LEVEL}; "
        "\u201cno difference shown\u201d is not \u201cequal\u201d. Seeds needed: the number of seeds with which "
        f"a verdict would be reached with a probability of {formatting.percent(_POWER)}, if new seeds were like these; "
        "it is optimistic."
    )


def verdict(pair: Pair) -> str:
    """Returns the verdict on the pair as text."""
    found = pair.verdict
    if found.answer == "better" or found.answer == "worse":
        return f"{pair.x if found.answer == 'better' else pair.y} better"
    if found.answer == "not shown":
        return "no difference shown"
    seeds = several(pair.seeds, "seed")
    among = f" in {pair.tests} tests" if pair.tests > 1 else ""
    return f"too few seeds ({seeds} can't go below p = {formatting.number(found.smallest_p, 3)}{among})"


def figure(rows: Sequence[tuple[str, str, stats.Estimate]], over: str, intervals: bool) -> exhibits.Dots:
    """Shows the probability of improvement of x over y, a row per pair. `over` names the task or study."""
    words = exhibits.Words(
        "Probability of improvement",
        f"Dot chart of how often one cell beats another on {over}, for {several(len(rows), 'pair')}.",
        _caption(rows, intervals),
    )
    dots = [
        exhibits.dot(f"{x} over {y}", (found.value, *((found.low, found.high) if intervals else (None, None))))
        for x, y, found in rows
    ]
    axis = exhibits.Axis("probability that the first cell is better", "share", (exhibits.Reference(0.5),))
    return exhibits.Dots("pairs", words, tuple(dots), axis, title=over)


def _caption(rows: Sequence[tuple[str, str, stats.Estimate]], intervals: bool) -> str:
    text = "Right of the middle the first cell is better more often than not; left of it, the second."
    if not intervals:
        return f"{text} With so few seeds no interval is shown."
    apart = [f"{x} over {y}" for x, y, e in rows if e.low > 0.5] + [f"{y} over {x}" for x, y, e in rows if e.high < 0.5]
    said = f"Intervals that exclude the middle: {', '.join(apart)}." if apart else "No interval excludes the middle."
    return f"{text} The bar is the bootstrap interval (nominally 95 %). {said}"


def _common(
    x: results.CellResults, y: results.CellResults, direction: stats.Direction
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the test metric of both cells over their common seeds [S], [S]. A non-finite seed is the worst."""
    metric = [{seed.seed: seed.test_metric for seed in cell.seeds} for cell in (x, y)]
    common = [seed for seed in metric[0] if seed in metric[1]]
    first, second = (stats.rank_worst([values[seed] for seed in common], direction) for values in metric)
    return first, second


def _wins(pair: Pair) -> str:
    return wins(pair.improvement, pair.seeds >= summary.MIN_SEEDS_FOR_INTERVAL)


def wins(estimate: stats.Estimate, interval: bool) -> str:
    """Formats a probability of improvement, such as "92 % [72, 100]"."""
    ends = f" [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]" if interval else ""
    return formatting.percent(estimate.value) + ends


def difference(pair: Pair) -> str:
    """Formats the paired difference, with its interval if there are enough seeds."""
    found = pair.difference
    text = formatting.number(found.value, 3)
    if pair.seeds < summary.MIN_SEEDS_FOR_INTERVAL:
        return text
    return f"{text} [{formatting.number(found.low, 3)}, {formatting.number(found.high, 3)}]"


def _needed(pair: Pair) -> str:
    if pair.verdict.answer in ("better", "worse") or pair.test.effect == 0:
        return formatting.UNKNOWN
    if pair.seeds == 1:
        return formatting.UNKNOWN  # one seed has no spread
    needed = pair.needed()
    return f"over {_MOST_SEEDS}" if needed is None else f"about {needed}"
