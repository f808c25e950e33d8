"""The figures of a suite: the heat map of scores, their means, profiles, and the pairs of cells."""

from gru_research import stats
from gru_research.plural import several
from gru_research.report import exhibits, pairwise_tests
from gru_research.report.study import aggregate, captions, horizon, reading

_ENDS = (exhibits.Reference(0, kind="baseline"), exhibits.Reference(1, kind="threshold"))


def figures(study: reading.Study, found: aggregate.Scores) -> list[exhibits.Figure]:
    """Returns the figures for which there are scores."""
    made: list[exhibits.Figure] = []
    if found.cells:
        made.append(heat_map(study, found))
    if found.common:
        made += [means(study, found), profiles(study, found)]
    if improvements := aggregate.improvements(study):
        rows = [(x, y, estimate) for x, y, _, estimate in improvements]
        enough = captions.least_seeds(study) >= aggregate.MIN_SEEDS_FOR_INTERVAL
        made.append(pairwise_tests.figure(rows, study.title, intervals=enough))
    return made


def heat_map(study: reading.Study, found: aggregate.Scores) -> exhibits.Grid:
    """Shows the interquartile mean of the normalised scores of every cell on every task, and its solved seeds."""
    columns, rows = found.cells, tuple(run.name for run in study.runs)
    scores = [[found.by_run.get(run.name, {}).get(label) for label in columns] for run in study.runs]
    values = tuple(tuple(None if of is None else stats.iqm(of) for of in row) for row in scores)
    texts = tuple(
        tuple(
            "" if value is None else f"{captions.score(value)}\n{_solved(run, label)}"
            for label, value in zip(columns, row, strict=True)
        )
        for run, row in zip(study.runs, values, strict=True)
    )
    words = exhibits.Words(
        "Normalised scores",
        f"Heat map of the normalised score of {several(len(columns), 'cell')} on {several(len(rows), 'task')}.",
        captions.heat_map_caption(study, found),
    )
    return exhibits.Grid("scores", words, rows, columns, values, texts=texts)


def means(study: reading.Study, found: aggregate.Scores) -> exhibits.Dots:
    """Shows the interquartile mean of each cell's scores over the common tasks, with its interval."""
    words = exhibits.Words(
        "Scores over all tasks",
        f"Dot chart of the interquartile mean of the normalised scores, for {', '.join(found.cells)}.",
        captions.means_caption(found),
    )
    rows = [
        exhibits.dot(
            label,
            (mean.value, *((mean.low, mean.high) if captions.has_intervals(found) else (None, None))),
            study.labels.index(label),
        )
        for label, mean in aggregate.iqms(found).items()
    ]
    axis = exhibits.Axis("interquartile mean of the normalised scores", "score", _ENDS)
    return exhibits.Dots("means", words, tuple(rows), axis, title=study.title)


def profiles(study: reading.Study, found: aggregate.Scores) -> exhibits.Plot:
    """Shows, for each cell, the share of all runs above a score, against the score."""
    words = exhibits.Words(
        "Performance profiles",
        f"Line chart of the share of runs above each normalised score, for {', '.join(found.cells)}.",
        captions.profiles_caption(found),
    )
    lines = []
    for label, profile in aggregate.profiles(found).items():
        x, y, low, high = (
            tuple(map(float, values)) for values in (profile.thresholds, profile.share, profile.low, profile.high)
        )
        low, high = (low, high) if captions.has_intervals(found) else ((), ())
        lines.append(exhibits.Line(label, study.labels.index(label), x, y, low, high))
    panel = exhibits.Panel(
        study.title,
        tuple(lines),
        exhibits.Axis("normalised score", "score", _ENDS),
        exhibits.Axis("runs with more than that", "share"),
    )
    return exhibits.Plot("profiles", words, (panel,), panel_inches=3.0)


def _solved(run: reading.StudyRun, label: str) -> str:
    cell = run.cell(label)
    return f"{horizon.solved(cell)}/{len(cell.seeds)}" if cell else ""
