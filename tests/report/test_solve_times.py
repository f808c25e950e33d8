"""Times to solve: their definition, and the steps of the drawn curves."""

import dataclasses

import numpy as np
import pytest

from gru_research.report import drawing, figures, results, run_tables, solve_times
from tests.report.synthetic import Cell, constant, write_run

INF = float("inf")


def collected(tmp_path, cells: dict[str, Cell], **fields) -> results.TaskResults:
    (task,) = results.collect(write_run(tmp_path, cells, **fields))
    return task


def test_a_seed_that_diverged_counts_as_unsolved_to_the_end(tmp_path):
    task = collected(tmp_path, {"GRU": constant(0.001, 0.18, None, solved=1)})
    found = solve_times.times(task.cells[0], "updates")
    assert found.solved_at.tolist() == [100, INF, INF]
    assert found.end == 200
    assert found.mean(200).value == pytest.approx((100 + 200 + 200) / 3)
    assert found.curve().unsolved.tolist() == pytest.approx([1, 2 / 3])


def test_seconds_are_of_each_seed(tmp_path):
    task = collected(tmp_path, {"GRU": constant(0.001, 0.001, solved=2)})  # 2 and 3 ms a step
    found = solve_times.times(task.cells[0], "seconds")
    assert found.solved_at.tolist() == pytest.approx([0.2, 0.3])
    assert found.end == pytest.approx(0.4)  # no longer than every seed was trained


def test_cells_are_compared_up_to_what_all_were_given(tmp_path):
    long = Cell([[0.2, 0.19, 0.001, 0.001]], [0.001])
    task = collected(tmp_path, {"GRU": constant(0.001, solved=1), "RNN": long})
    assert solve_times.common_end(task.complete, "updates") == 200
    # It solved at 200, where the others' training ended.
    assert solve_times.restricted_mean(task, task.cells[1], "updates").value == 200


def test_without_times_or_a_threshold_there_is_nothing_to_say(tmp_path):
    bare = collected(tmp_path / "bare", {"GRU": constant(0.1)}, bare=True)
    assert solve_times.units(bare.complete) == []
    assert run_tables.solving_table(bare) is None
    none = collected(tmp_path / "none", {"GRU": constant(0.1)}, threshold=None)
    assert solve_times.restricted_mean(none, none.cells[0], "updates") is None
    assert run_tables.solving_table(none) is None
    assert [made.name for made in figures.figures(none)] == ["learning_curves", "test_metric", "speed_and_size"]


def test_the_table(tmp_path):
    task = collected(tmp_path, {"GRU": constant(*[0.001] * 4, 0.18, solved=4), "RNN": constant(0.1, 0.1)})
    task = dataclasses.replace(task, cells=tuple(dataclasses.replace(cell, complete=True) for cell in task.cells))
    table = run_tables.solving_table(task)
    assert table.headings == (
        "cell", "solved", "median updates", "mean updates up to 200", "median seconds", "mean seconds up to 0.4",
    )  # fmt: skip
    gru, rnn = table.rows
    assert gru[:3] == ("GRU", "4/5", "100")
    assert gru[3].startswith("120 [100, ")
    assert rnn[:4] == ("RNN", "0/2", "inf", "200")


def test_the_steps_drawn_are_the_shares_solved(tmp_path):
    task = collected(tmp_path, {"GRU": constant(0.001, 0.001, 0.18, None, solved=2), "RNN": constant(*[0.2] * 4)})
    made = figures.share_solved(task)
    drawn = drawing.draw(made)
    updates, seconds = drawn.axes
    gru = updates.lines[0]
    assert gru.get_drawstyle() == "steps-post"
    assert np.array(gru.get_xydata()).tolist() == [[0, 0], [100, 0.5], [200, 0.5]]
    assert len(seconds.lines) == len(updates.lines)
    assert "2 of GRU, 4 of RNN" in made.words.caption
    assert "Medians: GRU infinite; RNN infinite." in made.words.caption
    drawn.draw_without_rendering()  # a cell without any solve has no marks, which must not break the layout
