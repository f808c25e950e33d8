"""The texts and figures on tuning in a run's report."""

import dataclasses
import json

import pytest

from gru_research import records, report
from gru_research.report import drawing, results, tuning
from tests.report.synthetic import Cell, Page, falling, table_text, two_cells, write_run

RATES = (1e-3, 3e-3, 1e-2, 3e-2)


def tuned(metrics: list[float | None], chosen: int | None, **fields) -> Cell:
    draws = tuple(zip(RATES, metrics, strict=True))
    return Cell([falling(0)] * 2, [0.001, 0.002], draws=draws, chosen=chosen, **fields)


def collected(run: records.Run) -> results.TaskResults:
    (task,) = results.collect(run)
    return task


def test_the_choice_its_range_and_what_diverged_are_said(tmp_path):
    run = write_run(tmp_path, {"GRU": tuned([0.1, 0.01, 0.02, None], chosen=1)})
    said = "GRU: learning rate 0.003 from [0.0001, 0.1]; the best of 4 draws (1 diverged), validation MSE 0.01."
    assert said in table_text(run)
    assert "undertuned" not in table_text(run)


@pytest.mark.parametrize(("chosen", "side"), [(0, "lowest"), (3, "highest")])
def test_a_choice_at_the_edge_is_warned_of(tmp_path, chosen, side):
    metrics = [0.02] * 4
    metrics[chosen] = 0.01
    run = write_run(tmp_path, {"GRU": tuned(metrics, chosen)})
    assert f"GRU's learning rate is the {side} that was drawn: a {side[:-3]}er one may be better" in table_text(run)
    assert "widen tune.learning_rate" in table_text(run)


def test_a_diverged_draw_beyond_the_choice_bounds_it(tmp_path):
    run = write_run(tmp_path, {"GRU": tuned([0.1, 0.1, 0.01, None], chosen=2)})
    assert "that was drawn" not in table_text(run)


def test_one_draw_or_one_value_has_no_edge(tmp_path):
    cell = dataclasses.replace(tuned([0.1] * 4, chosen=0), draws=((1e-3, 0.1), (1e-3, 0.1)))
    assert "that was drawn" not in table_text(write_run(tmp_path, {"GRU": cell}))


def test_every_draw_is_in_the_table(tmp_path):
    task = collected(write_run(tmp_path, {"GRU": tuned([0.1, 0.01, 0.02, None], chosen=1)}))
    table = tuning.table(task)
    assert table.headings == ("cell", "draw", "learning rate", "validation MSE", "seeds", "diverged at", "chosen")
    assert table.rows[1] == ("GRU", "1", "0.003", "0.01", "1", "-", "chosen")
    assert table.rows[3] == ("GRU", "3", "0.03", "not finite", "1", "321", "")


def test_seeds_of_a_draw_are_one_draw_ranked_by_their_interquartile_mean(tmp_path):
    write_run(tmp_path, {"GRU": tuned([0.1] * 4, chosen=None)}, end=None)
    writer = (tmp_path / records.FILE_NAME).open("a")
    for seed, metric in ((1001, 0.3), (1002, None)):
        line = {
            "kind": "draw",
            "task": "adding",
            "cell": "GRU",
            "draw": 1,
            "seed": seed,
            "values": {"learning_rate": 3e-3},
        }
        writer.write(json.dumps(line | {"validation_metric": metric, "diverged_at": None}) + "\n")
    writer.close()
    task = collected(records.read(tmp_path / records.FILE_NAME))
    draw = task.tunings[0].draws[1]
    assert (draw.seeds, draw.metric) == ((1000, 1001, 1002), (0.1, 0.3, None))
    assert tuning.table(task).rows[1][3:5] == ("not finite", "3")  # the plain mean up to 3 seeds, the lost one worst


def test_every_draw_is_drawn_the_chosen_one_ringed_and_the_lost_ones_at_the_edge(tmp_path):
    cells = {"GRU": tuned([0.1, 0.01, 0.02, None], chosen=1), "RNN": tuned([0.2, 0.2, None, None], chosen=0)}
    task = collected(write_run(tmp_path, cells))
    made = tuning.figure(task)
    gru, rnn = drawing.draw(made).axes
    points = {
        axes: {(float(x), line.get_marker()) for line in axes.lines for x in line.get_xdata()} for axes in (gru, rnn)
    }
    assert {(1e-3, "o"), (3e-3, "o"), (1e-2, "o"), (3e-2, "x")} <= points[gru]
    assert {(1e-3, "s"), (1e-2, "x"), (3e-2, "x")} <= points[rnn]
    rings = [line for line in gru.lines if line.get_markersize() == 12]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [(3e-3, 0.01)]
    assert gru.get_xscale() == gru.get_yscale() == "log"
    assert gru.get_xlim()[0] < 1e-4 < 1e-1 < gru.get_xlim()[1]  # the whole range that was drawn from
    assert "Chosen rates: GRU 0.003; RNN 0.001." in made.words.caption
    # The baseline is 0.167: all finite draws of GRU beat it, none of RNN.
    assert "Draws better than the baseline: GRU 3 of 4; RNN 0 of 4." in made.words.caption


def test_a_run_interrupted_while_tuning_shows_its_draws(tmp_path):
    cells = two_cells(1) | {"LSTM": tuned([0.1, 0.2, 0.3, 0.4], chosen=None, described=False)}
    run = write_run(tmp_path, cells, planned=["GRU", "RNN", "LSTM", "MGU"], end="interrupted")
    page = Page(report.write(tmp_path).page)
    for said in (page.text, table_text(run)):
        assert "LSTM was still being tuned." in said
        assert "Not begun: MGU." in said
        assert "LSTM: 4 draws, of which none was chosen." in said
    assert page.headings.index("Tuning") < page.headings.index("Every seed")


def test_no_draws_no_section(tmp_path):
    task = collected(write_run(tmp_path, two_cells(1)))
    assert tuning.figure(task) is None
    assert tuning.notes(task) == []


@pytest.mark.parametrize("missing", ["draw", "seed", "values"])
def test_a_draw_without_its_name_is_refused(tmp_path, missing):
    write_run(tmp_path, two_cells(1), end=None)
    line = {"task": "adding", "cell": "GRU", "draw": 0, "seed": 1, "values": {}}
    line.pop(missing)
    with (tmp_path / records.FILE_NAME).open("a") as file:
        file.write(json.dumps({"kind": "draw"} | line) + "\n")
    with pytest.raises(records.RecordsError, match=f"'draw' has no '{missing}'"):
        results.collect(records.read(tmp_path / records.FILE_NAME))
