"""The records file: what is written is read back, and a damaged file is refused in one line."""

import json

import numpy as np
import pytest

from gru_research import records
from tests.faults import fault, seen


def write(path, *lines):
    """Writes records of a kind and fields with the Writer."""
    (kind, header), *rest = lines
    assert kind == "run"
    writer = records.Writer.begin(path, **header)
    for kind, fields in rest:
        writer.write(kind, **fields)
    writer.close()
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / records.FILE_NAME


HEADER = json.dumps({"kind": "run", "schema": records.SCHEMA}) + "\n"


def test_what_is_written_is_read_back_by_kind_and_in_order(path):
    write(
        path,
        ("run", {"config": {"seeds": 2}, "task": {"name": "adding"}}),
        ("draw", {"cell": "GRU", "draw": 0}),
        ("draw", {"cell": "GRU", "draw": 1}),
        ("cell", {"cell": "GRU"}),
        ("evaluation", {"cell": "GRU", "seed": 0, "step": 0}),
        ("evaluation", {"cell": "GRU", "seed": 1, "step": 0}),
        ("result", {"cell": "GRU", "seed": 0}),
        ("cell", {"cell": "LSTM"}),
        ("end", {"status": "finished"}),
    )
    run = records.read(path)
    assert run.header == {
        "kind": "run", "schema": records.SCHEMA, "config": {"seeds": 2}, "task": {"name": "adding"},
    }  # fmt: skip
    assert [draw["draw"] for draw in run.draws] == [0, 1]
    assert [cell["cell"] for cell in run.cells] == ["GRU", "LSTM"]
    assert [evaluation["seed"] for evaluation in run.evaluations] == [0, 1]
    assert [result["seed"] for result in run.results] == [0]
    assert run.end == {"kind": "end", "status": "finished"}
    assert run.finished
    assert not run.incomplete_line


def test_each_line_is_strict_json_with_its_kind_first(path):
    write(path, ("run", {"a": "ä\n\u2028"}), ("end", {"x": float("nan")}))
    text = path.read_bytes().decode("ascii")
    first, second, rest = text.split("\n")
    assert rest == ""
    assert list(json.loads(first))[:2] == ["kind", "schema"]
    assert second == '{"kind":"end","x":null}'
    assert records.read(path).header["a"] == "ä\n\u2028"


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


def test_a_file_of_the_first_schema_is_still_read(path):
    path.write_text('{"kind":"run","schema":"gru_research.records/1","task":{}}\n{"kind":"cell","cell":"GRU"}\n')
    run = records.read(path)
    assert run.draws == ()
    assert run.cells == ({"kind": "cell", "cell": "GRU"},)


def test_two_runs_never_share_a_file(path):
    write(path, ("run", {}))
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        records.Writer.begin(path)
    assert path.read_bytes() == before


def test_a_line_is_on_the_disk_once_it_is_written(path):
    writer = records.Writer.begin(path, config={})
    assert records.read(path).header["config"] == {}
    writer.close()


def test_an_unknown_kind_is_not_written(path):
    writer = records.Writer.begin(path)
    before = path.read_text()
    with pytest.raises(AssertionError, match="note"):
        writer.write("note")
    writer.close()
    assert path.read_text() == before


@fault("records", "half a line at the end, as a killed run leaves it")
def test_the_half_line_of_a_killed_run_is_left_out(path):
    write(path, ("run", {}), ("evaluation", {"step": 0}))
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
    run = records.read(write(path, ("run", {}), ("end", {"status": "interrupted"})))
    assert run.end["status"] == "interrupted"
    assert not run.finished


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no run header", marks=fault("records", "an empty file")),
        pytest.param('{"kind":"run"', "no run header", marks=fault("records", "half a header")),
        ("\n", "line 1: not JSON"),
        pytest.param("[]\n", "line 1: not a JSON object", marks=fault("records", "a line that is no object")),
        pytest.param('{"kind":"cell"}\n', "no run header", marks=fault("records", "no header")),
        ('{"kind":"run"}\n', "the schema None"),
        ('{"kind":"run","schema":"gru_research.records/0"}\n', "'gru_research.records/0'"),
        pytest.param(
            '{"kind":"run","schema":"gru_research.records/5"}\n',
            "reads 'gru_research.records/1' and 'gru_research.records/2' and '[a-z_.]+/3' and '[a-z_.]+/4'",
            marks=fault("records", "a schema from the future"),
        ),
        pytest.param(HEADER + "{broken\n", "line 2: not JSON", marks=fault("records", "a line that isn't JSON")),
        pytest.param(
            HEADER + '{"kind":"note"}\n',
            "line 2: unknown kind 'note'",
            marks=fault("records", "a kind of record that isn't known"),
        ),
        (HEADER + "{}\n", "line 2: unknown kind None"),
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


@fault("records", "no file", "a folder in the file's place", "bytes that aren't text")
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
