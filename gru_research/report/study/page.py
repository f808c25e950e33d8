"""Makes `report.html` of a study: its runs, with links to their pages, and their joint results."""

import urllib.parse
from collections.abc import Mapping, Sequence

from gru_research import tables
from gru_research.plural import several
from gru_research.report import formatting, markup, pairwise_tests
from gru_research.report.study import aggregate, captions, horizon, reading
from gru_research.tables import Column

_FEW_TESTS = 12  # more tests than this are shown after a click


def to_html(
    study: reading.Study,
    found: aggregate.Scores,
    tested: Sequence[pairwise_tests.Pair],
    pictures: Mapping[str, markup.Picture],
) -> str:
    """Returns the page. `pictures` are by the name of their figure."""
    shown = list(pictures.values())
    sections = _horizon_sections(study, shown) if study.kind == "horizon" else _suite_sections(study, found, pictures)
    if tested:
        sections.append(markup.Section("Tests", _test_parts(tested)))
    sections.append(markup.Section("Runs", [_runs(study)]))
    lead = f"{several(len(study.runs), 'run')}, {several(len(study.labels), 'cell')}"
    return markup.document(study.title, sections, lead=lead, warning=_unfinished(study))


def _suite_sections(
    study: reading.Study, found: aggregate.Scores, pictures: Mapping[str, markup.Picture]
) -> list[markup.Section]:
    sections = [markup.Section("Results", [_results(study), _notes(study)])]
    if "scores" in pictures:
        over = [pictures[name] for name in ("scores", "means", "profiles") if name in pictures]
        sections.append(markup.Section("Over all tasks", [*over, markup.bullets(captions.left_out(found))]))
    if "pairs" in pictures:
        text = "Every pair meets on the tasks that have both cells; each task counts alike."
        sections.append(markup.Section("Pairs", [pictures["pairs"], markup.paragraph(text)]))
    return sections


def _horizon_sections(study: reading.Study, pictures: Sequence[markup.Picture]) -> list[markup.Section]:
    name = horizon.noun(study)
    share = formatting.percent(study.solved)
    caption = f"{study.title}: the largest {name} up to which at least {share} of the seeds solved the task"
    summary = tables.to_html(horizon.table(study, caption), "summary")
    lines = [horizon.words(study, reach) for reach in horizon.reaches(study)]
    return [
        markup.Section("Horizon", [summary, markup.bullets(lines), *pictures, _notes(study)]),
        markup.Section("Results", [_results(study), *_scaling(study)]),
    ]


def _results(study: reading.Study) -> str:
    caption = f"{study.title}: test metric, the interquartile mean over seeds with its nominal 95 % interval"
    return tables.to_html(captions.table(study, caption), "summary", list(map(_link, study.runs)))


def _notes(study: reading.Study) -> str:
    return markup.bullets(captions.notes(study))


def _scaling(study: reading.Study) -> list[str]:
    said = {run.outcome.task.scaling for run in study.runs if run.outcome} - {""}
    return [markup.paragraph(text) for text in sorted(said)]


def _test_parts(tested: Sequence[pairwise_tests.Pair]) -> list[str]:
    verdicts = tables.to_html(captions.verdict_table(tested), "pairs")
    every = tables.to_html(captions.tests_table(tested), "pairs")
    every = every if len(tested) <= _FEW_TESTS else markup.details(f"All {len(tested)} tests", every)
    return [verdicts, markup.paragraph(captions.tests_explanation(tested)), every]


def _runs(study: reading.Study) -> str:
    columns = [
        Column("run", lambda run: run.name, "left"),
        Column("state", lambda run: captions.state(study, run)),
    ]
    table = tables.tabulate(columns, zip(study.runs), "Each run has a page of its own")
    return tables.to_html(table, "runs", list(map(_link, study.runs)))


def _link(run: reading.StudyRun) -> str | None:
    return f"{urllib.parse.quote(run.name, safe='')}/report.html" if run.has_page else None


def _unfinished(study: reading.Study) -> str | None:
    lacking = [run.name for run in study.runs if run.problem and not captions.is_over(study, run)]
    if not lacking:
        return None
    return f"Missing or unfinished, {len(lacking)} of {several(len(study.runs), 'run')}: {', '.join(lacking)}."
