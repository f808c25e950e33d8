"""Every figure of a metric shows the trivial baseline and the threshold; an arrow at the edge if they are far off."""

import pytest

from gru_research.report import figures, results, scales, tuning
from tests.report.synthetic import constant, write_run

NEAR, FAR = 0.15, 5000.0


def drawn(axes) -> str:
    """Returns all texts in the axes and in their figure's legend."""
    legends = [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]
    return " | ".join([text.get_text() for text in axes.texts] + legends)


def task_with(tmp_path, baseline, threshold=0.01, direction="min") -> results.TaskResults:
    cell = constant(0.1, 0.12, 0.2, solved=1)
    draws = ((1e-3, 0.1), (1e-2, 0.2))
    cell = type(cell)(cell.curves, cell.tests, draws=draws, chosen=0)
    fields = {"trivial": {} if baseline is None else {"trivial": baseline}, "direction": direction}
    (task,) = results.collect(write_run(tmp_path, {"GRU": cell}, threshold=threshold, **fields))
    return task


MADE = {"learning curves": figures.learning_curves, "test metric": figures.test_metric, "tuning": tuning.illustration}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    ("baseline", "shown"), [(NEAR, "trivial (0.15)"), (FAR, "trivial (5000)"), (0.0, "trivial (0)")]
)
def test_the_baseline_is_in_every_figure_of_a_metric(tmp_path, name, baseline, shown):
    axes = MADE[name](task_with(tmp_path, baseline)).figure.axes[0]
    assert shown in drawn(axes)
    arrows = [text.get_text() for text in axes.texts if shown in text.get_text()]
    low, high = axes.get_xlim() if name == "test metric" else axes.get_ylim()
    if baseline == NEAR:
        assert low < baseline < high
        assert not arrows
    else:
        assert not low < baseline < high
        (arrow,) = arrows
        assert arrow[-1 if baseline == FAR or name != "test metric" else 0] in "◀▶▲▼"


def test_an_arrow_points_to_where_the_value_is(tmp_path):
    axes = figures.test_metric(task_with(tmp_path, FAR, threshold=1e-9)).figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["trivial (5000) ▶", "◀ solved: below 1e-09"]
    assert axes.get_ylim() == (0.5, pytest.approx(-0.5 - 2 * 0.45))  # room above the one row for two
    axes = figures.learning_curves(task_with(tmp_path / "more", FAR, threshold=1e-9)).figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["trivial (5000) ▲", "solved: below 1e-09 ▼"]


def test_without_baseline_and_threshold_there_is_nothing_to_draw(tmp_path):
    task = task_with(tmp_path, None, threshold=None)
    assert scales.references(task.task) == []
    axes = figures.test_metric(task).figure.axes[0]
    assert (axes.texts[:], axes.figure.legends) == ([], [])


def test_an_axis_without_finite_values_reaches_over_the_references():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    scales.fit(axes, "y", [float("inf")] * 3, [0.01, 0.167], logarithmic=True)
    low, high = axes.get_ylim()
    assert 0 < low < 0.01 < 0.167 < high
    before = axes.get_xlim()
    scales.fit(axes, "x", [float("-inf")])
    assert axes.get_xlim() == before


@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_is_measured_stands_clear_of_the_labels_at_the_edge(tmp_path, direction):
    task = task_with(tmp_path, FAR if direction == "min" else -FAR, threshold=1e-9, direction=direction)
    figure = tuning.illustration(task).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    marks = [axes.transData.transform(line.get_xydata())[0] for line in axes.lines if line.get_marker() == "o"]
    assert marks
    for label in axes.texts:
        box = label.get_window_extent()
        assert not any(box.y0 < y < box.y1 for _, y in marks)
