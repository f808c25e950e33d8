"""A user's own files: what is read of them, and the line that says what is wrong with one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research.config import FileError, UserError
from gru_research.data.own_files import existing_file, file_checks, read_npy, read_npz, read_table, read_text
from tests.faults import fault, seen


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def test_a_table_has_columns_rows_and_the_lines_at_which_rows_start(write: Any) -> None:
    table = read_table(write("a.csv", '\ufeffname, size\r\n"x, ""y""\nz",1\r\n\r\nü, 2.5e1 \r\n'))
    assert table.header == ("name", "size") and table.rows == [['x, "y"\nz', "1"], ["ü", " 2.5e1 "]]
    assert table.lines == [2, 5] and table.place(1).endswith("a.csv:5")
    np.testing.assert_array_equal(table.numbers(["size"]), [[1.0], [25.0]])
    assert read_table(write("a.tsv", "a,b\tc\n1\t2\n")).header == ("a,b", "c")


def test_a_column_with_a_typing_mistake_is_one_of_numbers(write: Any) -> None:
    table = read_table(write("a.csv", "a,b\n1,x\n2,y\n3.O,z\n"))
    assert table.is_numeric("a") and not table.is_numeric("b")


def test_a_text_has_one_kind_of_line_ends(write: Any) -> None:
    assert read_text(write("a.txt", "\ufeffone\r\ntwo\rthree\n")) == "one\ntwo\nthree\n"


def test_arrays_by_name_and_alone(tmp_path: Path) -> None:
    arrays = {"inputs": np.arange(6.0).reshape(2, 3), "targets": np.array(["a", "b"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays, other=np.ones(1))
    read = read_npz(tmp_path / "a.npz", ("inputs", "targets"), ("lengths",))
    assert read.keys() == arrays.keys() and all((read[name] == a).all() for name, a in arrays.items())
    np.save(tmp_path / "a.npy", arrays["inputs"])
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), arrays["inputs"])


TABLES: list[tuple[str, str | bytes, str]] = [
    ("an empty file", "", "a.csv: is empty"),
    ("a table without rows", "text,label\n", "a.csv: has a header and no rows"),
    ("a row with a cell too few", "a,b\n1,2\n\n3\n", "a.csv:4: has 1 cell, and the header has 2 (a, b)"),
    ("a header of numbers", "1,2\n3,4\n", "a.csv:1: the first line must name the columns, and holds numbers: '1', ..."),
    ("a column without a name", "a,\n1,2\n", "a.csv:1: column 2 has no name"),
    ("two columns of a name", "a,b,a\n1,2,3\n", "a.csv:1: two columns have the name 'a'"),
    ("another delimiter than the ending says", "a;b\n1;2\n", "a.csv:1: has one column, 'a;b': columns of a .csv file "
     "are separated by commas"),
    ("a quote that isn't closed", 'a,b\n1,2\n"3,4\n5,6\n', "a.csv:3: unexpected end of data: a cell that starts with "
     "a quote must end with one, and double those inside"),
    ("a text that isn't UTF-8", b"a,b\n1,2\n3,caf\xe9\n", "a.csv:3: the byte 0xe9 isn't UTF-8: save the file in that "
     "encoding"),
]  # fmt: skip


@fault("file contents", "an empty file", "a table without rows", "a row with too few cells", "a header of numbers",
       "a column without a name", "two columns with one name", "a delimiter that doesn't fit the extension",
       "an unclosed quote", "a text that isn't UTF-8")  # fmt: skip
def test_a_table_s_faults_are_one_line_each(write: Any) -> None:
    for _, content, line in TABLES:
        with pytest.raises(FileError) as caught:
            read_table(write("a.csv", content))
        assert str(caught.value).endswith(f"/{line}")
        seen(caught)


@fault("file contents", "a table's cell that isn't a number", "an empty cell", "a table's cell that isn't finite")
@pytest.mark.parametrize("cells", [("12;5", "", "nan")])
def test_a_cell_that_is_no_number_is_named_with_its_line(write: Any, cells: tuple[str, ...]) -> None:
    wanted = ("a number", "a number: fill it in, or leave the line out", "finite")
    for cell, must in zip(cells, wanted, strict=True):
        with pytest.raises(FileError) as caught:
            read_table(write("a.csv", f"day,price\n1,2\n2,{cell}\n")).numbers(["price"])
        assert str(caught.value).endswith(f"/a.csv:3: price={cell!r} must be {must}")
        seen(caught)


@pytest.mark.parametrize(
    ("cell", "must"),
    [
        ("1,000.5", "a number: leave out the separators of thousands"),
        ("N/A", "a number"),
        ("-1e39", "at most 3.4e+38 in size: it is beyond float32"),
    ],
)
def test_numbers_that_are_written_otherwise_or_too_large_are_named(write: Any, cell: str, must: str) -> None:
    table = read_table(write("a.csv", f'day,price\n1,2\n2,"{cell}"\n'))
    with pytest.raises(FileError) as caught:
        table.numbers(["price"])
    assert str(caught.value).endswith(f"/a.csv:3: price={cell!r} must be {must}")
    assert read_table(write("b.csv", 'price\n"1,000.5"\n"2,000"\n')).is_numeric("price")


@pytest.mark.parametrize("read", [read_npy, lambda path: read_npz(path, ("inputs",)), read_table, read_text])
def test_a_file_that_has_gone_is_no_such_file(tmp_path: Path, read: Any) -> None:
    with pytest.raises(FileError, match=r"/gone\.csv: no such file$"):
        read(tmp_path / "gone.csv")


@fault("file contents", "missing arrays", "an array of Python objects", "a file that isn't an .npz")
def test_arrays_faults_are_one_line_each(write: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=np.array([1, "a"], object), labels=np.ones(2))
    with pytest.raises(FileError, match=r"/a\.npz: lacks the array 'targets'; it has inputs, labels$") as caught:
        read_npz(tmp_path / "a.npz", ("inputs", "targets"))
    seen(caught)
    objects = r"/a\.npz: the array 'inputs' holds Python objects, which aren't read: store numbers or texts$"
    with pytest.raises(FileError, match=objects) as caught:
        read_npz(tmp_path / "a.npz", ("inputs",))
    seen(caught)
    with pytest.raises(FileError, match=r"/b\.npz: is no \.npz file \(File is not a zip file\)$") as caught:
        read_npz(write("b.npz", "text"), ("inputs",))
    seen(caught)


def test_an_array_file_that_is_cut_short_is_named(tmp_path: Path, write: Any) -> None:
    np.savez(tmp_path / "a.npz", inputs=np.arange(1000))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[500] ^= 255
    with pytest.raises(FileError, match=r"/b\.npz: the array 'inputs' can't be read \(Bad CRC-32"):
        read_npz(write("b.npz", bytes(content)), ("inputs",))
    np.save(tmp_path / "a.npy", np.arange(1000))
    with pytest.raises(FileError, match=r"/c\.npy: the array can't be read"):
        read_npy(write("c.npy", (tmp_path / "a.npy").read_bytes()[:500]))


@fault("file contents", "a missing file of own data", "a folder instead of a file",
       "a file larger than memory")  # fmt: skip
def test_what_is_not_there_and_what_does_not_fit(tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^train='.*/nope.csv': no such file$") as caught:
        existing_file("train", str(tmp_path / "nope.csv"))
    seen(caught)
    with pytest.raises(UserError, match=r"^train='.*' is a folder, and must be a file$") as caught:
        existing_file("train", str(tmp_path))
    seen(caught)
    monkeypatch.setattr(file_checks, "machine_memory", lambda: 2**20)
    np.savez_compressed(tmp_path / "a.npz", inputs=np.zeros(2**20))  # small on disk
    line = r"/a\.npz: reading it takes about 0.0156 GiB of memory, and this machine has 0.000977 GiB: use a part of it"
    with pytest.raises(FileError, match=line) as caught:
        read_npz(tmp_path / "a.npz", ("inputs",))
    seen(caught)
    with pytest.raises(FileError, match=r"/a\.txt: reading it takes about 0.0\d+ GiB"):
        read_text(write("a.txt", "x" * 2**17))
