"""The records file: records survive writing and reading, and a damaged file gives a one-line error."""

import json

import numpy as np
import pytest

from gru_research import records
from tests.faults import fault, seen


def write(path, header, *rest):
    """Writes records with the Writer."""
    writer = records.Writer.begin(path, header)
    for record in rest:
        writer.write(record)
    writer.close()
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / records.FILE_NAME


HEADER = json.dumps({"kind": "run", "schema": records.SCHEMA}) + "\n"


NAMED = {"task": "adding", "cell": "GRU"}
WHOLE = (
    records.Header(
        config={"seeds": 2}, asked={"seeds": 1}, task={"name": "adding", "directions": {}}, warnings=("one",),
        files={"/a.py": "00"}, env={"backend": "cpu"}, time={"started": "now"},
    ),
    records.Draw(**NAMED, draw=0, seed=7, values={"learning_rate": 0.5}, validation_metric=None, diverged_at=3),
    records.Draw(**NAMED, draw=1, seed=7, values={"learning_rate": 0.25}, validation_metric=2.0, chosen=True),
    records.Cell(
        **NAMED, cell_kind="gru", options={"reset": "after"}, hidden_size=3, parameters=4, reference_parameters=5,
        flops=6.0, updates=7, learning_rate=0.5, clip=1.0, tuned=True, time={"compile_seconds": 1.5},
        env={"engine": "XLA"},
    ),
    records.Evaluation(**NAMED, seed=0, step=0, validation_metric=0.5, metrics={"loss": 0.5, "mse": None}),
    records.Probe(**NAMED, seed=0, step=0, name="gradient_flow", measured={"of": "loss", "lags": [1, 2]}),
    records.Result(
        **NAMED, seed=0, updates=9, train_loss=0.1, test_metric=0.2, test_metrics={"mse": 0.2}, steps_to_solve=4,
        train_set_metric=0.3, diverged_in="log", time={"ms_per_step": 0.5},
    ),
    records.End(status="finished", time={"seconds": 2.0}),
)  # fmt: skip


def test_what_is_written_is_read_back_by_kind_and_in_order(path):
    run = records.read(write(path, *WHOLE))
    assert run.in_order == WHOLE
    header, first, second, cell, evaluation, probe, result, end = WHOLE
    assert (run.header, run.end) == (header, end) and run.finished and not run.incomplete_line
    assert (run.draws, run.cells, run.evaluations) == ((first, second), (cell,), (evaluation,))
    assert (run.probes, run.results) == ((probe,), (result,))


def test_each_line_is_strict_json_with_its_kind_first(path):
    end = records.End(status="finished", time={"x": float("nan")})
    write(path, records.Header(env={"a": "ä\n\u2028"}), end)
    text = path.read_bytes().decode("ascii")
    first, second, rest = text.split("\n")
    assert rest == ""
    assert list(json.loads(first))[:2] == ["kind", "schema"]
    assert second == '{"kind":"end","status":"finished","time":{"x":null}}'
    assert records.read(path).header.env["a"] == "ä\n\u2028"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32("nan"), None),
        (np.float32(0.5), 0.5),
        (np.array(2.5), 2.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((1, (2.0, float("inf"))), [1, [2.0, None]]),
        ({"a": {1: (np.float64("inf"),)}}, {"a": {"1": [None]}}),
        ([None, True, "text"], [None, True, "text"]),
    ],
)
def test_to_json(value, expected):
    found = records.to_json(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_a_jax_scalar_becomes_a_number():
    jnp = pytest.importorskip("jax.numpy")
    assert records.to_json(jnp.float32(0.5)) == 0.5
    assert records.to_json(jnp.bfloat16(float("nan"))) is None
    assert type(records.to_json(jnp.int32(3))) is int


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_files_of_older_schemas_are_still_read(path, schema):
    header = {
        "kind": "run", "schema": f"gru_research.records/{schema}",
        "task": {"name": "adding", "metric": "mse", "direction": "min", "baseline": 0.5, "baseline_name": "always 1"},
    }  # fmt: skip
    path.write_text(f'{json.dumps(header)}\n{{"kind":"cell","task":"adding","cell":"GRU"}}\n')
    run = records.read(path)
    assert run.draws == ()
    assert run.cells == (records.Cell(task="adding", cell="GRU"),)
    known = {"name": "adding", "metric": "mse", "directions": {"mse": "min"}, "trivial": {"always 1": 0.5}}
    assert run.header.task == known and run.header.asked is None and run.header.warnings is None


def test_two_runs_never_share_a_file(path):
    write(path, records.Header())
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        records.Writer.begin(path, records.Header())
    assert path.read_bytes() == before


def test_a_line_is_on_the_disk_once_it_is_written(path):
    writer = records.Writer.begin(path, records.Header(config={"seeds": 1}))
    assert records.read(path).header.config == {"seeds": 1}
    writer.close()


@fault("records", "half a line at the end, as a killed run leaves it")
def test_the_half_line_of_a_killed_run_is_left_out(path):
    write(path, records.Header(), records.Evaluation(**NAMED, seed=0, step=0))
    whole = path.read_text()
    header = whole.index("\n") + 1
    for cut in range(header, len(whole)):
        path.write_text(whole[:cut])
        run = records.read(path)
        assert run.evaluations == ()
        assert run.incomplete_line is (cut > header)
        assert not run.finished
    seen("")


def test_an_interrupted_run_is_not_finished(path):
    run = records.read(write(path, records.Header(), records.End(status="interrupted")))
    assert run.end.status == "interrupted"
    assert not run.finished


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no run header", marks=fault("records", "an empty file")),
        pytest.param('{"kind":"run"', "no run header", marks=fault("records", "half a header")),
        ("\n", "line 1: not JSON"),
        pytest.param("[]\n", "line 1: not a JSON object", marks=fault("records", "a line that isn't an object")),
        pytest.param('{"kind":"cell"}\n', "no run header", marks=fault("records", "no header")),
        ('{"kind":"run"}\n', "the schema None"),
        ('{"kind":"run","schema":"gru_research.records/0"}\n', "'gru_research.records/0'"),
        pytest.param(
            '{"kind":"run","schema":"gru_research.records/5"}\n',
            "reads 'gru_research.records/1' and 'gru_research.records/2' and '[a-z_.]+/3' and '[a-z_.]+/4'",
            marks=fault("records", "a schema of a later version"),
        ),
        pytest.param(HEADER + "{broken\n", "line 2: not JSON", marks=fault("records", "a line that isn't JSON")),
        pytest.param(
            HEADER + '{"kind":"note"}\n',
            "line 2: unknown kind 'note'",
            marks=fault("records", "an unknown kind of record"),
        ),
        (HEADER + "{}\n", "line 2: unknown kind None"),
        pytest.param(
            HEADER + '{"kind":"result","task":"adding","cell":"GRU"}\n',
            "line 2: a record of the kind 'result' has no 'seed'",
            marks=fault("records", "a record without a field"),
        ),
        pytest.param(
            HEADER + '{"kind":"result","task":"adding","cell":"GRU","seed":"x"}\n',
            "line 2: a record of the kind 'result' has seed='x', which must be a whole number",
            marks=fault("records", "a field of the wrong type"),
        ),
        (HEADER + '{"kind":"end","status":"finished","time":3}\n', "'end' has time=3, which must be an object"),
        (HEADER + '{"kind":"cell","task":"t","cell":"c","tuned":1}\n', "tuned=1, which must be true or false"),
        pytest.param(
            HEADER + "[" * 100_000 + "\n",
            "line 2: not JSON .*recursion",
            marks=fault("file contents", "records of a hundred thousand brackets"),
        ),
        pytest.param(
            HEADER + '{"kind":' + "1" * 5000 + "}\n",
            "line 2: not JSON .*4300 digits",
            marks=fault("file contents", "records with a number of 5,000 digits"),
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(path, text, message):
    path.write_text(text)
    with pytest.raises(records.RecordsError, match=message) as error:
        records.read(path)
    assert str(path) in str(error.value)
    seen(error)
    assert "\n" not in str(error.value)


@fault("records", "no file", "a folder instead of a file", "bytes that aren't text")
def test_no_file_a_folder_and_bytes_are_refused_in_one_line(path):
    with pytest.raises(records.RecordsError, match="No such file") as error:
        records.read(path)
    seen(error)
    with pytest.raises(records.RecordsError, match="Is a directory") as error:
        records.read(path.parent)
    seen(error)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(records.RecordsError, match="can't read") as error:
        records.read(path)
    seen(error)
