"""What a report adds for an application: published figures, the verdict on its use, saved examples."""

import base64
import dataclasses
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import records, report, tables
from gru_research.report import application, examples, exhibits, results
from gru_research.report.examples import chorales, forecasts
from gru_research.run_files import load_examples, save_examples
from gru_research.tasks import Application, Breakdown, Published
from tests.report import synthetic
from tests.report.synthetic import constant

USE = "forecasting"
APPLICATION = Application(
    form="none",
    use=USE,
    trivial_metrics={"always predicting 1": {"MSE": 0.167}},
    published=(
        Published("A model", {"MSE": 0.004}, "look-back 720", "arXiv 0000.00000"),
        Published("Another", {"MSE": 0.003}),
    ),
    breakdowns={"length": Breakdown("MSE by length", "steps", {"1": "MSE, 1", "2": "MSE, 2"}, "MSE", numeric=True)},
)


def written(path: Path, cells: dict[str, synthetic.Cell], **fields: Any) -> tuple[records.Run, results.TaskResults]:
    directions = {"MSE": "min", "MSE, 1": "min", "MSE, 2": "min"}
    run = synthetic.write_run(
        path, cells, threshold=None, config={"reference": "gru"}, directions=directions,
        application=APPLICATION.summary(), **fields,
    )  # fmt: skip
    (task,) = results.collect(run)
    return run, task


def test_cells_stand_beside_trivial_answers_and_the_literature(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.001, 0.002, 0.003), "rnn": constant(0.02, 0.02, 0.02)})
    found = application.references(task)
    assert found is not None and found.headings == ("", "test MSE", "")
    assert [row[0] for row in found.rows] == ["gru", "rnn", "always predicting 1", "A model", "Another"]
    assert [row[1] for row in found.rows] == ["0.002", "0.02", "0.167", "0.004", "0.003"]
    assert [row[2] for row in found.rows] == ["", "", "trivial answer", "published, look-back 720", "published"]
    assert task.task.more_metrics == (), "metrics of groups have a figure of their own"


@pytest.mark.parametrize(
    ("gru", "rnn", "says"),
    [
        ((0.1, 0.11), (0.12, 0.13), ("the use is shown here", "gru is ahead of rnn: each of its seeds")),
        ((0.1, 0.2), (0.11, 0.3), ("Only 1 of 2 seeds", "between gru and rnn a difference is not shown here")),
        ((0.2, 0.3), (0.1, 0.12), ("No seed of gru is better", "gru is behind rnn")),
        ((0.2, None), (0.3, 0.4), ("No seed of gru is better", "not shown here")),
    ],
)
def test_the_verdict_follows_from_the_seeds(
    tmp_path: Path, gru: tuple[float | None, ...], rnn: tuple[float | None, ...], says: tuple[str, ...]
) -> None:
    run, task = written(tmp_path / "run", {"gru": constant(*gru), "rnn": constant(*rnn)})
    text = " ".join(application.verdict(task, "gru"))
    assert f"Tutorials name {USE} among" in text and all(part.lower() in text.lower() for part in says), text
    assert application.verdict(task, "lstm") == []
    report.write(tmp_path / "run")
    page = synthetic.Page(tmp_path / "run" / "report.html")
    assert "What it shows" in page.text and "look-back 720" in page.text
    assert says[0] in page.text and says[0].lower() in " ".join(synthetic.table_text(run).split()).lower()


def test_groups_have_a_line_for_each_cell_with_its_seeds(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.1, 0.2), "rnn": constant(0.3, 0.4)})
    values = iter([{"MSE, 1": 1.0, "MSE, 2": 2.0}, {"MSE, 1": 3.0, "MSE, 2": None}] * 2)
    seen = [
        dataclasses.replace(cell, seeds=tuple(dataclasses.replace(s, test_metrics=next(values)) for s in cell.seeds))
        for cell in task.cells
    ]
    (plot,) = application.breakdowns(dataclasses.replace(task, cells=tuple(seen)))
    (panel,) = plot.panels
    assert [(line.label, line.place, line.x) for line in panel.lines] == [
        ("gru", 0, (1.0, 2.0)),
        ("rnn", 1, (1.0, 2.0)),
    ]
    assert panel.lines[0].seeds == ((1.0, 2.0), (3.0, None)) and panel.lines[0].y == (2.0, None)
    assert (panel.x.label, panel.y.label, panel.x.ticks) == ("steps", "MSE", ()) and "gru: 1 2, 2 -" in plot.words.alt
    report.write(tmp_path / "run")
    assert (tmp_path / "run" / "figures" / "breakdown-length.png").stat().st_size > 1000


def test_one_seed_shows_nothing(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.1), "rnn": constant(0.12)})
    (line,) = application.verdict(task, "gru")
    assert line == "One seed shows nothing about forecasting as a use of a GRU: train several."


def test_groups_without_an_order_are_marks(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.1, 0.2), "rnn": constant(0.3, 0.4)})
    one = Breakdown("MSE by kind", "kind", {"a": "MSE, 1", "b": "MSE, 2"}, "MSE")
    shown = dataclasses.replace(APPLICATION, breakdowns={"kind": one})
    about = dataclasses.replace(task.task, application=results.Application.of(shown.summary()))
    cells = []
    for cell in task.cells:
        seeds = [dataclasses.replace(s, test_metrics={"MSE, 1": 1.0 + s.seed, "MSE, 2": None}) for s in cell.seeds]
        cells.append(dataclasses.replace(cell, seeds=tuple(seeds)))
    (plot,) = application.breakdowns(dataclasses.replace(task, task=about, cells=tuple(cells)))
    gru, rnn = plot.panels[0].lines
    assert (gru.x, plot.panels[0].x.ticks) == ((), ((0.0, "a"), (1.0, "b")))
    assert [(mark.y, mark.kind) for mark in gru.marks] == [(1.0, "open"), (2.0, "open"), (1.5, "filled")]
    assert gru.marks[0].x < 0 < rnn.marks[0].x and "gru: a 1.5, b -" in plot.words.alt


def test_forecasts_are_drawn_beside_what_happened(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.1), "rnn": constant(0.2)})
    arrays = {"seed": np.array(3), "windows": np.array([0, 9]), "series": np.array([0, 4])}
    arrays |= {"before": np.zeros((2, 3, 2)), "after": np.ones((2, 2, 2)), "forecast": np.full((2, 2, 2), 0.5)}
    arrays["before"][0, 0, 0] = np.nan
    ends = {"low": np.zeros((2, 2, 2)), "high": np.ones((2, 2, 2))}
    first, second = forecasts.draw(task, {"gru": arrays | ends, "rnn": arrays})
    assert isinstance(first, exhibits.Plot) and [panel.title for panel in first.panels] == [
        "test window 0",
        "test window 9",
    ]
    known, gru, rnn = first.panels[0].lines
    assert (known.x, known.y) == ((-2.0, -1.0, 0.0, 1.0, 2.0), (None, 0.0, 0.0, 1.0, 1.0))
    assert (gru.label, gru.place, gru.x, gru.y) == ("gru", 0, (1.0, 2.0), (0.5, 0.5)) and gru.high == (1.0, 1.0)
    assert rnn.place == 1 and rnn.low == () and second.words.title == "Forecasts of series 5"


def test_pieces_are_piano_rolls_with_statistics(tmp_path: Path) -> None:
    _, task = written(tmp_path / "run", {"gru": constant(0.1), "rnn": constant(0.2)})
    arrays = {"seed": np.array(3), "composed/crossings": np.array(0.25), "reference/crossings": np.array(0.125)}
    arrays["piece/composed 1"] = np.array([[60, 55, -1, 40], [61, 55, 50, 41]], np.int8)
    table, roll, sound, *_ = chorales.draw(task, {"gru": arrays, "rnn": arrays})
    assert isinstance(table, tables.Table) and table.headings == ("statistic", "gru", "rnn", "test set")
    assert table.rows == (("crossings", "0.25", "0.25", "0.125"),)
    assert isinstance(roll, exhibits.Plot) and isinstance(sound, exhibits.Sound)
    with wave.open(io.BytesIO(base64.b64decode(sound.wav))) as file:
        assert file.getframerate() == 8000 and file.getnframes() > 2 * 0.1875 * 8000
    voices = {line.label: line.y for line in roll.panels[0].lines}
    assert voices["soprano"] == (60.0, 61.0) and voices["tenor"] == (None, 50.0)
    assert roll.panels[0].lines[0].x == (0.0, 0.25)


def test_a_task_that_is_no_application_has_none_of_it(tmp_path: Path) -> None:
    run = synthetic.write_run(tmp_path / "run", {"gru": constant(0.1, 0.2)})
    (task,) = results.collect(run)
    assert task.task.application is None and application.references(task) is None
    assert application.verdict(task, "gru") == [] and examples.collect(task, [(tmp_path / "run", {"gru": "gru"})]) == []


def test_an_application_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    run = synthetic.write_run(tmp_path / "run", {"gru": constant(0.1)}, application={"form": "x", "nonsense": 1})
    with pytest.raises(records.RecordsError, match="application can't be read"):
        results.collect(run)


def test_saved_examples_are_drawn_by_their_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "run", {"gru": constant(0.1), "rnn": constant(0.2)})
    save_examples(tmp_path / "run", "gru", 3, {"values": np.arange(4.0), "words": np.array(["a", "b\u00e9"])})
    found = load_examples(tmp_path / "run", "gru")
    assert found is not None and found["seed"] == 3 and found["words"].tolist() == ["a", "b\u00e9"]
    assert load_examples(tmp_path / "run", "rnn") is None

    def drawn(task: results.TaskResults, cells: examples.Cells) -> list[exhibits.Exhibit]:
        assert list(cells) == ["gru"] and task.labels.index("gru") == 0
        words = exhibits.Words("Title of it", "alt", "caption")
        return [exhibits.Dots("values", words, (exhibits.dot("x", (1, 0, 2)),), exhibits.Axis("x"))]

    monkeypatch.setattr(examples, "FORMS", {"none": drawn})
    report.write(tmp_path / "run")
    assert "Title of it" in synthetic.Page(tmp_path / "run" / "report.html").text
    (tmp_path / "run" / "arrays" / "examples-gru.npz").write_bytes(b"PK")
    with pytest.raises(records.RecordsError, match=r"examples-gru.npz is damaged"):
        report.write(tmp_path / "run")


def test_a_study_has_the_best_published_figures(tmp_path: Path) -> None:
    synthetic.write_study(tmp_path, "suite", ["one", "two"])
    written(tmp_path / "one", {"gru": constant(0.1, 0.2)})
    synthetic.write_run(tmp_path / "two", {"gru": constant(0.1, 0.2)}, name="other")
    report.write_study(tmp_path)
    page = synthetic.Page(tmp_path / "report.html")
    assert "published" in page.text
    assert "Another 0.003; A model 0.004" in page.text


def test_names_that_are_no_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match=r"published: the metric 'MSE' must be one of loss"):
        APPLICATION.check({"loss": None}, {})
    with pytest.raises(ValueError, match=r"trivial_metrics: the answer 'always predicting 1' must be one of zero"):
        APPLICATION.check({"MSE": None, "MSE, 1": None, "MSE, 2": None}, {"zero": 1.0})
