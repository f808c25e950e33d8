"""`seeds.csv`: every seed's numbers with all digits, for any labels and names."""

import csv
import io

from gru_research import report
from gru_research.report import results, seeds_csv
from tests.report.synthetic import Cell, falling, read_csv, two_cells, write_run


def test_a_row_a_seed_beside_the_summary(tmp_path):
    tests = [0.1 + 0.2, 1e-12, None, 0.5, 1 / 3]
    cell = Cell([falling(s) for s in range(5)], tests, diverged={2: 321})
    labels = ['a,"b"\nc', "RNN"]
    write_run(tmp_path, {labels[0]: cell, labels[1]: two_cells(5)["RNN"]})
    paths = report.write(tmp_path)
    assert paths.seeds == tmp_path / "seeds.csv"
    rows = read_csv(paths.seeds)
    assert [(row["task"], row["cell"], row["seed"]) for row in rows] == [
        ("adding", label, str(seed)) for label in labels for seed in range(5)
    ]
    first = rows[:5]
    assert [float(row["test_MSE"]) if row["test_MSE"] else None for row in first] == tests  # to the last bit
    assert [row["diverged_at"] for row in first] == ["", "", "321", "", ""]
    assert first[2]["test_loss"] == first[2]["validation_MSE"] == ""
    assert (first[0]["updates"], first[0]["selected_step"], first[0]["steps_to_solve"]) == ("1200", "1100", "500")
    assert [float(row["ms_per_step"]) for row in first] == [2, 3, 4, 5, 6]
    assert float(first[0]["validation_MSE"]) == falling(0)[-1]
    # The mean since the evaluation before the last, as the page has it; not the last batch's.
    assert [row["train_loss"] for row in first] == ["12.0", "12.1", "", "12.3", "12.4"]


def test_it_is_as_rfc_4180_asks(tmp_path):
    write_run(tmp_path, {'a,"b"\nc': two_cells(2)["GRU"]})
    content = report.write(tmp_path).seeds.read_bytes()
    assert content.count(b"\r\n") == 3
    assert content.count(b'"a,""b""\nc"') == 2
    lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert {len(line) for line in lines} == {len(lines[0])} and len(set(lines[0])) == len(lines[0])


def test_every_metric_has_a_column_and_tasks_may_have_others(tmp_path):
    def read(name: str, directions: dict[str, str]) -> tuple[str, results.TaskResults]:
        fields = {"metric": next(iter(directions)), "directions": directions}
        (task,) = results.collect(write_run(tmp_path / name, {"GRU": two_cells(2)["GRU"]}, name=name, **fields))
        return name, task

    text = seeds_csv.to_csv([read("one", {"error": "min", "F1": "max"}), read("two", {"MSE": "min"})], named=True)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["run"] for row in rows] == ["one", "one", "two", "two"]
    assert next(iter(rows[0])) == "run"
    assert {"test_error", "test_F1", "test_MSE"} <= set(rows[0])
    assert rows[0]["test_MSE"] == rows[2]["test_error"] == "" and rows[0]["test_error"] and rows[2]["test_MSE"]
