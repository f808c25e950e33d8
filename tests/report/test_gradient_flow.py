"""The figures and the table of the gradient's reach, from synthetic records."""

import json
import math
from pathlib import Path

import pytest

from gru_research import records, report
from gru_research.report import exhibits, gradient_flow
from gru_research.tables import Table
from tests.report.synthetic import Cell, write_run

LAGS = [1, 10, 100]


def with_probes(workdir: Path, seeds: int) -> records.Run:
    """Writes a run's gradients: at first they fall by a factor of 10 every 10 lags; at the end they are constant.

    Seed 0's gradient is 0 at the end.
    """
    write_run(workdir, {"GRU": Cell([[0.1, 0.01]] * seeds, [0.01] * seeds)})
    path = workdir / records.FILE_NAME
    lines = path.read_text().splitlines()
    for step, slope in ((0, -0.1), (100, 0.0)):
        for seed in range(seeds):
            logs = [slope * (1 + 0.1 * seed) * lag * math.log(10) for lag in LAGS]
            fields = {
                "task": "adding",
                "cell": "GRU",
                "seed": seed,
                "step": step,
                "name": "gradient_flow",
                "of": "loss",
            }
            fields |= {"lags": LAGS, "log_norm": logs, "half_life": 3.0 if step == 0 else None}
            if step and not seed:
                fields["log_norm"] = [0.0, 0.0, None]
            lines.insert(-1, json.dumps({"kind": "probe", **fields}))
    path.write_text("\n".join(lines) + "\n")
    return records.read(path)


@pytest.mark.parametrize(("seeds", "low", "high"), [(3, -12.0, -10.0), (6, -15.0, -10.0)])
def test_medians_and_bands_are_those_of_the_seeds(tmp_path: Path, seeds: int, low: float, high: float) -> None:
    reach, training, table = gradient_flow.flow_exhibits(with_probes(tmp_path / "run", seeds))
    assert isinstance(reach, exhibits.Plot) and isinstance(training, exhibits.Plot)
    (line,) = reach.panels[0].lines
    assert line.x == (1.0, 10.0, 100.0)
    middle = -10 * (1 + 0.1 * (seeds - 1) / 2)
    assert line.y[-1] == pytest.approx(middle)
    assert (line.low[-1], line.high[-1]) == (pytest.approx(low), pytest.approx(high))
    assert training.panels[0].lines[0].y == (pytest.approx(middle), 0.0)
    assert training.panels[0].lines[0].low[-1] is None  # the seed whose gradient is 0
    assert isinstance(table, Table)
    assert table.rows[0][-2:] == ("3", "doesn't fall")


def test_the_page_has_them_where_they_are_recorded(tmp_path: Path) -> None:
    with_probes(tmp_path / "run", 3)
    paths = report.write(tmp_path / "run")
    assert {path.stem for path in paths.figures} >= {"gradient_reach", "gradient_training"}
    text = paths.page.read_text()
    assert "<h2>Gradients</h2>" in text and "half-life before, steps" in text
    write_run(tmp_path / "without", {"GRU": Cell([[0.1, 0.01]], [0.01])})
    assert "<h2>Gradients</h2>" not in report.write(tmp_path / "without").page.read_text()


def test_what_seeds_reach_on_their_training_set_and_clipping_are_columns_where_they_are_known(tmp_path: Path) -> None:
    write_run(tmp_path / "run", {"GRU": Cell([[0.1, 0.01]], [0.01])})
    path = tmp_path / "run" / records.FILE_NAME
    plain = report.write(tmp_path / "run").page.read_text()
    assert "clipped" not in plain and "training set" not in plain
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "result":
            line |= {"clipped_share": 0.25, "train_set_metric": 0.125}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = report.write(tmp_path / "run").page.read_text()
    assert '<td data-heading="clipped">25 %</td>' in text and '<td data-heading="training set MSE">0.125</td>' in text
