"""Every figure of a metric shows the trivial baseline and the threshold; an arrow at the edge if they are far off."""

import math

import pytest

from gru_research.report import drawing, exhibits, figures, metric_axis, results, tuning
from gru_research.report.drawing import scales
from tests.report.synthetic import constant, write_run

NEAR, FAR = 0.15, 5000.0


def legend(axes) -> list[str]:
    return [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]


def task_with(tmp_path, baseline, threshold=0.01, direction="min") -> results.TaskResults:
    cell = constant(0.1, 0.12, 0.2, solved=1)
    draws = ((1e-3, 0.1), (1e-2, 0.2))
    cell = type(cell)(cell.curves, cell.tests, draws=draws, chosen=0)
    fields = {"trivial": {} if baseline is None else {"trivial": baseline}, "direction": direction}
    (task,) = results.collect(write_run(tmp_path, {"GRU": cell}, threshold=threshold, **fields))
    return task


MADE = {"learning curves": figures.learning_curves, "test metric": figures.test_metric, "tuning": tuning.figure}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    ("baseline", "shown"), [(NEAR, "trivial (0.15)"), (FAR, "trivial (5000)"), (0.0, "trivial (0)")]
)
def test_the_baseline_is_in_every_figure_of_a_metric(tmp_path, name, baseline, shown):
    axes = drawing.draw(MADE[name](task_with(tmp_path, baseline))).axes[0]
    arrows = [text.get_text() for text in axes.texts if shown in text.get_text()]
    low, high = axes.get_xlim() if name == "test metric" else axes.get_ylim()
    if baseline == NEAR:
        assert low < baseline < high
        assert not arrows
        assert shown in legend(axes)
    else:
        assert not low < baseline < high
        assert shown not in legend(axes)
        (arrow,) = arrows
        assert arrow[-1 if baseline == FAR or name != "test metric" else 0] in "◀▶▲▼"


def test_an_arrow_points_to_where_the_value_is(tmp_path):
    axes = drawing.draw(figures.test_metric(task_with(tmp_path, FAR, threshold=1e-9))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["trivial (5000) ▶", "◀ solved: below 1e-09"]
    assert axes.get_ylim() == (0.5, pytest.approx(-0.5 - 2 * 0.45))  # room above the one row for two
    axes = drawing.draw(figures.learning_curves(task_with(tmp_path / "more", FAR, threshold=1e-9))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["trivial (5000) ▲", "solved: below 1e-09 ▼"]


def test_without_baseline_and_threshold_there_is_nothing_to_draw(tmp_path):
    task = task_with(tmp_path, None, threshold=None)
    assert metric_axis.references(task.task) == ()
    axes = drawing.draw(figures.test_metric(task)).axes[0]
    assert (axes.texts[:], axes.figure.legends) == ([], [])


def test_an_axis_without_finite_values_reaches_over_the_references():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    references = tuple(exhibits.Reference(value) for value in (0.01, 0.167))
    scales.fit(axes, "y", exhibits.Axis("MSE", "fitted log", references), [math.inf] * 3)
    low, high = axes.get_ylim()
    assert 0 < low < 0.01 < 0.167 < high
    before = axes.get_xlim()
    scales.fit(axes, "x", exhibits.Axis("accuracy", "fitted"), [-math.inf])
    assert axes.get_xlim() == before


@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_is_measured_stands_clear_of_the_labels_at_the_edge(tmp_path, direction):
    task = task_with(tmp_path, FAR if direction == "min" else -FAR, threshold=1e-9, direction=direction)
    figure = drawing.draw(tuning.figure(task))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    marks = [
        at for line in axes.lines if line.get_marker() == "o" for at in axes.transData.transform(line.get_xydata())
    ]
    assert len(marks) == 3  # two draws and a ring
    for label in axes.texts:
        box = label.get_window_extent()
        assert not any(box.y0 < y < box.y1 for _, y in marks)


@pytest.mark.parametrize(
    ("axis", "values", "limits", "labels"),
    [
        (exhibits.Axis("", "share"), (0.3,), (0, 1), ["0", "25 %", "50 %", "75 %", "100 %"]),
        (exhibits.Axis("", "updates", limits=(0.0, 2000.0)), (), (0, 2040), ["0", "500", "1,000", "1,500", "2,000"]),
        (exhibits.Axis("", "seconds", limits=(0.0, 2.0)), (), (0, 2.04), ["0", "0.5", "1", "1.5", "2"]),
        (exhibits.Axis("", "log"), (1.0, 1000.0), (1 / 1.15, 1150), ["1", "10", "100", "1,000"]),
        (exhibits.Axis("", limits=(-0.5, 1.5), ticks=((0.0, "a"), (1.0, "b"))), (), (-0.5, 1.5), ["a", "b"]),
    ],
    ids=lambda value: value.scale if isinstance(value, exhibits.Axis) else "",
)
def test_limits_and_numbers_of_each_scale(axis, values, limits, labels):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    scales.fit(axes, "x", axis, values)
    axes.figure.draw_without_rendering()
    assert axes.get_xlim() == pytest.approx(limits)
    shown = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    assert [label.get_text() for at, label in shown if limits[0] <= at <= limits[1]] == labels
